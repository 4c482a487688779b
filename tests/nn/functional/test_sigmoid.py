"""gpugrad.nn.functional.sigmoid: values and derivatives on every backend are in tests/cases/functional.py."""

import numpy as np

from gpugrad.nn import functional as F


def test_is_accurate_in_both_tails_without_overflow():
    x = np.array([-1000.0, -700.0, -40.0, 0.0, 40.0, 1000.0])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = F.sigmoid(x)
    np.testing.assert_allclose(y, [0, np.exp(-700), np.exp(-40), 0.5, 1, 1], rtol=1e-14)


def test_keeps_float32():
    assert F.sigmoid(np.ones(2, np.float32)).dtype == np.float32
