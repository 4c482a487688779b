"""gpugrad.nn.functional.rectifiers: values and derivatives on every backend are in gpugrad/check/records/activation.py."""

import re

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import ConversionError, DTypeError, OptionError, ShapeError
from gpugrad.nn import functional as F

PLAIN = [F.relu6, F.hardtanh, F.hardsigmoid, F.hardswish, F.leaky_relu, F.elu, F.selu, F.celu, F.rrelu]


@pytest.mark.parametrize("function", PLAIN, ids=lambda f: f.__name__)
def test_integers_are_refused_by_name(function):
    with pytest.raises(DTypeError, match=f"^{function.__name__}: got dtype int64, expected real floating-point"):
        function(np.arange(3))


@pytest.mark.parametrize("function", PLAIN, ids=lambda f: f.__name__)
@pytest.mark.parametrize("size", [6, 1500])
def test_large_numbers_of_float16_do_not_overflow(function, size):
    x = gg.tensor(np.resize(np.array([60000, -60000, 300, -300, 0, np.nan], "float16"), size), requires_grad=True)
    with np.errstate(over="raise"):
        y = function(x)
        y.backward(np.ones(size, "float16"))
    assert y.dtype == x.grad.dtype == gg.float16
    assert np.isfinite(y.array[:5].astype(float)).all() or function is F.selu  # whose scale takes 60000 out of the range
    assert np.isfinite(x.grad.array[:5]).all()
    assert np.isnan(y.array[5])


@pytest.mark.parametrize(
    ("function", "at", "slopes"),
    [
        (F.relu6, [0.0, 6.0], [0, 0]),
        (F.hardtanh, [-1.0, 1.0], [0, 0]),
        (F.hardsigmoid, [-3.0, 3.0], [0, 0]),
        (F.hardswish, [-3.0, 3.0], [0, 1]),
        (F.leaky_relu, [0.0, -0.0], [0.01, 0.01]),
        (F.elu, [0.0, -0.0], [1, 1]),
    ],
)
def test_slopes_at_kinks_are_those_of_pytorch(function, at, slopes):
    x = gg.tensor(at, requires_grad=True)
    function(x).backward(gg.ones(2))
    np.testing.assert_allclose(x.grad.numpy(), slopes, rtol=1e-6)


def test_rrelu_draws_slopes_between_its_bounds():
    gg.manual_seed(0)
    y = F.rrelu(np.full(4000, -1.0), 0.2, 0.6, training=True)
    assert y.min() >= -0.6 and y.max() <= -0.2 and abs(y.mean() + 0.4) < 0.01
    assert F.rrelu(np.array([-1.0, 2.0]), 0.2, 0.6).tolist() == [-0.4, 2.0]


def test_options_that_record_are_refused():
    slope = gg.tensor(0.1, requires_grad=True)
    with pytest.raises(ConversionError, match="leaky_relu: an option records, and its gradient would be lost"):
        F.leaky_relu(gg.ones(3), slope)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: F.celu(np.ones(2), 0.0), OptionError, "celu: alpha is 0, expected another number, since x is divided by it"),
        (
            lambda: F.hardtanh(np.ones(2), 1.0, 1.0),
            OptionError,
            "hardtanh: min_val is 1.0 and max_val 1.0, expected min_val < max_val",
        ),
        (lambda: F.rrelu(np.ones(2), 0.5, 0.1), OptionError, "rrelu: lower is 0.5 and upper 0.1, expected lower <= upper"),
        (
            lambda: F.prelu(np.ones((2, 3)), np.ones(2)),
            ShapeError,
            "prelu: weight (2,), expected (1,) or (3,), one slope per channel of input (2, 3)",
        ),
    ],
)
def test_bad_options(call, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        call()


@pytest.mark.parametrize("function", [F.elu, F.hardswish, F.leaky_relu])
def test_one_kernel_each_way(function):
    source = gg.fuse(function).source("c", gg.tensor(np.ones((64, 64)), requires_grad=True))
    assert len([line for line in source.splitlines() if line.startswith("void")]) == 2
