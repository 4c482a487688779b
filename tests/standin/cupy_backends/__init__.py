"""What gpugrad takes from CuPy's raw bindings, and nothing else: that `cupy_backends.cuda.libs.cublas` loads cuBLAS."""
