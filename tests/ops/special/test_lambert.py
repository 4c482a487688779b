"""gpugrad/ops/special/lambert.py beyond its records: 0, the branch point, real loss of a complex result."""

import math

import pytest
from derivatives import derivative

import gpugrad as gg
from gpugrad.special import lambertw, wrightomega


def test_at_zero():
    found = [derivative(lambda z: gg.real(lambertw(z)), 0.0, n) for n in (1, 2, 3)]
    assert found == pytest.approx([1.0, -2.0, 9.0])  # (-n) ** (n - 1)


def test_the_other_real_branch():
    assert derivative(lambda z: gg.real(lambertw(z, -1)), -1e-300) == pytest.approx(1 / (-1e-300 * (1 + 1 / -697.32)), rel=1e-5)


def test_wright_omega():
    assert derivative(wrightomega, 1.0, 2) == pytest.approx(1 / 8)
    assert derivative(wrightomega, [-1000.0, 1e10]) == [0.0, pytest.approx(1.0)]
    assert math.isclose(wrightomega(1.0), 1.0)
