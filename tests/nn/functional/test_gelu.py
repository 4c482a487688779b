"""gpugrad.nn.functional.gelu: values and derivatives on every backend are in gpugrad/check/records/functional.py."""

import math

import numpy as np
import pytest
import scipy.special
from precision import error

import gpugrad as gg
from gpugrad.errors import DTypeError
from gpugrad.nn import functional as F

DTYPES = pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
KINDS = pytest.mark.parametrize("approximate", ["none", "tanh"])


def value(x, approximate):
    if approximate == "tanh":
        return x * scipy.special.expit(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
    return x * scipy.special.ndtr(x)


def slope(x, approximate):
    if approximate == "tanh":
        p = scipy.special.expit(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
        return p + x * p * (1 - p) * 2 * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)
    return scipy.special.ndtr(x) + x * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


@KINDS
@DTYPES
@pytest.mark.parametrize("shape", [(5, 5), (33, 37), (1, 1025)])
def test_values_and_gradients(shape, dtype, approximate):
    """To a few units in the last place of x: where the result is nearly 0, as in the formula, 1 + erf(x) cancels."""
    x = gg.tensor((np.random.default_rng(0).normal(size=shape) * 3).astype(dtype), requires_grad=True)
    g = np.random.default_rng(1).normal(size=shape).astype(dtype)
    y = F.gelu(x, approximate)
    y.backward(g)
    exact = x.array.astype("float64")
    assert y.dtype == x.grad.dtype == dtype
    assert error(y.array, value(exact, approximate), np.abs(exact)) < 3
    assert error(x.grad.array, slope(exact, approximate) * g, (1 + np.abs(exact)) * np.abs(g)) < 4


@KINDS
@pytest.mark.parametrize("size", [4, 2000])
def test_large_numbers_do_not_overflow(size, approximate):
    x = gg.tensor(np.resize(np.array([60000, -60000, 300, -300], "float16"), size), requires_grad=True)
    with np.errstate(all="raise", under="ignore"):
        y = F.gelu(x, approximate)
        y.backward(np.ones(size, "float16"))
    assert np.array_equal(y.array[:4], [60000, 0, 300, 0])
    assert np.array_equal(x.grad.array[:4], [1, 0, 1, 0])


@KINDS
@pytest.mark.parametrize("size", [3, 2000])
def test_nan_and_infinity(size, approximate):
    x = np.full(size, np.nan)
    x[1] = np.inf
    y = F.gelu(x, approximate)
    assert np.isnan(y[0]) and y[1] == np.inf and np.isnan(y[2:]).all()


def test_the_approximation_is_close():
    x = np.linspace(-5, 5, 1001)
    assert 1e-4 < np.max(np.abs(F.gelu(x) - F.gelu(x, "tanh"))) < 5e-4


@pytest.mark.parametrize("size", [3, 2000])
def test_integers_are_refused(size):
    with pytest.raises(
        DTypeError, match=r"gelu: got dtype int64, expected real floating-point; convert it with .astype\(gg.float32\)"
    ):
        F.gelu(np.arange(size))


def test_another_approximation_is_refused():
    with pytest.raises(ValueError, match=r"gelu: approximate is 'x', expected 'none' \(the exact function\) or 'tanh'"):
        F.gelu(np.ones(3), approximate="x")


def test_one_kernel_each_way():
    source = gg.fuse(F.gelu).source("c", gg.tensor(np.ones((64, 64)), requires_grad=True))
    assert [line.split("(")[0] for line in source.splitlines() if line.startswith("void")] == [
        "void gelu_0",
        "void gelu_backward_0",
    ]
