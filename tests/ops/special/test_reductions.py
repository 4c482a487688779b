"""logsumexp, and softmax and log_softmax with SciPy's arguments, beyond their records: infinities, weights, signs, empty arrays."""

import math

import numpy as np
import pytest
import scipy.special
from derivatives import derivative

import gpugrad as gg
from gpugrad.errors import ShapeError
from gpugrad.special import log_softmax, logsumexp, softmax

INF = math.inf


def test_infinite_elements():
    assert logsumexp(np.array([-INF, -INF])) == -INF
    assert logsumexp(np.array([INF, 1000.0])) == INF
    assert derivative(logsumexp, [-INF, -INF]) == [0.0, 0.0]
    assert derivative(logsumexp, [INF, 1000.0]) == [1.0, 0.0]
    assert derivative(logsumexp, [-INF, 3.0]) == [0.0, 1.0]
    assert math.isnan(logsumexp(np.array([math.nan, 1.0])))


def test_a_sum_near_one_keeps_its_digits():
    assert logsumexp(np.array([0.0, -50.0])) == pytest.approx(math.exp(-50), rel=1e-14, abs=0)
    assert derivative(logsumexp, [0.0, -50.0]) == pytest.approx([1.0, math.exp(-50)], rel=1e-14, abs=0)


def test_weights_of_zero_do_not_count():
    a, b = np.array([INF, math.nan, 1.0]), np.array([0.0, 0.0, 2.0])
    assert logsumexp(a, b=b) == pytest.approx(1 + math.log(2))
    assert derivative(lambda a: logsumexp(a, b=b), a) == pytest.approx([0.0, 0.0, 1.0])


def test_negative_sums():
    a, b = np.array([0.0, 1.0]), np.array([1.0, -1.0])
    assert math.isnan(logsumexp(a, b=b))
    value, sign = logsumexp(a, b=b, return_sign=True)
    assert (value, sign) == (pytest.approx(math.log(math.e - 1)), -1)
    value, sign = logsumexp(np.zeros(2), b=b, return_sign=True)
    assert (value, sign) == (-INF, 0)


def test_the_sum_of_nothing():
    assert logsumexp(np.zeros(0)) == -INF
    assert logsumexp(np.zeros((2, 0)), axis=1).tolist() == [-INF, -INF]
    assert logsumexp(np.zeros((2, 0)), axis=0, keepdims=True).shape == (1, 0)
    x = gg.tensor(np.zeros((2, 0)), requires_grad=True)
    gg.sum(logsumexp(x, axis=1)).backward()
    assert x.grad.shape == (2, 0)


def test_softmax_over_several_axes():
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    for axis in (None, 1, (0, 2), (2, 0), (-1,), ()):
        np.testing.assert_allclose(softmax(x, axis), scipy.special.softmax(x, axis), rtol=1e-14)
        np.testing.assert_allclose(log_softmax(x, axis), scipy.special.log_softmax(x, axis), rtol=1e-13)
        assert np.abs(derivative(lambda x, axis=axis: softmax(x, axis), x)).max() < 1e-15  # of their sums, which are constant


def test_softmax_of_no_rows() -> None:
    assert softmax(np.zeros((0, 3)), axis=(1,)).shape == log_softmax(np.zeros((0, 3)), 1).shape == (0, 3)


def test_axes_out_of_range():
    for function in (softmax, log_softmax, logsumexp):
        with pytest.raises(ShapeError, match="axis 2"):
            function(np.zeros((2, 3)), axis=2)


def test_numbers():
    assert (logsumexp(3), softmax(3.0), log_softmax(2)) == (3.0, 1.0, 0.0)
