"""gpugrad/ops/special/logistic.py beyond its records: the tails."""

import math

import numpy as np
import pytest
from derivatives import derivative

from gpugrad.special import expit, log_expit, logit, softplus


def test_tails_keep_their_digits():
    tails = [math.exp(-40), math.exp(-700)]
    assert derivative(expit, [40.0, 700.0]) == pytest.approx(tails, rel=1e-13, abs=0)
    assert derivative(log_expit, [40.0, 700.0]) == pytest.approx(tails, rel=1e-13, abs=0)
    assert derivative(softplus, [-40.0, -700.0]) == pytest.approx(tails, rel=1e-13, abs=0)
    assert derivative(expit, [40.0, -40.0], 2) == pytest.approx([-tails[0], tails[0]], rel=1e-13, abs=0)


def test_infinities():
    assert derivative(expit, [math.inf, -math.inf]) == [0.0, 0.0]
    assert derivative(softplus, [math.inf, -math.inf]) == [1.0, 0.0]
    assert [derivative(logit, 0.0), derivative(logit, 1.0)] == [math.inf, math.inf]


def test_softplus_of_integers():
    assert softplus(np.array([-128, 0], "int8")).tolist() == pytest.approx([math.exp(-128), math.log(2)], rel=1e-14, abs=0)
    assert softplus(np.array([True])).tolist() == pytest.approx([math.log(1 + math.e)])
