"""CUDA on raw CuPy arrays: kernels written by hand, where the kernel compiler cannot derive them, and NVIDIA's libraries.

Nothing here is imported before the first CuPy array. Each kernel stands in the table of an op (``arrays/cupy.py``) in front of CuPy's
function and of the op's definition, which the tests hold it to.
"""
