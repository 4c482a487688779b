"""gpugrad/ops/special/entropy.py beyond its records: the boundaries of the domain."""

import math

import numpy as np
import pytest
from derivatives import derivative

import gpugrad as gg
from gpugrad.special import entr, kl_div, rel_entr, xlog1py, xlogy

NAN = pytest.approx(math.nan, nan_ok=True)


def both(function, x, y):
    gradients = gg.grad(lambda x, y: gg.sum(function(x, y)), argnums=(0, 1))(np.array(x), np.array(y))
    return [np.asarray(g).tolist() for g in gradients]


def test_entr():
    assert derivative(entr, [0.0, 1.0, -1.0]) == [math.inf, -1.0, NAN]
    assert derivative(entr, 2.0, 2) == -0.5


def test_relative_entropies_at_zero():
    assert both(rel_entr, [0.0, 0.0], [0.0, 2.0]) == [[-math.inf, -math.inf], [0.0, 0.0]]
    assert both(kl_div, [0.0, 0.0], [0.0, 2.0]) == [[-math.inf, -math.inf], [1.0, 1.0]]


def test_relative_entropies_outside_of_the_domain():
    for function in (rel_entr, kl_div):
        assert both(function, [-1.0, 1.0], [1.0, -1.0]) == [[NAN, NAN], [NAN, NAN]]


def test_relative_entropies_neither_cancel_nor_overflow():
    assert both(kl_div, [1.0], [1 + 1e-9]) == [pytest.approx([-1e-9], rel=1e-6), pytest.approx([1e-9], rel=1e-6)]
    assert both(rel_entr, [1e300], [1e-300]) == [[pytest.approx(600 * math.log(10) + 1)], [-math.inf]]


@pytest.mark.parametrize(("function", "pole"), [(xlogy, 0.0), (xlog1py, -1.0)])
def test_products_at_zero(function, pole):
    assert both(function, [0.0, 0.0], [pole, pole - 1]) == [[0.0, 0.0], [0.0, 0.0]]
    assert both(function, [0.0], [pole + 2]) == [[math.log(2)], [0.0]]
    assert both(function, [2.0], [pole]) == [[-math.inf], [math.inf]]
    mixed = gg.grad(lambda y: gg.sum(gg.grad(lambda x: gg.sum(function(x, y)))(gg.asarray(np.zeros(1)))))
    assert np.asarray(mixed(np.array([pole + 4.0]))).tolist() == [0.25]


def test_a_sum_with_a_probability_of_zero():
    p = np.array([0.0, 0.5, 0.5])
    assert np.asarray(gg.grad(lambda p: gg.sum(xlogy(p, p)))(p)).tolist() == pytest.approx(
        [0.0, 1 + math.log(0.5), 1 + math.log(0.5)]
    )


def test_a_mask_of_where_reaches_through():
    f = lambda x: gg.sum(gg.where(x > 0, entr(x), 0.0))
    assert np.asarray(gg.grad(f)(np.array([-1.0, 0.0, 1.0]))).tolist() == [0, 0, -1]
