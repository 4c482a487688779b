"""gpugrad/ops/special/airy.py beyond its records."""

import numpy as np
import pytest
from derivatives import derivative

from gpugrad.special import airy, modstruve, struve


def test_the_equation_of_airy():
    x = np.array([-2.0, 0.0, 1.5])
    for part in ("ai", "bi"):
        value = lambda x, part=part: getattr(airy(x), part)
        assert derivative(value, x, 2) == pytest.approx((x * value(x)).tolist())


def test_struve_at_zero():
    assert derivative(lambda x: struve(0, x), 0.0) == pytest.approx(2 / np.pi)
    assert derivative(lambda x: modstruve(0, x), 0.0) == pytest.approx(2 / np.pi)
