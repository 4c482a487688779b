"""gpugrad.ops.special.beta: values and derivatives on every backend are in gpugrad/check/records/special_beta.py.

Exact values are mpmath's, of 60 digits.
"""

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st

import gpugrad as gg
from gpugrad.errors import GraphError
from gpugrad.ops.special.beta import digamma_rise, log_beta


def slope(function):
    """The derivative of an elementwise function."""
    gradient = gg.grad(lambda x: gg.sum(function(x)))
    return lambda x: gradient(x if isinstance(x, gg.Tensor) else np.asarray(x, float))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (1e10, 1.0, -1e-10),
        (1.0, 1e-10, -1.644934066728021e-10),
        (0.3, 2.5, -4.34307121104955),
        (5.0, 1e6, -12.30939738952239),
        (-1.5, 2.0, 4 - 4 / 3),
    ],
)
def test_derivative_of_betaln_where_digammas_nearly_cancel(a, b, expected):
    assert slope(lambda a: gg.special.betaln(a, b))(a) == pytest.approx(expected, rel=1e-13)
    assert slope(lambda a: gg.special.betaln(b, a))(a) == pytest.approx(expected, rel=1e-13)


@given(st.floats(0.01, 1e4), st.floats(0.01, 50))
def test_digamma_rise_is_the_difference(x, y):
    expected = scipy.special.psi(x + y) - scipy.special.psi(x)
    rounding = 1e-13 * (1 + abs(scipy.special.psi(x)))
    assert abs(float(digamma_rise(np.float64(x), np.float64(y))) - expected) <= rounding
    back = rounding + 4e-16 * (x + y) * scipy.special.polygamma(1, x)  # for (x + y) - y is not quite x
    assert abs(float(digamma_rise(np.float64(x + y), np.float64(-y))) + expected) <= back


@given(st.floats(0.01, 1e4), st.floats(0.01, 1e4))
def test_log_beta_is_betaln(a, b):
    expected = scipy.special.betaln(a, b)
    rounding = 1e-14 * (1 + abs(scipy.special.gammaln(a)) + abs(scipy.special.gammaln(b)) + abs(scipy.special.gammaln(a + b)))
    assert abs(float(log_beta(np.float64(a), np.float64(b))) - expected) <= rounding


def test_derivatives_of_binom_and_poch_at_their_zeros():
    """binom(n, 5) is the polynomial n (n - 1) ... (n - 4) / 120."""
    polynomial = np.poly1d(np.poly([0, 1, 2, 3, 4]) / 120)
    n = np.array([0.0, 1.0, 4.0, 5.0, 2.5])
    first = slope(lambda n: gg.special.binom(n, 5))
    np.testing.assert_allclose(first(n), polynomial.deriv()(n), rtol=1e-12)
    np.testing.assert_allclose(slope(first)(n), polynomial.deriv(2)(n), rtol=1e-10)
    # binom(5, k) is 0 at 6 and -1; sin(pi k) / (pi k) times a polynomial near them.
    np.testing.assert_allclose(
        slope(lambda k: gg.special.binom(5, k))(np.array([6.0, -1.0, 2.5])), [-1 / 6, 1 / 6, 0], atol=1e-14
    )
    # Where gamma(n + 1) overflows: -beta(n + 1, k - n) * cos(pi (k - n)).
    assert slope(lambda n: gg.special.binom(n, 203.0))(200.0) == pytest.approx(scipy.special.beta(201, 3), rel=1e-12)
    rising = np.poly1d(np.poly([0, -1, -2]))  # poch(z, 3)
    z = np.array([0.0, 0.5, 3.0])
    np.testing.assert_allclose(slope(lambda z: gg.special.poch(z, 3))(z), rising.deriv()(z), rtol=1e-13)


@pytest.mark.parametrize(
    ("a", "b", "x", "expected"),
    [
        (0.3, 0.4, 1e-9, 390302.5632277881),
        (9.0, 1e4, 0.001, 1125.5356764016692),
        (1e4, 9.0, 0.999, 1125.5356764016674),
        (11.0, 12.0, 0.4, 2.9519670735170305),
        (300.0, 1e4, 0.03, 204.07766419579596),
        (1e6, 2e6, 1 / 3, 1465.8073931997008),
        (1e-3, 20.0, 0.25, 1.694971318395274e-05),
    ],
)
def test_density_of_the_beta_distribution(a, b, x, expected):
    assert slope(lambda x: gg.special.betainc(a, b, x))(x) == pytest.approx(expected, rel=1e-12)
    assert slope(lambda x: gg.special.betaincc(a, b, x))(x) == pytest.approx(-expected, rel=1e-12)


def test_densities_at_the_ends():
    a, b = np.array([0.5, 1, 2, 30, 3, 30, 1]), np.array([0.5, 1, 2, 30, 1, 30, 2])
    ends = slope(lambda x: gg.special.betainc(a, b, x))
    np.testing.assert_allclose(ends(np.zeros(7)), [np.inf, 1, 0, 0, 0, 0, 2])
    np.testing.assert_allclose(ends(np.ones(7)), [np.inf, 1, 0, 0, 3, 0, 0])


@pytest.mark.parametrize("name", ["betainc", "betaincc", "betaincinv", "betainccinv"])
@pytest.mark.parametrize("operand", ["a", "b"])
def test_the_derivatives_in_the_shapes_are_refused(name, operand):
    function = getattr(gg.special, name)
    with pytest.raises(GraphError, match=f"{name}: it has no derivative with respect to {operand}"):
        gg.grad(lambda s: function(s, 2.0, 0.5) if operand == "a" else function(2.0, s, 0.5))(3.0)
