"""gpugrad/ops/special/spherical.py beyond its records: the derivative as an option, and at 0."""

import numpy as np
import pytest
import scipy.special
from derivatives import derivative

from gpugrad.special import spherical_in, spherical_jn, spherical_kn


def test_the_derivative_is_the_gradient():
    z = np.array([0.5, 2.0])
    for function in (spherical_jn, spherical_in, spherical_kn):
        assert derivative(lambda z, f=function: f(2, z), z) == pytest.approx(function(2, z, True).tolist())
        assert function(2, z, True).tolist() == pytest.approx(getattr(scipy.special, function.__name__)(2, z, True).tolist())


def test_at_zero():
    assert [derivative(lambda z, n=n: spherical_jn(n, z), 0.0) for n in (0, 1, 2)] == pytest.approx([0, 1 / 3, 0])
    assert derivative(lambda z: spherical_jn(2, z), 0.0, 2) == pytest.approx(2 / 15)
    assert derivative(lambda z: spherical_jn(0, z), 0.0, 2) == pytest.approx(-1 / 3)
