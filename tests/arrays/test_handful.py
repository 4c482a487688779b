"""gpugrad.arrays.handful, and gpugrad.arrays.numpy for a few more elements: the cross-entropy of rows and its gradient."""

import numpy as np
import pytest
from scipy.special import log_softmax

import gpugrad as gg
from gpugrad.arrays.handful import HANDFUL
from gpugrad.nn import functional as F

IGNORED = -100
SHAPES = pytest.mark.parametrize("shape", [(1, 2), (4, 8), (9, 7)])  # the last is no handful


def expected(x, target, reduction, smoothing, g):
    """The loss and the gradient of x for the gradient g, in float64."""
    x = x.astype("float64")
    kept = target != IGNORED
    smoothed = np.eye(x.shape[1])[np.where(kept, target, 0)] * (1 - smoothing) + smoothing / x.shape[1]
    losses = np.where(kept, -(smoothed * log_softmax(x, 1)).sum(1), 0)
    scale = np.where(kept, g, 0) / (kept.sum() if reduction == "mean" else 1)
    gradient = (np.exp(log_softmax(x, 1)) - smoothed) * scale[:, None]
    return {"mean": losses.sum() / kept.sum(), "sum": losses.sum(), "none": losses}[reduction], gradient


def run(x, target, **options):
    leaf = gg.tensor(x, requires_grad=True)
    out = F.cross_entropy(leaf, target, **options)
    g = np.asarray(np.linspace(0.5, 1.5, out.size).reshape(out.shape), x.dtype)
    out.backward(g)
    assert out.dtype == leaf.grad.dtype == x.dtype and leaf.grad.shape == x.shape
    return out.detach().numpy(), leaf.grad.numpy(), g


@SHAPES
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.25])
@pytest.mark.parametrize("order", ["C", "F"])
def test_values_and_gradients(shape, dtype, reduction, smoothing, order):
    rng = np.random.default_rng(0)
    x = np.asarray(rng.normal(size=shape).astype(dtype), order=order)
    target = rng.integers(0, shape[1], shape[0])
    target[1::3] = IGNORED
    assert (x.size <= HANDFUL) == (shape != (9, 7))
    out, gradient, g = run(x, target, reduction=reduction, label_smoothing=smoothing)
    loss, dx = expected(x, target, reduction, smoothing, g.astype("float64"))
    tolerance = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(out, loss, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(gradient, dx, rtol=tolerance, atol=tolerance)


@SHAPES
def test_large_logits_lose_no_digits(shape):
    x = np.zeros(shape, np.float32)
    x[:, 0] = 1e4
    out, gradient, _ = run(x + np.float32(1), np.zeros(shape[0], int))
    assert out == 0 and not gradient.any()


@SHAPES
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_stays_in_its_row(shape, bad):
    x = np.zeros(shape, np.float32)
    x[0, 1] = bad
    leaf = gg.tensor(x, requires_grad=True)
    with np.errstate(invalid="ignore"):
        out = F.cross_entropy(leaf, np.zeros(shape[0], int), reduction="none")
        gg.sum(out).backward()
    assert np.isnan(out.detach().numpy()).tolist() == [True] + [False] * (shape[0] - 1)
    assert np.isnan(leaf.grad.numpy()).any(1).tolist() == [True] + [False] * (shape[0] - 1)


@SHAPES
@pytest.mark.parametrize("smoothing", [0.0, 0.25])
def test_an_impossible_class_has_an_infinite_loss(shape, smoothing):
    x = np.zeros(shape, np.float32)
    x[0, 1] = -np.inf
    out = F.cross_entropy(gg.tensor(x), np.ones(shape[0], int), reduction="none", label_smoothing=smoothing)
    assert np.isposinf(out.numpy()).tolist() == [True] + [False] * (shape[0] - 1)


@SHAPES
def test_if_all_labels_are_ignored_there_is_no_mean(shape):
    target = np.full(shape[0], IGNORED)
    leaf = gg.tensor(np.ones(shape, np.float32), requires_grad=True)
    with np.errstate(invalid="ignore"):
        out = F.cross_entropy(leaf, target)
    out.backward()
    assert np.isnan(out.item())
    assert not leaf.grad.numpy().any()
    assert F.cross_entropy(leaf, target, reduction="sum").item() == 0


def test_no_rows():
    leaf = gg.tensor(np.ones((0, 3), np.float32), requires_grad=True)
    out = F.cross_entropy(leaf, np.zeros(0, int), reduction="sum")
    out.backward()
    assert out.item() == 0 and leaf.grad.shape == (0, 3)
