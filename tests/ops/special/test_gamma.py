"""gpugrad.ops.special.gamma: values and derivatives on every backend are in gpugrad/check/records/special_gamma.py.

Exact values are mpmath's, of 60 digits.
"""

import numpy as np
import pytest
import scipy.special
from backends import Backend

import gpugrad as gg
from gpugrad.errors import DTypeError, GraphError
from gpugrad.ops.special.gamma import poisson, sin_cos_pi


def slope(function, order=1):
    """The derivative of an elementwise function."""
    for _ in range(order):
        function = gg.grad(lambda x, f=function: gg.sum(f(x)))
    return lambda x: function(np.asarray(x, float))


def test_sine_and_cosine_of_half_turns_are_exact_and_near_them_precise():
    sine, cosine = sin_cos_pi(np.array([-3.0, -1.0, 0.0, 0.5, 1.0, 2.0, 1e15]))
    assert (sine.tolist(), cosine.tolist()[:3]) == ([0, 0, 0, 1, 0, 0, 0], [-1, -1, 1])
    near = np.array([1.0, -3.0, 2.0]) + 2.0**-40
    np.testing.assert_allclose(sin_cos_pi(near)[0], np.array([-1, -1, 1]) * np.pi * 2.0**-40, rtol=1e-15)


def test_derivatives_of_rgamma_at_its_zeros():
    x, first, second = np.array(
        [
            (-3.0, -6.0, 15.073412021181605),
            (-1.0, -1.0, 0.8455686701969343),
            (0.0, 1.0, 1.1544313298030657),
            (-4.5, 26.8427832520143, 117.87217387985605),
            (2.5, -0.5289515363393055, 0.003062801085014606),
        ]
    ).T
    np.testing.assert_allclose(slope(gg.special.rgamma)(x), first, rtol=1e-13)
    np.testing.assert_allclose(slope(gg.special.rgamma, 2)(x), second, rtol=1e-11)


def test_derivatives_of_digamma_far_to_both_sides():
    x, first, second = np.array(
        [
            (-30.3, 15.04694902139554, 68.83648985150253),
            (-0.5, 8.934802200544679, -0.82879664423432),
            (0.01, 10001.621213528313, -2000002.340398677),
            (1e6, 1.0000005000001667e-06, -1.0000010000005e-12),
        ]
    ).T
    np.testing.assert_allclose(slope(gg.special.digamma)(x), first, rtol=1e-13)
    np.testing.assert_allclose(slope(gg.special.digamma, 2)(x), second, rtol=1e-13)


def test_derivative_of_digamma_does_not_step_along_the_line():
    """A sum from x to 0 would have a thousand million terms."""
    x = -1e9 - 0.5
    assert slope(gg.special.digamma)(x) == pytest.approx(np.pi**2, rel=1e-6)


@pytest.mark.parametrize(
    ("z", "expected"),
    [
        (0.3 + 0.5j, -0.4941800273141334 - 3.075591042677843j),
        (-7.2 + 0.001j, 28.435278457105305 + 0.24701863580267625j),
        (30 + 10j, 0.030403000039526736 - 0.010304332280584505j),
        (-3 + 80j, -0.0005458514752695392 - 0.012476280835479081j),
        (-2.5 - 250j, -4.799328090484278e-05 + 0.003999429411688852j),
    ],
)
def test_derivative_of_digamma_at_complex_numbers(z, expected):
    gradient = gg.grad(lambda z: gg.sum(gg.real(gg.special.digamma(z))))(np.array([z]))  # the conjugate of the derivative
    np.testing.assert_allclose(gradient, [np.conj(expected)], rtol=1e-12)


def test_derivatives_of_gamma_at_poles_are_not_finite():
    assert not np.isfinite(slope(gg.special.gamma)(np.array([0.0, -1.0, -2.0]))).any()
    assert slope(gg.special.gamma)(np.array([-190.5])).tolist() == [0]  # where gamma underflows


@pytest.mark.parametrize("name", ["digamma", "rgamma"])
def test_derivatives_at_complex_numbers_of_single_precision_far_from_the_real_line(name):
    function = getattr(gg.special, name)
    twice = gg.grad(lambda z: gg.sum(gg.real(gg.grad(lambda z: gg.sum(gg.real(function(z))))(z))))
    z = np.array([-3.5 + 28.5j, 0.2 - 40j])
    np.testing.assert_allclose(twice(z.astype("complex64")), twice(z), rtol=1e-4)


@pytest.mark.parametrize("n", [0, 1, 4])
def test_polygamma_of_every_kind_of_order(n, backend: Backend):
    x = np.array([0.5, 1.5, 4.0])
    expected = scipy.special.polygamma(n, x)
    for order in (n, np.int64(n), backend.asarray(np.array(n)), backend.asarray(np.array([float(n)]))):
        out = gg.special.polygamma(order, backend.asarray(x))
        np.testing.assert_allclose(backend.to_numpy(out), expected, rtol=1e-14)
    assert gg.special.polygamma(n, backend.asarray(x.astype("float32"))).dtype == backend.asarray(x.astype("float32")).dtype
    assert gg.special.polygamma(n, 0.5) == pytest.approx(expected[0])
    assert type(gg.special.polygamma(n, 0.5)) is float


def test_polygamma_of_complex_numbers_is_refused():
    with pytest.raises(DTypeError, match="polygamma: got complex128, expected real"):
        gg.special.polygamma(1, np.array([1j]))


def test_multigammaln_where_it_is_not_defined_is_nan(backend: Backend):
    a = backend.asarray(np.array([0.5, 1.0, 1.5, 9.0]))
    out = backend.to_numpy(gg.special.multigammaln(a, 3))
    assert np.isnan(out[:2]).all()
    np.testing.assert_allclose(out[2:], scipy.special.multigammaln(np.array([1.5, 9.0]), 3), rtol=1e-14)
    assert gg.special.multigammaln(5, 2) == pytest.approx(float(scipy.special.multigammaln(5, 2)))


@pytest.mark.parametrize("d", [0, -1, 1.5, True])
def test_multigammaln_refuses_other_dimensions(d):
    with pytest.raises(ValueError, match=f"multigammaln: d is {d}, expected a positive integer"):
        gg.special.multigammaln(np.array([5.0]), d)


@pytest.mark.parametrize(
    ("a", "x", "first", "second"),
    [
        (0.3, 1e-9, 666961.8254452846, -466873278478661.0),
        (9.9, 12.0, 0.08530598002773632, -0.02203737817383188),
        (10.1, 12.0, 0.08937840099845193, -0.02159978024129255),
        (300.0, 250.0, 0.0002522088535943722, 4.943293530449695e-05),
        (1e6, 1000500.0, 0.0003519040096146755, -1.7621580091649416e-07),
        (1e10, 1e10, 3.989422803981082e-06, -3.9894228039810814e-16),
    ],
)
def test_density_of_the_gamma_distribution(a, x, first, second):
    """exp((a - 1) log(x) - x - gammaln(a)) would lose ten digits."""
    lower = lambda x: gg.special.gammainc(a, x)
    assert slope(lower)(x) == pytest.approx(first, rel=1e-12)
    assert slope(lower, 2)(x) == pytest.approx(second, rel=1e-9)
    assert slope(lambda x: gg.special.gammaincc(a, x))(x) == pytest.approx(-first, rel=1e-12)
    inverse = slope(lambda y: gg.special.gammaincinv(a, y))(float(scipy.special.gammainc(a, x)))
    assert inverse == pytest.approx(1 / first, rel=1e-6)  # as far as SciPy's value is the inverse


def test_densities_at_the_ends():
    a = np.array([0.5, 1.0, 2.0, 30.0])
    ends = slope(lambda x: gg.special.gammainc(a, x))
    assert ends(np.zeros(4)).tolist() == [np.inf, 1, 0, 0]
    assert ends(np.full(4, np.inf)).tolist() == ends(np.full(4, 1e5)).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_poisson_stays_finite(dtype):
    k, m = np.array([0, 5.5, 8.9, 9.1, 500], dtype), np.array([[0], [1e-30], [80], [1e4], [1e30]], dtype)
    with np.errstate(all="ignore"):  # as in the sweep
        out = poisson(k, m)
    assert out.dtype == dtype and np.isfinite(out).all()
    assert out[0].tolist() == [1, 0, 0, 0, 0]


@pytest.mark.parametrize("name", ["gammainc", "gammaincc", "gammaincinv", "gammainccinv"])
def test_the_derivative_in_the_shape_is_refused(name):
    with pytest.raises(GraphError, match=f"{name}: it has no derivative with respect to a"):
        slope(lambda a: getattr(gg.special, name)(a, 0.5))(2.0)
