"""gpugrad/ops/special/transforms.py beyond its records: lmbda = 0, boundaries, lengths whose squares overflow."""

import math

import numpy as np
import pytest
from derivatives import derivative

import gpugrad as gg
from gpugrad.special import boxcox, boxcox1p, huber, inv_boxcox, inv_boxcox1p, pseudo_huber


def test_boxcox_in_lmbda_at_zero():
    for order in (1, 2, 3):
        value = math.log(3) ** (order + 1) / (order + 1)
        assert derivative(lambda k: boxcox(3.0, k), 0.0, order) == pytest.approx(value, rel=1e-14)
        assert derivative(lambda k: boxcox1p(2.0, k), 0.0, order) == pytest.approx(value, rel=1e-14)


def test_inverse_in_lmbda_at_zero():
    assert derivative(lambda k: inv_boxcox(0.5, k), 0.0) == pytest.approx(-math.exp(0.5) / 8, rel=1e-14)
    assert derivative(lambda k: inv_boxcox1p(1e-12, k), 0.5) == pytest.approx(-0.5e-24, rel=1e-9)  # nothing is lost near 1


def test_boxcox_at_zero():
    assert derivative(lambda k: boxcox(0.0, k), [0.5, 2.0]) == [4.0, 0.25]
    assert derivative(lambda x: boxcox(x, np.array([0.5, 1.0, 2.0])), np.zeros(3)) == [math.inf, 1.0, 0.0]


def test_the_end_of_the_range_of_the_inverse():
    assert derivative(lambda y: inv_boxcox(y, np.array([0.5, 1.0])), np.array([-2.0, -1.0])) == [0.0, 1.0]


def test_huber():
    assert derivative(lambda r: huber(1.0, r), [-3.0, -0.5, 0.0, 0.5, 3.0]) == [-1.0, -0.5, 0.0, 0.5, 1.0]
    assert derivative(lambda d: huber(d, 3.0), [1.0, 5.0, -1.0]) == [2.0, 0.0, 0.0]
    assert derivative(lambda r: huber(-1.0, r), [0.5]) == [0.0]


def test_pseudo_huber():
    assert derivative(lambda r: pseudo_huber(1.0, r), 0.0, 2) == 1
    assert derivative(lambda r: pseudo_huber(2.0, r), [1e200, -1e200]) == [2.0, -2.0]
    assert derivative(lambda d: pseudo_huber(d, 1e-4), 1.0) == pytest.approx(1e-16 / 4, rel=1e-7)
    gradients = gg.grad(lambda d, r: gg.sum(pseudo_huber(d, r)), argnums=(0, 1))(np.zeros(1), np.zeros(1))
    assert [np.asarray(g).tolist() for g in gradients] == [[0.0], [0.0]]
