"""gpugrad.ops.special.zeta and hurwitz: values and derivatives on every backend are in gpugrad/check/records/special_zeta.py.

Exact values are mpmath's, of 60 digits.
"""

import numpy as np
import pytest
import scipy.special
from derivatives import derivative

import gpugrad as gg


def slope(function):
    """The derivative of an elementwise function."""
    gradient = gg.grad(lambda x: gg.sum(function(x)))
    return lambda x: gradient(x if isinstance(x, gg.Tensor) else np.asarray(x, float))


RIEMANN = np.array(
    [
        (-20.5, 300.57792297065504, -305.9863981173223),
        (-7.3, 0.0023055775627049534, -0.010372103125563782),
        (-2.0, -0.03044845705839327, -0.0657635161874252),
        (-1.01, -0.1629381022306383, -0.24641617320171696),
        (-0.99, -0.16794243988435292, -0.25406742835000473),
        (0.0, -0.9189385332046728, -2.006356455908585),
        (0.5, -3.9226461392091516, -16.008357013928663),
        (1.1, -99.92816307577054, 1999.990115747038),
        (30.0, -6.45548953880003e-10, 4.4746260164732365e-10),
    ]
)
HURWITZ = np.array(
    [
        (1.1, 0.5, -98.54623880363009, 2001.037959046483),
        (2.5, 100.5, -0.003514514099682767, 0.0188242896340338),
        (40.0, 3.0, -9.036490072113569e-20, 9.927632037658532e-20),
        (140.0, 100.0, -6.140252203504608e-280, 2.82973299054147e-279),
    ]
)


@pytest.mark.parametrize("name", ["zeta", "zetac"])
def test_derivatives_of_riemann_s(name):
    x, first, second = RIEMANN.T
    function = slope(getattr(gg.special, name))
    np.testing.assert_allclose(function(x), first, rtol=1e-12)
    np.testing.assert_allclose(slope(function)(x), second, rtol=1e-10)


def test_derivatives_of_hurwitz_s_in_the_exponent():
    x, q, first, second = HURWITZ.T
    function = slope(lambda x: gg.special.zeta(x, q))
    np.testing.assert_allclose(function(x), first, rtol=1e-12)
    np.testing.assert_allclose(slope(function)(x), second, rtol=1e-11)


def test_values_at_the_pole_and_outside():
    assert gg.special.zeta(1.0) == np.inf
    assert slope(gg.special.zeta)(np.array([1.0])).tolist() == [-np.inf]
    assert np.isnan(gg.special.zeta(0.5, 2.0))
    q = np.array([-1.5, -0.5])
    np.testing.assert_allclose(gg.special.zeta(2.0, q), scipy.special.zeta(2.0, q), rtol=1e-14)
    assert np.isnan(slope(lambda x: gg.special.zeta(x, q))(np.array([2.0, 2.0]))).all()


def test_numbers():
    assert gg.special.zeta(2) == pytest.approx(np.pi**2 / 6)
    assert gg.special.zeta(2, 1) == pytest.approx(np.pi**2 / 6)
    assert type(gg.special.zeta(2)) is type(gg.special.zeta(2, 1)) is float


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_derivatives_at_large_arguments_do_not_overflow(dtype):
    x = np.array([80.0, 200.0], dtype)
    found = derivative(lambda x: gg.special.zeta(x, 1.5), x)
    assert found == pytest.approx((-np.log(1.5) * 1.5 ** -x.astype(float)).tolist(), rel=1e-4 if dtype == "float32" else 1e-12)
    assert derivative(gg.special.zetac, np.array([1e20], dtype)) == [0.0]


@pytest.mark.parametrize(
    ("x", "dtype", "expected"), [(-42.322208404541016, "float32", -5.7219133e17), (-180.3, "float64", None)]
)
def test_derivatives_where_the_gamma_function_overflows(x, dtype, expected):
    zetac = scipy.special.zetac
    h = 1e-5
    expected = expected or (zetac(x + h) - zetac(x - h)) / (2 * h)
    assert derivative(gg.special.zetac, np.array([x], dtype)) == pytest.approx([expected], rel=1e-4)
