"""gpugrad.nn.loss: the modules; what the functions compute is tested in functional/test_loss.py."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.nn import functional as F
from gpugrad.testing import assert_close

X = np.random.default_rng(0).normal(size=(4, 3))
LABELS = np.array([0, 2, 1, 1])
WEIGHT = np.array([1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    "options",
    [{}, {"weight": WEIGHT}, {"ignore_index": 1}, {"reduction": "sum"}, {"weight": WEIGHT, "label_smoothing": 0.1}],
)
def test_cross_entropy_and_nll_pass_their_options_on(options):
    assert_close(nn.CrossEntropyLoss(**options)(X, LABELS), F.cross_entropy(X, LABELS, **options))
    options.pop("label_smoothing", None)
    assert_close(nn.NLLLoss(**options)(X, LABELS), F.nll_loss(X, LABELS, **options))


def test_the_weight_is_a_buffer():
    loss = nn.CrossEntropyLoss(weight=WEIGHT)
    assert list(loss.state_dict()) == ["weight"]
    assert not list(loss.parameters())
    assert loss.float().weight.dtype == gg.float32


def test_mse():
    assert_close(nn.MSELoss(reduction="sum")(X, X + 2), np.array(48.0))
    assert_close(nn.MSELoss()(X, X + 2), np.array(4.0))


@pytest.mark.parametrize("kind", [nn.CrossEntropyLoss, nn.NLLLoss, nn.MSELoss])
def test_the_reduction_is_checked_when_the_loss_is_made(kind):
    with pytest.raises(ValueError, match=f"{kind.__name__}: reduction is 'avg', expected 'mean', 'sum' or 'none'"):
        kind(reduction="avg")
