"""gpugrad.nn.activation."""

import numpy as np
import pytest
import scipy.special

from gpugrad import nn
from gpugrad.testing import assert_close

X = np.array([[-2.0, 0.0, 0.5], [1.0, -0.25, 3.0]])
E = np.exp(X)

LAYERS = [
    (nn.ReLU(), np.maximum(X, 0), "ReLU()"),
    (nn.ReLU(inplace=True), np.maximum(X, 0), "ReLU(inplace=True)"),
    (nn.GELU(), X * scipy.special.ndtr(X), "GELU(approximate='none')"),
    (nn.GELU("tanh"), X * (1 + np.tanh(np.sqrt(2 / np.pi) * (X + 0.044715 * X**3))) / 2, "GELU(approximate='tanh')"),
    (nn.SiLU(), X / (1 + np.exp(-X)), "SiLU()"),
    (nn.SiLU(inplace=True), X / (1 + np.exp(-X)), "SiLU(inplace=True)"),
    (nn.Sigmoid(), 1 / (1 + np.exp(-X)), "Sigmoid()"),
    (nn.Tanh(), np.tanh(X), "Tanh()"),
    (nn.Softmax(dim=1), E / E.sum(axis=1, keepdims=True), "Softmax(dim=1)"),
    (nn.LogSoftmax(dim=0), X - np.log(E.sum(axis=0)), "LogSoftmax(dim=0)"),
]


@pytest.mark.parametrize(("layer", "expected", "text"), LAYERS, ids=lambda x: x if isinstance(x, str) else "")
def test_a_layer_is_its_function(layer, expected, text):
    given = X.copy()
    assert_close(layer(given), expected)
    assert np.array_equal(given, X)
    assert repr(layer) == text


def test_the_axis_of_softmax_must_be_named():
    with pytest.raises(TypeError, match="dim"):
        nn.Softmax()


def test_another_approximation_of_gelu_is_refused():
    with pytest.raises(ValueError, match=r"gelu: approximate is 'x', expected 'none' \(the exact function\) or 'tanh'"):
        nn.GELU(approximate="x")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: nn.CELU(0.0), "celu: alpha is 0"),
        (lambda: nn.Hardtanh(2.0, 1.0), "hardtanh: min_val is 2.0 and max_val 1.0"),
        (lambda: nn.RReLU(0.5, 0.1), "rrelu: lower is 0.5 and upper 0.1"),
        (lambda: nn.Softplus(0), "softplus: beta is 0"),
        (lambda: nn.Softshrink(-1.0), "softshrink: lambd is -1.0"),
        (lambda: nn.PReLU(0), "PReLU: num_parameters is 0, expected 1 or more"),
    ],
)
def test_bad_options_are_refused_when_a_layer_is_made(make, text):
    with pytest.raises(ValueError, match=f"^{text}"):
        make()


def test_softmax2d_wants_images():
    with pytest.raises(ValueError, match=r"input \(2, 3\), expected \(N, C, H, W\) or \(C, H, W\)"):
        nn.Softmax2d()(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (nn.LeakyReLU(), "LeakyReLU(negative_slope=0.01)"),
        (nn.ELU(0.5, True), "ELU(alpha=0.5, inplace=True)"),
        (nn.ReLU6(), "ReLU6()"),
        (nn.Hardtanh(), "Hardtanh(min_val=-1.0, max_val=1.0)"),
        (nn.Softplus(), "Softplus(beta=1.0, threshold=20.0)"),
        (nn.Threshold(0.1, 20), "Threshold(threshold=0.1, value=20)"),
        (nn.PReLU(3), "PReLU(num_parameters=3)"),
        (nn.GLU(), "GLU(dim=-1)"),
        (nn.Softsign(), "Softsign()"),
    ],
)
def test_what_a_layer_looks_like_is_as_in_pytorch(layer, text):
    assert repr(layer) == text


def test_prelu_starts_with_its_slope_everywhere():
    assert nn.PReLU(3, 0.1).weight.tolist() == pytest.approx([0.1] * 3)


def test_rrelu_is_random_in_training_only():
    layer, x = nn.RReLU(), -np.ones(100)
    assert len(set(layer(x).tolist())) > 50
    assert set(layer.eval()(x).tolist()) == {-(1 / 8 + 1 / 3) / 2}
