"""gpugrad.ops.special.error: values and derivatives on every backend are in gpugrad/check/records/special_error.py."""

import math
import subprocess
import sys

import numpy as np
import pytest
import scipy.special
from backends import Backend
from precision import error

import gpugrad as gg
from gpugrad.arrays import special
from gpugrad.compile import runtime

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
    monkeypatch.setattr(special, "_scipy", lambda name: pytest.fail("SciPy was asked"))
    assert gg.special.erf(np.ones(5000)).tolist() == pytest.approx([math.erf(1)] * 5000)


@DTYPES
def test_where_nothing_is_compiled(dtype, backend: Backend):
    x = large(dtype)[:1]
    if dtype == "float16" and backend.name == "array-api-strict":
        pytest.skip("array-api-strict has no float16")
    y = special.evaluate("erf", backend.asarray(x))
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
@pytest.mark.parametrize("dtype", ["int64", "int8", "bool", "complex128", "complex64"])
def test_integers_are_taken_as_float64_and_complex_numbers_as_they_are(dtype, size):
    x = (np.arange(size) % 5 * (1 + 0.25j if "complex" in dtype else 1)).astype(dtype)
    y = gg.special.erf(x)
    assert y.dtype == (dtype if "complex" in dtype else "float64")
    np.testing.assert_allclose(y, scipy.special.erf(x), rtol=1e-6 if dtype == "complex64" else 1e-14)


# First and second derivatives where the plain formula is a difference of nearly equal terms, or overflows; by mpmath, 400 digits.
TAILS = {
    "erfcx": [
        (-3.0, -97237.06150316462, 615834.3467269868),
        (7.9, -0.008831024690637856, 0.0021847646227161365),
        (8.1, -0.008409660222553565, 0.0020313447493185473),
        (40.0, -0.0003522884252874839, 1.75979437569139e-05),
        (1e9, -5.641895835477562e-19, 1.1283791670955124e-27),
    ],
    "dawsn": [
        (0.5, 0.5755636164979777, -1.4244363835020224),
        (7.9, -0.008212270873549466, 0.002132073362391781),
        (-8.1, -0.007802038342594007, -0.0019730164163693155),
        (25.0, -0.0008019277233204113, 6.430905708774712e-05),
        (1e9, -5e-19, 1e-27),
    ],
    "log_ndtr": [
        (-1e9, 1e9, -1.0),
        (-1000.0, 1000.000999998, -0.999999000006),
        (-38.0, 38.02627946657587, -0.9993103402465338),
        (-0.5, 1.1410777703680646, -0.731519592844121),
        (0.5, 0.5091604338370335, -0.5138245643036329),
        (12.0, 2.1463837356630605e-32, -2.5756604827956722e-31),
        (25.0, 7.653929736419392e-137, -1.913482434104848e-135),
        (40.0, 0.0, 0.0),
    ],
}


@pytest.mark.parametrize("name", TAILS)
def test_derivatives_in_the_tails(name):
    x, first, second = np.array(TAILS[name]).T
    slope = gg.grad(lambda x: gg.sum(getattr(gg.special, name)(x)))
    np.testing.assert_allclose(slope(x), first, rtol=1e-13)
    np.testing.assert_allclose(gg.grad(lambda x: gg.sum(slope(x)))(x), second, rtol=1e-11)


@pytest.mark.parametrize("name", ["erfcx", "dawsn", "log_ndtr", "ndtr", "erfc"])
def test_derivatives_at_infinity_are_limits_and_nan_stays_nan(name):
    slope = gg.grad(lambda x: gg.sum(getattr(gg.special, name)(x)))(np.array([np.inf, -np.inf, np.nan]))
    assert slope[0] == 0
    assert slope[1] == {"erfcx": -np.inf, "log_ndtr": np.inf}.get(name, 0)
    assert np.isnan(slope[2])


def test_derivative_of_ndtri_exp_in_both_tails():
    y = np.array([-1e8, -700.0, -1e-200])
    x = scipy.special.ndtri_exp(y)
    expected = [-1 / x[0] * (1 - 1 / x[0] ** 2), 0.026793952657404654, np.sqrt(2 * np.pi) * np.exp(x[2] ** 2 / 2)]
    slope = gg.grad(lambda y: gg.sum(gg.special.ndtri_exp(y)))(y)
    np.testing.assert_allclose(slope, expected, rtol=1e-12)


def test_importing_it_does_not_import_scipy():
    code = "import sys, gpugrad.special, gpugrad.nn; print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_derivative_of_log_ndtr_at_complex_numbers_whose_density_overflows():
    """The result is nearly -z ** 2 / 2, as in the left half plane."""
    z = np.array([4.0 - 48j])
    gradient = gg.grad(lambda z: gg.sum(gg.real(gg.special.log_ndtr(z))))(z)
    np.testing.assert_allclose(np.conj(np.asarray(gradient)), -z - 1 / z, rtol=1e-5)
