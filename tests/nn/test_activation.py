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
