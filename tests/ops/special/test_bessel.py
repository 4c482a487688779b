"""gpugrad/ops/special/bessel.py beyond its records: at 0, far out, and what has no derivative."""

import math

import numpy as np
import pytest
import scipy.special
from derivatives import derivative

import gpugrad as gg
from gpugrad.errors import GraphError
from gpugrad.special import i0, i0e, i1, i1e, ive, j0, j1, jv, k0e, k1, k1e, kn, kv, kve


def test_order_one_at_zero():
    assert [derivative(j1, 0.0, n) for n in (1, 2, 3)] == [0.5, 0.0, pytest.approx(-3 / 8)]
    assert [derivative(i1, 0.0, n) for n in (1, 2, 3)] == [0.5, 0.0, pytest.approx(3 / 8)]
    assert [derivative(j0, 0.0, n) for n in (1, 2)] == [0.0, -0.5]
    assert [derivative(i0, 0.0, n) for n in (1, 2)] == [0.0, 0.5]
    assert derivative(jv_of(2), 0.0, 2) == 0.25


def jv_of(order):
    return lambda z: jv(order, z)


def test_scaled_functions_at_zero():
    assert derivative(i0e, 0.0) == 0  # where it has a kink
    assert derivative(i1e, 0.0) == 0.5


@pytest.mark.parametrize(
    ("function", "at"),
    [  # f'(x) / f(x) = -1 / (2 x) + a / x ** 2 + ...
        (i0e, -1 / 8),
        (i1e, 3 / 8),
        (k0e, 1 / 8),
        (k1e, -3 / 8),
    ],
)
def test_scaled_functions_far_out_do_not_cancel(function, at):
    x = np.array([1e6, 1e12])
    assert derivative(function, x) == pytest.approx((function(x) * (-0.5 / x + at / x**2)).tolist(), rel=1e-15)


@pytest.mark.parametrize("order", [0.0, 0.5, 3.0])
@pytest.mark.parametrize(("function", "sign"), [(ive, 1), (kve, -1)])
def test_any_order_far_out(function, sign, order):
    x = np.array([1e8, 5e8])
    at = sign * (4 * order**2 - 1) / 8
    expected = (function(order, x) * (-0.5 / x + at / x**2)).tolist()
    assert derivative(lambda z: function(order, z), x) == pytest.approx(expected, rel=1e-14)


def test_scaled_functions_of_large_negative_numbers():
    assert derivative(i0e, -1e6) == -derivative(i0e, 1e6)
    assert derivative(i1e, -1e6) == derivative(i1e, 1e6)


def test_poles():
    assert derivative(k1, 0.0) == -math.inf
    assert derivative(k1, 1e-100) == pytest.approx(-1e200)


def test_an_order_has_no_derivative():
    order = gg.tensor([1.5], requires_grad=True, dtype="float64")
    with pytest.raises(GraphError, match=r"kv: it has no derivative with respect to v here; .detach\(\) v to hold it constant"):
        gg.sum(kv(order, np.array([2.0]))).backward()
    assert derivative(lambda z: kv(order.detach(), z), [2.0]) == derivative(lambda z: kv(1.5, z), [2.0])


def test_whole_orders_of_integers():
    n = np.array([0, 1, 2])
    assert derivative(lambda x: kn(n, x), [1.0, 1.0, 1.0]) == pytest.approx(derivative(lambda x: kv(n, x), [1.0, 1.0, 1.0]))


def test_the_factor_that_is_not_holomorphic():
    """ive(v, z) = iv(v, z) exp(-abs(real(z))) of a complex z: the steepest ascent of its real part, by central differences."""
    z, h = np.array(1.5 - 0.7j), 1e-5
    real = lambda z: float(np.real(ive(0.5, z)))
    expected = (real(z + h) - real(z - h)) / (2 * h) + 1j * (real(z + 1j * h) - real(z - 1j * h)) / (2 * h)
    found = complex(np.asarray(gg.grad(lambda z: gg.sum(gg.real(ive(0.5, z))))(z)))
    assert found == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("name", ["jvp", "yvp", "ivp", "kvp", "h1vp", "h2vp"])
def test_derivatives_by_name(name):
    function, z = getattr(gg.special, name), np.array([0.5, 2.0])
    for n in (0, 1, 3):
        np.testing.assert_allclose(function(1.5, z, n), getattr(scipy.special, name)(1.5, z, n), rtol=1e-12)
    np.testing.assert_allclose(derivative(lambda z: gg.real(function(1.5, z)), z), np.real(function(1.5, z, 2)), rtol=1e-12)


@pytest.mark.parametrize("n", [-1, 1.5, None])
def test_the_order_of_a_derivative_is_a_whole_number(n):
    with pytest.raises(ValueError, match="kvp: n is .*, expected a whole number, 0 or more"):
        gg.special.kvp(1.0, np.array([0.5]), n)
