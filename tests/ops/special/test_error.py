"""gpugrad.special: values and derivatives on every backend are in gpugrad/check/records/special.py."""

import math
import subprocess
import sys

import numpy as np
import pytest
import scipy.special
from backends import Backend
from precision import error

import gpugrad as gg
from gpugrad.compile import runtime
from gpugrad.errors import DTypeError
from gpugrad.ops.special import error as special

DTYPES = pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
SPECIAL = [0.0, -0.0, 1e-30, 1e-3, 0.5, -3.0, 6.0, np.inf, -np.inf, np.nan]


def large(dtype):
    x = np.random.default_rng(0).normal(size=(33, 37)) * 2
    x[0, : len(SPECIAL)] = SPECIAL
    return x.astype(dtype)


@DTYPES
def test_large_arrays_are_accurate(dtype):
    x = large(dtype)
    y = gg.special.erf(x)
    assert type(y) is np.ndarray and y.dtype == dtype
    assert error(y, scipy.special.erf(x.astype("float64"))) < 3


@DTYPES
def test_gradients_of_large_arrays(dtype):
    x = gg.tensor(large(dtype), requires_grad=True)
    gg.special.erf(x).backward(np.full(x.shape, 2, dtype))
    exact = x.array.astype("float64")
    scale = 1 + exact**2  # exp(-x * x) has the error of its argument
    assert x.grad.dtype == dtype
    expected = 4 / math.sqrt(math.pi) * np.exp(-(exact**2))
    assert error(x.grad.array, expected, np.where(np.isfinite(scale), scale, 1) * np.abs(expected)) < 4


def test_large_arrays_do_not_go_through_scipy(monkeypatch):
    if runtime.launcher() is None:
        pytest.skip("no C compiler")
    monkeypatch.setattr(special, "evaluate", lambda name, x: pytest.fail("SciPy was asked"))
    assert gg.special.erf(np.ones(5000)).tolist() == pytest.approx([math.erf(1)] * 5000)


@DTYPES
def test_where_nothing_is_compiled(dtype, backend: Backend):
    x = large(dtype)[:1]
    if dtype == "float16" and backend.name == "array-api-strict":
        pytest.skip("array-api-strict has no float16")
    y = special._erf(backend.asarray(x))
    assert backend.is_array(y)
    assert backend.to_numpy(y).dtype == dtype
    assert error(backend.to_numpy(y), scipy.special.erf(x.astype("float64"))) < 3


def test_numbers_and_scalars():
    assert gg.special.erf(0.5) == math.erf(0.5)
    assert type(gg.special.erf(np.float32(0.5))) is np.float32


def test_inside_fused_functions():
    f = gg.fuse(lambda x, y: gg.special.erf(x) * y)
    x = np.random.default_rng(1).normal(size=(5, 7))
    np.testing.assert_allclose(f(x, x), scipy.special.erf(x) * x, rtol=1e-14)
    np.testing.assert_allclose(
        gg.grad(lambda x: gg.sum(f(x, x)))(x), gg.grad(lambda x: gg.sum(gg.special.erf(x) * x))(x), rtol=1e-13
    )


def test_a_mask_of_where_reaches_through():
    f = lambda x: gg.sum(gg.where(x > 0, gg.special.erf(gg.sqrt(x)), 0.0))
    assert gg.grad(f)(np.array([0.0, 1.0])).tolist() == [0.0, pytest.approx(math.exp(-1) / math.sqrt(math.pi))]


@pytest.mark.parametrize("size", [3, 2000])
@pytest.mark.parametrize("dtype", ["int64", "bool", "complex128"])
def test_other_dtypes_are_refused(dtype, size):
    with pytest.raises(
        DTypeError, match=rf"erf: got dtype {dtype}, expected real floating-point; convert it with .astype\(gg.float32\)"
    ):
        gg.special.erf(np.ones(size, dtype))


def test_importing_it_does_not_import_scipy():
    code = "import sys, gpugrad.special, gpugrad.nn; print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
