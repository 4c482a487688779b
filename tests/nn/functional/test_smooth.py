"""gpugrad.nn.functional.smooth: values and derivatives on every backend are in gpugrad/check/records/activation.py."""

import re

import numpy as np
import pytest
import scipy.special
from precision import error

import gpugrad as gg
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.nn import functional as F

FUNCTIONS = [F.softplus, F.logsigmoid, F.mish, F.softsign, F.tanhshrink, F.softshrink, F.hardshrink]
TAILS = np.array([1e4, -1e4, 300, -300, 20, -20, 0.0, 1e-3])


def tanh_softplus(x):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e * (e + 2) / (e * (e + 2) + 2), (1 + 2 * e) / (1 + 2 * e + 2 * e * e))


EXACT = [
    (F.softplus, lambda x: np.where(x > 20, x, np.logaddexp(0, x)), lambda x: np.where(x > 20, 1, scipy.special.expit(x))),
    (F.logsigmoid, scipy.special.log_expit, lambda x: scipy.special.expit(-x)),
    (
        F.mish,
        lambda x: x * tanh_softplus(x),
        lambda x: tanh_softplus(x) + x * (1 - tanh_softplus(x) ** 2) * scipy.special.expit(x),
    ),
]


@pytest.mark.parametrize(("function", "value", "slope"), EXACT, ids=[f.__name__ for f, _, _ in EXACT])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("size", [8, 2000])
def test_tails_are_accurate(function, value, slope, dtype, size):
    x = gg.tensor(np.resize(TAILS, size).astype(dtype), requires_grad=True)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = function(x)
        y.backward(np.ones(size, dtype))
    exact = x.array.astype("float64")
    smallest = np.finfo(dtype).smallest_normal / np.finfo(dtype).eps  # below, numbers have fewer digits
    assert y.dtype == x.grad.dtype == dtype
    assert error(y.array, value(exact), np.maximum(np.abs(value(exact)), smallest)) < 8
    assert error(x.grad.array, slope(exact), np.maximum(np.abs(slope(exact)), 1e-3)) < 16


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_nan_propagates_and_integers_are_refused(function):
    assert np.isnan(function(np.array([np.nan, np.nan]))).all() and np.isnan(function(np.full(2000, np.nan))).all()
    with pytest.raises(DTypeError, match=f"^{function.__name__}: got dtype int64, expected real floating-point"):
        function(np.arange(3))


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (
            lambda: F.softplus(np.ones(2), 0),
            OptionError,
            "softplus: beta is 0, expected another number, since the result is divided by it",
        ),
        (lambda: F.softshrink(np.ones(2), -0.5), OptionError, "softshrink: lambd is -0.5, expected 0 or more"),
        (
            lambda: F.glu(np.ones((2, 3))),
            ShapeError,
            "glu: input (2, 3), expected an even number of elements along axis -1, which is cut into halves",
        ),
        (lambda: F.gumbel_softmax(np.ones(3), 0.0), OptionError, "gumbel_softmax: tau is 0.0, expected a positive number"),
    ],
)
def test_bad_options(call, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        call()


def test_another_axis_of_glu():
    with pytest.raises(IndexError, match="glu"):
        F.glu(np.ones((2, 4)), 2)


@pytest.mark.parametrize("function", [F.softplus, F.mish, F.logsigmoid, F.glu])
def test_one_kernel_each_way(function):
    source = gg.fuse(function).source("c", gg.tensor(np.ones((64, 64)), requires_grad=True))
    assert len([line for line in source.splitlines() if line.startswith("void")]) == 2
