"""gpugrad.nn.functional.silu: values and derivatives on every backend are in gpugrad/check/records/functional.py."""

import numpy as np
import pytest
import scipy.special
from precision import error

import gpugrad as gg
from gpugrad.errors import DTypeError
from gpugrad.nn import functional as F


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(5, 5), (33, 37), (1, 1025)])
def test_values_and_gradients(shape, dtype):
    x = gg.tensor((np.random.default_rng(0).normal(size=shape) * 5).astype(dtype), requires_grad=True)
    g = np.random.default_rng(1).normal(size=shape).astype(dtype)
    y = F.silu(x)
    y.backward(g)
    exact = x.array.astype("float64")
    p = scipy.special.expit(exact)
    assert y.dtype == x.grad.dtype == dtype
    assert error(y.array, exact * p, np.maximum(np.abs(exact * p), 1e-4)) < 4
    assert error(x.grad.array, g * (p + exact * p * (1 - p)), (1 + np.abs(exact)) * np.abs(g)) < 4


@pytest.mark.parametrize("size", [4, 2000])
def test_large_numbers_do_not_overflow(size):
    x = gg.tensor(np.resize(np.array([60000, -60000, 300, -300], "float16"), size), requires_grad=True)
    with np.errstate(all="raise", under="ignore"):
        y = F.silu(x)
        y.backward(np.ones(size, "float16"))
    assert np.array_equal(y.array[:4], [60000, 0, 300, 0])
    assert np.array_equal(x.grad.array[:4], [1, 0, 1, 0])


def test_nan_propagates():
    assert np.isnan(F.silu(np.array([np.nan]))).all() and np.isnan(F.silu(np.full(2000, np.nan))).all()


def test_integers_are_refused():
    with pytest.raises(
        DTypeError, match=r"silu: got dtype int64, expected real floating-point; convert it with .astype\(gg.float32\)"
    ):
        F.silu(np.arange(3))


def test_one_kernel_each_way():
    source = gg.fuse(F.silu).source("c", gg.tensor(np.ones((64, 64)), requires_grad=True))
    assert [line.split("(")[0] for line in source.splitlines() if line.startswith("void")] == [
        "void silu_0",
        "void silu_backward_0",
    ]
