"""gpugrad.nn.functional.softmax, log_softmax: values and derivatives on every backend are in gpugrad/check/records/functional.py."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import DTypeError, ShapeError
from gpugrad.nn import functional as F
from gpugrad.testing import assert_close

BOTH = pytest.mark.parametrize("function", [F.softmax, F.log_softmax], ids=["softmax", "log_softmax"])


def test_large_numbers_do_not_overflow():
    x = np.array([1000.0, 1001.0, -1000.0])
    with np.errstate(over="raise", invalid="raise"):
        assert_close(F.softmax(x, 0), np.array([1 / (1 + np.e), np.e / (1 + np.e), 0.0]))
        assert_close(F.log_softmax(x, 0), np.array([-np.log(1 + np.e), 1 - np.log(1 + np.e), -2001 - np.log1p(np.exp(-1.0))]))


def test_masked_positions_get_no_probability_and_no_gradient():
    x = gg.tensor(np.array([[1.0, -np.inf, 1.0]]), requires_grad=True)
    y = F.softmax(x, 1)
    assert y.tolist() == [[0.5, 0.0, 0.5]]
    y[0, 0].backward()
    assert x.grad.tolist() == [[0.25, 0.0, -0.25]]


@BOTH
def test_rows_sum_up_to_one(function):
    x = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    for dim in (0, 1, 2, -1):
        y = function(x, dim)
        assert y.dtype == np.float32
        assert_close(np.sum(y if function is F.softmax else np.exp(y), axis=dim), np.ones(np.delete(x.shape, dim), np.float32))


@BOTH
def test_dtype_casts_first(function):
    x = gg.tensor(np.array([1, 2, 3]))
    assert_close(function(x, 0, dtype=gg.float64), function(np.array([1.0, 2.0, 3.0]), 0))
    y = gg.tensor([1.0, 2.0], requires_grad=True)
    function(y, 0, dtype=gg.float64)[0].backward()
    assert y.grad.dtype == gg.float32


@BOTH
def test_integers_are_refused(function):
    name = function.__name__
    with pytest.raises(
        DTypeError, match=rf"{name}: got dtype int64, expected real floating-point; convert it with .astype\(gg.float32\)"
    ):
        function(np.arange(3), 0)


@BOTH
@pytest.mark.parametrize(("shape", "dim"), [((2, 3), 2), ((2, 3), -3), ((2, 0), 1)])
def test_axes_out_of_range_or_empty(function, shape, dim):
    with pytest.raises(ShapeError, match=rf"softmax: got float64 \({shape[0]}, {shape[1]}\), dim={dim}: "):
        function(np.ones(shape), dim)
