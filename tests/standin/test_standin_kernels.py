"""Kernels on the stand-in: compiled by g++, run by threads that take turns. Skipped where there is no g++."""

import pathlib
import shutil
import sys

import ml_dtypes
import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from activate import activate

if not activate():
    pytest.skip("a GPU is usable here: test the real CuPy", allow_module_level=True)
if shutil.which("g++") is None:
    pytest.skip("no g++ to compile kernels with", allow_module_level=True)

import cupy


@pytest.fixture(autouse=True)
def fresh():
    """Counters at zero, two devices."""
    cupy.standin.reset()


@pytest.fixture
def x():
    return cupy.arange(12, dtype=np.float32).reshape(3, 4)


def test_elementwise_kernel_updates_four_outputs_in_place():
    adam = cupy.ElementwiseKernel(
        "T grad, T rate, T decay",
        "T parameter, T mean, T square, int32 steps",
        """
        mean += (T(1) - decay) * (grad - mean);
        square += (T(1) - decay) * (grad * grad - square);
        steps += 1;
        parameter -= rate * mean / (sqrt(square) + T(1e-8));
        """,
        "adam_like",
    )
    grad = cupy.arange(6, dtype=np.float32).reshape(2, 3).T
    parameter, mean, square = (cupy.ones((3, 2), np.float32) for _ in range(3))
    steps = cupy.zeros((3, 2), np.int32)
    with cupy.standin.counting() as seen:
        returned = adam(grad, 0.1, np.float32(0.9), parameter, mean, square, steps)
    assert (seen.kernel_launches, seen.host_reads) == (1, 0)
    assert all(a is b for a, b in zip(returned, (parameter, mean, square, steps)))
    g = grad.get()
    m, s = 1 + 0.1 * (g - 1), 1 + 0.1 * (g * g - 1)
    np.testing.assert_allclose(mean.get(), m, rtol=1e-6)
    np.testing.assert_allclose(parameter.get(), 1 - 0.1 * m / np.sqrt(s), rtol=1e-6)
    assert steps.tolist() == [[1, 1]] * 3
    with pytest.raises(TypeError, match="Type is mismatched"):
        adam(grad, 0.1, 0.9, parameter.astype(np.float64), mean, square, steps)
    with pytest.raises(ValueError, match="Out shape is mismatched|broadcast"):
        adam(grad, 0.1, 0.9, parameter[:1], mean, square, steps)
    with pytest.raises(TypeError, match="numpy.ndarray"):
        adam(np.ones((3, 2), np.float32), 0.1, 0.9, parameter, mean, square, steps)


def test_elementwise_kernel_broadcasts_and_takes_raw_arrays():
    reverse = cupy.ElementwiseKernel("raw T x", "T y", "y = x[_ind.size() - 1 - i]", "reverse")
    assert reverse(cupy.arange(3.0), size=3).tolist() == [2, 1, 0]
    outer = cupy.ElementwiseKernel("T x, U y", "U z", "z = x * y", "outer")
    product = outer(cupy.arange(2, dtype=np.float32)[:, None], cupy.arange(3.0))
    assert product.dtype == np.float64 and product.tolist() == [[0, 0, 0], [0, 1, 2]]
    half = cupy.ElementwiseKernel("T x", "T y", "y = float(x) * 1.5f", "half")
    for dtype in (np.float16, ml_dtypes.bfloat16):
        values = np.linspace(-70, 70, 101).astype(dtype)
        expected = (values.astype(np.float32) * np.float32(1.5)).astype(dtype)
        assert (half(cupy.asarray(values)).get() == expected).all()
    assigned = cupy.ElementwiseKernel("T x", "T y", "y = x; y *= x; y -= x; y /= T(2); y += x", "assigned")
    assert assigned(cupy.asarray(np.array([3, 5], np.float16))).tolist() == [6, 15]


def test_conditional_expressions_of_a_16_bit_float_and_a_float_are_ambiguous():
    kernel = cupy.ElementwiseKernel("T x, int32 first", "T y", "y = first ? x : x * x", "ambiguous")
    assert kernel(cupy.asarray(np.array([3.0, 5.0])), 0).tolist() == [9, 25]
    with pytest.raises(Exception, match="different types|ambiguous"):
        kernel(cupy.asarray(np.array([3.0, 5.0], np.float16)), 0)


def test_reduction_kernel(x):
    norm = cupy.ReductionKernel("T x", "T y", "x * x", "a + b", "y = sqrt(a)", "0", "norm")
    np.testing.assert_allclose(norm(x, axis=0).get(), np.linalg.norm(x.get(), axis=0), rtol=1e-6)
    np.testing.assert_allclose(norm(x.T, axis=0).get(), np.linalg.norm(x.get(), axis=1), rtol=1e-6)
    assert norm(x).shape == () and norm(x, axis=1, keepdims=True).shape == (3, 1)


SAXPY = r"""
extern "C" __global__ void saxpy(float a, const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = a * x[i] + y[i];
}
template <typename T> __global__ void scale(T* x, T a) { x[threadIdx.x] *= a; }
extern "C" __global__ void high(unsigned long long* out) { out[0] = __umul64hi(out[0], out[1]); }
"""


def test_raw_kernel():
    saxpy = cupy.RawKernel(SAXPY, "saxpy")
    x, y = cupy.arange(300, dtype=np.float32), cupy.ones(300, np.float32)
    saxpy((3,), (128,), (np.float32(2), x, y, np.int32(300)))
    np.testing.assert_array_equal(y.get(), 2 * x.get() + 1)
    with pytest.raises(TypeError, match="does not fit"):
        saxpy((3,), (128,), (2.0, x, y, np.int32(300)))  # 8 bytes where the kernel reads 4
    with pytest.raises(TypeError, match="another number of arguments"):
        saxpy((3,), (128,), (np.float32(2), x, y))
    with pytest.raises(TypeError, match="numpy.ndarray"):
        saxpy((3,), (128,), (np.float32(2), x.get(), y, np.int32(300)))
    with cupy.cuda.Device(1), pytest.raises(ValueError, match="current device"):
        saxpy((3,), (128,), (np.float32(2), x, y, np.int32(300)))


def test_raw_module():
    module = cupy.RawModule(code=SAXPY, options=("-std=c++17",), name_expressions=["scale<double>", "high"])
    x = cupy.arange(4.0)
    module.get_function("scale<double>")((1,), (4,), (x, 3.0))
    assert x.tolist() == [0, 3, 6, 9]
    words = cupy.asarray(np.array([0xD2511F53CD9E8D57, 0x9E3779B97F4A7C15], np.uint64))
    module.get_function("high")((1,), (1,), (words,))
    assert int(words[0]) == 0xD2511F53CD9E8D57 * 0x9E3779B97F4A7C15 >> 64
    with pytest.raises(RuntimeError, match="CUDA_ERROR_NOT_FOUND"):
        module.get_function("scale<float>")
    with pytest.raises(NotImplementedError, match="asm"):
        cupy.RawKernel('extern "C" __global__ void f() { asm volatile("nop;"); }', "f")((1,), (1,), ())
    with pytest.raises(TypeError):
        cupy.RawModule(code=SAXPY, options=["-std=c++17"])
