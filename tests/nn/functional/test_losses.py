"""Losses of gpugrad.nn.functional: what they refuse; values and derivatives are in gpugrad/check/records/losses.py."""

import re

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import DTypeError, IndexingError, OptionError, ShapeError
from gpugrad.nn import functional as F

TWO = [
    F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss, F.binary_cross_entropy, F.binary_cross_entropy_with_logits, F.kl_div,
    F.poisson_nll_loss, F.soft_margin_loss, F.multilabel_soft_margin_loss, F.hinge_embedding_loss, F.dice_loss,
]  # fmt: skip
NAMES = {"ids": lambda f: f.__name__}
HALF = np.full((3, 2), 0.5)


@pytest.mark.parametrize("function", TWO, **NAMES)
def test_nothing_is_broadcast(function):
    text = f"{function.__name__}: got input (3, 1) and target (3,), expected equal shapes; reshape or broadcast one first"
    with pytest.raises(ShapeError, match=f"^{re.escape(text)}$"):
        function(HALF[:, :1], HALF[:, 0])


@pytest.mark.parametrize("function", TWO, **NAMES)
def test_the_mean_of_nothing_and_other_reductions(function):
    name = function.__name__
    with pytest.raises(ShapeError, match=rf"^{name}: the input of shape \(0, 2\) is empty and has no mean"):
        function(HALF[:0], HALF[:0])
    assert function(HALF[:0], HALF[:0], reduction="sum") == 0
    with pytest.raises(OptionError, match=f"^{name}: reduction is 'avg', expected 'mean', 'sum'"):
        function(HALF, HALF, reduction="avg")


@pytest.mark.parametrize("function", [f for f in TWO if f is not F.mse_loss], **NAMES)
def test_integers_are_targets_and_not_inputs(function):
    found = function(HALF.astype("float32"), np.ones((3, 2), int))
    assert found.dtype == np.float32 and found == function(HALF.astype("float32"), np.ones((3, 2), "float32"))
    with pytest.raises(DTypeError, match=f"^{function.__name__}: got dtype int64, expected real floating-point"):
        function(np.ones((3, 2), int), HALF)
    with pytest.raises(DTypeError, match=f"^{function.__name__}: target is list, expected a Tensor or an array$"):
        function(HALF, HALF.tolist())


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: F.smooth_l1_loss(HALF, HALF, beta=-1.0), OptionError, "smooth_l1_loss: beta is -1.0, expected 0 or more"),
        (lambda: F.huber_loss(HALF, HALF, delta=0.0), OptionError, "huber_loss: delta is 0.0, expected a positive number"),
        (
            lambda: F.binary_cross_entropy(HALF * 4, HALF),
            OptionError,
            "binary_cross_entropy: input has elements outside of [0, 1], expected probabilities; for logits there is "
            "binary_cross_entropy_with_logits",
        ),
        (
            lambda: F.binary_cross_entropy(HALF, HALF * 4),
            OptionError,
            "binary_cross_entropy: target has elements outside of [0, 1], expected probabilities",
        ),
        (
            lambda: F.binary_cross_entropy_with_logits(HALF, HALF, pos_weight=np.ones(3)),
            ShapeError,
            "binary_cross_entropy_with_logits: got pos_weight (3,), expected a shape that broadcasts to that of the input, (3, 2)",
        ),
        (
            lambda: F.poisson_nll_loss(HALF, HALF, eps=0.0),
            OptionError,
            "poisson_nll_loss: eps is 0.0, expected a positive number",
        ),
        (
            lambda: F.gaussian_nll_loss(HALF, HALF, -HALF),
            OptionError,
            "gaussian_nll_loss: var has negative elements, expected variances",
        ),
        (
            lambda: F.gaussian_nll_loss(HALF, HALF, np.ones(2)),
            ShapeError,
            "gaussian_nll_loss: got var (2,), expected the shape of the input, (3, 2), or one number for each row, (3,)",
        ),
        (
            lambda: F.cosine_embedding_loss(HALF, HALF, np.ones((3, 2))),
            ShapeError,
            "cosine_embedding_loss: got inputs (3, 2) and target (3, 2), expected (N, D) and (N,), or (D,) and ()",
        ),
        (
            lambda: F.cosine_embedding_loss(HALF, HALF, np.array([0, 1, -1])),
            OptionError,
            "cosine_embedding_loss: target has elements other than 1 and -1, expected labels 1 (alike) and -1 (not); of labels 1 and 0 "
            "make them by 2 * target - 1",
        ),
        (
            lambda: F.hinge_embedding_loss(HALF[:, 0], np.array([1.0, 0.5, -1.0])),
            OptionError,
            "hinge_embedding_loss: target has elements other than 1 and -1, expected labels 1 (alike) and -1 (not); of labels 1 and 0 "
            "make them by 2 * target - 1",
        ),
        (
            lambda: F.triplet_margin_loss(HALF, HALF, HALF, 0.0),
            OptionError,
            "triplet_margin_loss: margin is 0.0, expected a positive number",
        ),
        (
            lambda: F.triplet_margin_loss(HALF, HALF, HALF[:1]),
            ShapeError,
            "triplet_margin_loss: got input (3, 2) and negative (1, 2), expected equal shapes; reshape or broadcast one first",
        ),
        (lambda: F.multi_margin_loss(HALF, np.zeros(3, int), 3), OptionError, "multi_margin_loss: p is 3, expected 1 or 2"),
        (
            lambda: F.multi_margin_loss(HALF, np.array([0, 2, 1])),
            IndexingError,
            "multi_margin_loss: label 2 is out of range for 2 classes, expected 0 to 1",
        ),
        (
            lambda: F.multi_margin_loss(HALF, np.zeros(3, int), weight=np.ones(3)),
            ShapeError,
            "multi_margin_loss: got weight (3,), expected (2,), one per class of input (3, 2)",
        ),
        (
            lambda: F.multilabel_margin_loss(HALF, np.array([[0, -1], [1, 2], [0, 0]])),
            IndexingError,
            "multilabel_margin_loss: label 2 is out of range for 2 classes, expected 0 to 1 (or ignore_index=-1)",
        ),
        (
            lambda: F.multilabel_margin_loss(HALF, HALF),
            DTypeError,
            "multilabel_margin_loss: got labels of dtype float64, expected integers; convert them with .astype(gg.int64)",
        ),
        (
            lambda: F.sigmoid_focal_loss(HALF, HALF, 1.5),
            OptionError,
            "sigmoid_focal_loss: alpha is 1.5, expected 0 to 1, or a negative number for no weights",
        ),
        (
            lambda: F.sigmoid_focal_loss(HALF, HALF, gamma=-1.0),
            OptionError,
            "sigmoid_focal_loss: gamma is -1.0, expected 0 or more",
        ),
        (lambda: F.dice_loss(HALF, HALF, -1.0), OptionError, "dice_loss: smooth is -1.0, expected 0 or more"),
        (
            lambda: F.cosine_similarity(HALF, np.ones(3)),
            ShapeError,
            "cosine_similarity: got x1 (3, 2) and x2 (3,), which do not broadcast",
        ),
        (
            lambda: F.one_hot(np.array([0, 3]), 3),
            IndexingError,
            "one_hot: label 3 is out of range for 3 classes, expected 0 to 2",
        ),
        (
            lambda: F.one_hot(np.array([0, 3]), 0),
            OptionError,
            "one_hot: num_classes is 0, expected 1 or more, or -1 for the largest label plus one",
        ),
        (lambda: F.one_hot(np.zeros(0, int)), ShapeError, "one_hot: labels of shape (0,) have no largest; give num_classes"),
        (
            lambda: F.one_hot(np.ones(3)),
            DTypeError,
            "one_hot: got labels of dtype float64, expected integers; convert them with .astype(gg.int64)",
        ),
        (
            lambda: F.kl_div(np.float64(1), np.float64(1), reduction="batchmean"),
            ShapeError,
            "kl_div: the input of shape () is no batch that has a mean; use reduction='sum'",
        ),
    ],
)
def test_bad_operands(call, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        call()


@pytest.mark.parametrize("size", [4, 2000])
def test_binary_cross_entropy_of_certainty_is_finite(size):
    """As in PyTorch: 100 where the answer is wrong, and a gradient of 1e12."""
    p = gg.tensor(np.resize([0.0, 1.0, 1.0, 0.0], size), requires_grad=True)
    with np.errstate(divide="ignore"):
        loss = F.binary_cross_entropy(p, np.resize([0.0, 1.0, 0.0, 1.0], size), reduction="none")
        loss.backward(np.ones(size))
    assert loss.detach().numpy()[:4].tolist() == [0.0, 0.0, 100.0, 100.0]
    assert p.grad.numpy()[:4].tolist() == [0.0, 0.0, 1e12, -1e12]


@pytest.mark.parametrize("size", [4, 2000])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_logits_of_any_size(dtype, size):
    x = gg.tensor(np.resize([1e4, -1e4, 1e4, -1e4], size).astype(dtype), requires_grad=True)
    with np.errstate(over="raise", invalid="raise"):
        loss = F.binary_cross_entropy_with_logits(x, np.resize([1, 0, 0, 1], size), reduction="none")
        loss.backward(np.ones(size, dtype))
    assert loss.dtype == dtype and loss.detach().numpy()[:4].astype(float).tolist() == [0, 0, 1e4, 1e4]
    assert x.grad.numpy()[:4].tolist() == [0, 0, 1, -1]


def test_sums_of_float16_are_computed_in_float32():
    x, zero = np.full(5000, 60.0, "float16"), np.zeros(5000, "float16")
    assert F.l1_loss(x, zero) == 60
    assert F.smooth_l1_loss(x[:3], zero[:3], reduction="sum") == 178.5
    assert F.poisson_nll_loss(np.full(5000, 9.0, "float16"), zero) == np.float16(np.exp(9))


def test_variances_below_eps_are_held_there():
    var = gg.tensor([0.0, 1.0], requires_grad=True)
    loss = F.gaussian_nll_loss(np.array([1.0, 1.0], "float32"), np.zeros(2, "float32"), var, eps=0.5, reduction="none")
    loss.backward(np.ones(2, "float32"))
    np.testing.assert_allclose(loss.detach().numpy(), [(np.log(0.5) + 2) / 2, 0.5], rtol=1e-6)
    np.testing.assert_allclose(var.grad.numpy(), [-1.0, 0.0], atol=1e-6)


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool"])
def test_the_squared_error_of_an_integer_target_has_the_dtype_of_the_input(dtype):
    loss = F.mse_loss(np.full(2, 0.5, "float32"), np.array([1, 0], dtype))
    assert loss.dtype == np.float32 and loss == 0.25
