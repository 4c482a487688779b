"""gpugrad/ops/special/elliptic.py beyond its records: m = 0, m near 1, whole half turns."""

import math

import numpy as np
import pytest
import scipy.special
from backends import Backend
from derivatives import derivative

import gpugrad as gg
from gpugrad.special import ellipe, ellipeinc, ellipk, ellipkinc, ellipkm1, elliprc, elliprf


def test_at_zero():
    assert [derivative(ellipk, 0.0, n) for n in (1, 2, 3)] == pytest.approx([math.pi * c for c in (1 / 8, 9 / 64, 75 / 256)])
    assert [derivative(ellipe, 0.0, n) for n in (1, 2)] == pytest.approx([-math.pi / 8, -3 * math.pi / 64])


def test_near_one_nothing_is_lost():
    assert derivative(ellipkm1, [1e-20, 1e-200]) == pytest.approx([-0.5e20, -0.5e200], rel=1e-14)
    assert derivative(ellipkm1, 1e-20, 2) == pytest.approx(0.5e40, rel=1e-14)
    assert derivative(ellipk, 1.0) == math.inf
    assert derivative(ellipe, 1.0) == -math.inf


def test_a_large_negative_parameter():
    h = 1.0
    expected = (scipy.special.ellipk(-1e4 + h) - scipy.special.ellipk(-1e4 - h)) / 2
    assert derivative(ellipk, -1e4) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(("incomplete", "complete"), [(ellipkinc, ellipk), (ellipeinc, ellipe)])
def test_half_a_turn_is_twice_the_complete_integral(incomplete, complete):
    m = np.array([0.0, 0.5, -3.0])
    for phi, times in ((math.pi / 2, 1), (math.pi, 2), (-7 * math.pi, -14)):
        found = derivative(lambda m, phi=phi: incomplete(phi, m), m)
        assert found == pytest.approx((times * np.array(derivative(complete, m))).tolist(), rel=1e-13)


def test_incomplete_integrals_at_their_ends():
    expected = (math.tan(0.3) / math.cos(0.3) - math.atanh(math.sin(0.3))) / 4
    assert derivative(lambda m: ellipkinc(0.3, m), 1.0) == pytest.approx(expected, rel=1e-12)
    assert derivative(lambda m: ellipeinc(0.0, m), [0.0, 1.0]) == [0.0, 0.0]


def test_degenerate_symmetric_integral_of_a_principal_value():
    """For y < 0: sqrt(x / (x - y)) elliprc(x - y, -y), DLMF 19.20.6."""
    plainly = lambda x, y: gg.sqrt(x / (x - y)) * elliprc(x - y, -y)
    x, y = np.array([0.3, 2.0, 1e-3]), np.array([-2.5, -0.4, -1.0])
    for order in (1, 2):
        found = derivative(lambda x: elliprc(x, y), x, order), derivative(lambda y: elliprc(x, y), y, order)
        assert found[0] == pytest.approx(derivative(lambda x: plainly(x, y), x, order), rel=1e-10)
        assert found[1] == pytest.approx(derivative(lambda y: plainly(x, y), y, order), rel=1e-10)


def test_symmetric_integral_of_equal_arguments():
    assert derivative(lambda x: elliprf(x, 2.0, 2.0), 2.0) == pytest.approx(-(2**-1.5) / 6)
    assert derivative(lambda x: elliprf(x, x, x), 2.0) == pytest.approx(-(2**-1.5) / 2)


def test_the_complete_integral_on_every_backend(backend: Backend):
    m = np.array([-3.0, 0.0, 0.5, 1.0])
    assert backend.to_numpy(ellipe(backend.asarray(m))).tolist() == pytest.approx(scipy.special.ellipe(m).tolist(), rel=1e-15)
    assert isinstance(ellipe(gg.asarray(backend.asarray(m))), gg.Tensor)
