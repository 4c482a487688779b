"""gpugrad/ops/special/elementary.py beyond its records: derivatives at 0, at infinity and far out."""

import math

import numpy as np
import pytest
from derivatives import derivative

import gpugrad as gg
from gpugrad.errors import DTypeError
from gpugrad.special import cbrt, cotdg, exp2, exprel, powm1, sinc, tandg


def test_sinc_at_zero():
    assert derivative(sinc, 0.0) == 0
    assert derivative(sinc, 0.0, 2) == pytest.approx(-(math.pi**2) / 3, rel=1e-15)
    assert derivative(sinc, 0.0, 4) == pytest.approx(math.pi**4 / 5, rel=1e-14)


def test_sinc_near_zero_does_not_cancel():
    assert derivative(sinc, [1e-5, 1e-160]) == pytest.approx([-(math.pi**2) / 3 * 1e-5, -(math.pi**2) / 3 * 1e-160], rel=1e-9)


def test_exprel_where_exp_overflows_or_is_lost():
    assert derivative(exprel, [-1e10, -800.0, 700.0]) == pytest.approx(
        [1e-20, 1 / 640000, math.exp(700) * 699 / 490000], rel=1e-13
    )
    assert derivative(exprel, 0.0, 3) == pytest.approx(0.25, rel=1e-15)


def test_infinite_derivatives():
    assert derivative(cbrt, 0.0) == math.inf
    assert derivative(tandg, 90.0) == math.inf
    assert derivative(cotdg, 0.0) == -math.inf


def test_powm1_at_a_base_of_zero():
    x, y = np.zeros(3), np.array([0.0, 1.0, 2.0])
    gx, gy = gg.grad(lambda x, y: gg.sum(powm1(x, y)), argnums=(0, 1))(x, y)
    assert np.asarray(gx).tolist() == [0, 1, 0]
    assert np.asarray(gy).tolist() == [0, 0, 0]


def test_complex_numbers_are_refused_where_scipy_does():
    with pytest.raises(DTypeError, match="exp2: got complex128, expected real floating-point"):
        exp2(np.ones(2, "complex128"))


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_narrow_dtypes_stay(dtype):
    x = gg.tensor(np.array([0.0, 0.5], dtype), requires_grad=True)
    y = sinc(x)
    y.backward(np.ones(2, dtype))
    assert y.dtype == x.grad.dtype == dtype


def test_derivative_of_powm1_in_the_exponent_where_the_power_is_small():
    found = gg.grad(lambda y: powm1(10.0, y))(-20.0)
    assert found == pytest.approx(1e-20 * math.log(10), rel=1e-14, abs=0)
