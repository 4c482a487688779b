"""gpugrad.nn.functional.sigmoid: values and derivatives on every backend are in gpugrad/check/records/functional.py."""

import numpy as np

import gpugrad as gg
from gpugrad.nn import functional as F


def test_is_accurate_in_both_tails_without_overflow():
    x = np.array([-1000.0, -700.0, -40.0, 0.0, 40.0, 1000.0])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = F.sigmoid(x)
    np.testing.assert_allclose(y, [0, np.exp(-700), np.exp(-40), 0.5, 1, 1], rtol=1e-14)


def test_keeps_float32():
    assert F.sigmoid(np.ones(2, np.float32)).dtype == np.float32


def test_a_mask_of_where_reaches_through():
    found = gg.grad(lambda x: gg.sum(gg.where(x > 0, F.sigmoid(gg.sqrt(x)), 0.0)))(np.array([0.0, 4.0]))
    np.testing.assert_allclose(found, [0.0, np.exp(-2) / (1 + np.exp(-2)) ** 2 / 4], rtol=1e-14)
