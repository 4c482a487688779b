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


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: nn.HuberLoss(delta=0.0), "huber_loss: delta is 0.0"),
        (lambda: nn.SmoothL1Loss(beta=-1.0), "smooth_l1_loss: beta is -1.0"),
        (lambda: nn.CrossEntropyLoss(label_smoothing=2.0), "cross_entropy: label_smoothing is 2.0"),
        (lambda: nn.MultiMarginLoss(p=3), "multi_margin_loss: p is 3"),
        (lambda: nn.GaussianNLLLoss(eps=0.0), "GaussianNLLLoss: eps is 0.0"),
        (lambda: nn.TripletMarginLoss(margin=-1.0), "TripletMarginLoss: margin is -1.0"),
        (
            lambda: nn.TripletMarginWithDistanceLoss(distance_function=3),
            "TripletMarginWithDistanceLoss: distance_function is 3",
        ),
        (lambda: nn.CTCLoss(blank=-1), "ctc_loss: blank is -1"),
        (lambda: nn.FocalLoss(gamma=-1.0), "sigmoid_focal_loss: gamma is -1.0"),
        (lambda: nn.DiceLoss(-1.0), "dice_loss: smooth is -1.0"),
        (lambda: nn.L1Loss(reduction="batchmean"), "L1Loss: reduction is 'batchmean', expected 'mean', 'sum' or 'none'"),
        (lambda: nn.KLDivLoss(reduction="avg"), "KLDivLoss: reduction is 'avg', expected 'mean', 'sum', 'none' or 'batchmean'"),
    ],
)
def test_bad_options_are_refused_when_a_loss_is_made(make, text):
    with pytest.raises(ValueError, match=f"^{text}"):
        make()


def test_what_a_loss_looks_like():
    assert repr(nn.HuberLoss(delta=0.5)) == "HuberLoss(delta=0.5, reduction='mean')"
    assert repr(nn.BCEWithLogitsLoss(pos_weight=WEIGHT)) == "BCEWithLogitsLoss(reduction='mean')"


def test_all_weights_are_buffers():
    assert list(nn.BCEWithLogitsLoss(WEIGHT, pos_weight=WEIGHT).state_dict()) == ["weight", "pos_weight"]
    assert list(nn.MultiMarginLoss(weight=WEIGHT).state_dict()) == ["weight"]
