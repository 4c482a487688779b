"""gpugrad.ops.special.distributions: values and derivatives on every backend are in gpugrad/check/records/special_distributions.py.

Here the derivatives are held to the densities of scipy.stats, far from the middle too.
"""

import numpy as np
import pytest
import scipy.stats

import gpugrad as gg
from gpugrad.errors import GraphError


def slope(function, x):
    return gg.grad(lambda x: gg.sum(function(x)))(x)


X = np.array([1e-3, 0.5, 2.0, 40.0])
P = np.array([1e-6, 0.3, 0.9999])
DENSITIES = {
    "stdtr": ((3.5,), scipy.stats.t(3.5).pdf),
    "chdtr": ((7,), scipy.stats.chi2(7).pdf),
    "fdtr": ((3, 200.0), scipy.stats.f(3, 200).pdf),
    "gdtr": ((2.0, 30.0), scipy.stats.gamma(30, scale=0.5).pdf),
}


@pytest.mark.parametrize("name", DENSITIES)
def test_derivatives_are_densities(name):
    parameters, density = DENSITIES[name]
    np.testing.assert_allclose(slope(lambda x: getattr(gg.special, name)(*parameters, x), X), density(X), rtol=1e-11)


@pytest.mark.parametrize("name", ["chdtr", "fdtr", "gdtr"])
def test_derivatives_of_the_upper_tail_are_minus_the_densities(name):
    parameters, density = DENSITIES[name]
    np.testing.assert_allclose(slope(lambda x: getattr(gg.special, name + "c")(*parameters, x), X), -density(X), rtol=1e-11)


@pytest.mark.parametrize(("name", "inverse", "sign"), [
    ("stdtr", "stdtrit", 1), ("chdtr", "chdtri", -1), ("fdtr", "fdtri", 1), ("gdtr", "gdtrix", 1),
])  # fmt: skip
def test_derivatives_of_inverses_are_one_over_the_densities(name, inverse, sign):
    parameters, density = DENSITIES[name]
    found = slope(lambda p: getattr(gg.special, inverse)(*parameters, p), P)
    np.testing.assert_allclose(found, sign / density(getattr(scipy.special, inverse)(*parameters, P)), rtol=1e-10)


def test_discrete_distributions_differ_by_one_outcome():
    """The derivative in p of at most k of n is -n times the probability of k of n - 1."""
    p = np.array([0.05, 0.5, 0.95])
    binomial = -20 * scipy.stats.binom(19, p).pmf(7)
    np.testing.assert_allclose(slope(lambda p: gg.special.bdtr(7.9, 20, p), p), binomial, rtol=1e-11)
    np.testing.assert_allclose(slope(lambda p: gg.special.bdtrc(7, 20, p), p), -binomial, rtol=1e-11)
    np.testing.assert_allclose(slope(lambda m: gg.special.pdtr(7, m), 10 * p), -scipy.stats.poisson(10 * p).pmf(7), rtol=1e-11)
    negative = (3 + 1) / (p * (1 - p)) * scipy.stats.nbinom(7, p).pmf(4)
    np.testing.assert_allclose(slope(lambda p: gg.special.nbdtr(3, 7, p), p), negative, rtol=1e-11)


def test_all_outcomes_are_certain():
    p = np.array([0.25, 0.5])
    assert slope(lambda p: gg.special.bdtr(5, 5, p), p).tolist() == [0, 0]


@pytest.mark.parametrize("name", ["stdtr", "stdtrit", "chdtr", "chdtrc", "chdtri"])
def test_derivatives_in_degrees_of_freedom_are_refused(name):
    with pytest.raises(GraphError, match=f"{name}: it has no derivative with respect to (df|v)"):
        gg.grad(lambda v: getattr(gg.special, name)(v, 0.5))(3.0)
