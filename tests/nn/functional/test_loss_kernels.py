"""Losses of large inputs, which run as kernels derived from their definitions, against NumPy in float64."""

import numpy as np
import pytest
import scipy.special
from precision import error

import gpugrad as gg
from gpugrad.nn import functional as F

DTYPES = pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
REDUCTIONS = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
REDUCE = {"mean": np.mean, "sum": np.sum, "none": lambda x: x}
SUMMED = 128  # units of precision for sums of about 1000 numbers: a kernel adds up to some hundred one after the other
RNG = np.random.default_rng(0)


def run(loss, x, *others, **options):
    """(loss, gradient of x for a random gradient of the loss, that gradient), the last two in float64."""
    leaf = gg.tensor(x, requires_grad=True)
    out = loss(leaf, *others, **options)
    g = np.asarray(RNG.uniform(0.5, 1.5, out.shape), out.dtype)
    out.backward(g)
    assert out.dtype == leaf.grad.dtype == x.dtype
    return out.array, leaf.grad.array, g.astype("float64")


@DTYPES
@REDUCTIONS
@pytest.mark.parametrize("shape", [(7, 5), (33, 37), (1025,), (5, 7, 41)])
def test_mse(shape, reduction, dtype):
    x, t = RNG.normal(size=shape).astype(dtype), RNG.normal(size=shape).astype(dtype)
    out, dx, g = run(F.mse_loss, x, t, reduction=reduction)
    difference = x.astype("float64") - t
    assert error(out, REDUCE[reduction](difference**2)) < 6
    expected = 2 * g * difference / (x.size if reduction == "mean" else 1)
    assert error(dx, expected, np.maximum(np.abs(expected), np.max(np.abs(expected)))) < 3


def test_mse_of_both_operands_and_to_second_order():
    x, t = RNG.normal(size=(40, 41)), RNG.normal(size=(40, 41))
    dx, dt = gg.grad(F.mse_loss, argnums=(0, 1))(x, t)
    np.testing.assert_allclose(dx, 2 * (x - t) / x.size, rtol=1e-13)
    assert np.array_equal(dt, -dx)
    np.testing.assert_allclose(gg.hvp(lambda x: F.mse_loss(x, t), (x,), (x,))[0], 2 * x / x.size, rtol=1e-13)


@pytest.mark.parametrize("size", [100, 5000])
def test_sums_of_squares_of_float16_do_not_overflow(size):
    x = np.full(size, 300, "float16")  # 300 ** 2 is beyond float16
    x[1:] = 0
    assert F.mse_loss(x, np.zeros_like(x)) == np.float16(90000 / size)


def log_probabilities(x):
    return x - scipy.special.logsumexp(x, axis=1, keepdims=True)


def one_hot(labels, classes):
    return (labels[:, None] == np.arange(classes)).astype(float)


@DTYPES
@REDUCTIONS
@pytest.mark.parametrize("shape", [(9, 5), (64, 37), (1025, 2)])
def test_nll_with_weights_and_ignored_labels(shape, reduction, dtype):
    n, classes = shape
    x = RNG.normal(size=shape).astype(dtype)
    weight = RNG.uniform(0.5, 1.5, classes).astype(dtype)
    labels = RNG.integers(0, classes, n)
    labels[::4] = -100
    out, dx, g = run(F.nll_loss, x, labels, weight, reduction=reduction)
    hot = one_hot(labels, classes) * weight.astype("float64")
    losses = -(hot * x).sum(axis=1)
    count = hot.sum() if reduction == "mean" else 1
    expected = (losses if reduction == "none" else losses.sum()) / count
    assert error(out, expected, (np.abs(losses) if reduction == "none" else np.abs(losses).sum()) / count) < SUMMED
    expected = -hot * (g[:, None] if reduction == "none" else g) / count
    assert error(dx, expected, np.max(np.abs(expected))) < SUMMED


@DTYPES
@REDUCTIONS
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("shape", [(9, 5), (64, 37)])
def test_cross_entropy_with_weights(shape, smoothing, reduction, dtype):
    n, classes = shape
    x = RNG.normal(size=shape).astype(dtype)
    weight = RNG.uniform(0.5, 1.5, classes).astype(dtype)
    labels = RNG.integers(0, classes, n)
    labels[::4] = -100
    out, dx, g = run(F.cross_entropy, x, labels, weight, reduction=reduction, label_smoothing=smoothing)
    hot = one_hot(labels, classes)
    target = (hot * (1 - smoothing) + smoothing / classes) * weight.astype("float64") * (labels >= 0)[:, None]
    logp = log_probabilities(x.astype("float64"))
    losses = -(target * logp).sum(axis=1)
    count = (hot @ weight).sum() if reduction == "mean" else 1
    assert error(out, (losses if reduction == "none" else losses.sum()) / count, 8 if reduction == "mean" else n) < 6
    expected = (np.exp(logp) * target.sum(axis=1, keepdims=True) - target) * (g[:, None] if reduction == "none" else g) / count
    assert error(dx, expected, np.max(np.abs(expected))) < 8


@DTYPES
@REDUCTIONS
@pytest.mark.parametrize("with_weight", [True, False])
@pytest.mark.parametrize("shape", [(9, 5), (64, 37), (8, 5, 31)])
def test_cross_entropy_with_probabilities(shape, with_weight, reduction, dtype):
    x = RNG.normal(size=shape).astype(dtype)
    target = scipy.special.softmax(RNG.normal(size=shape), axis=1).astype(dtype)
    weight = RNG.uniform(0.5, 1.5, shape[1]).astype(dtype) if with_weight else None
    out, dx, g = run(F.cross_entropy, x, target, weight, reduction=reduction)
    factors = np.ones(shape[1]) if weight is None else weight.astype("float64")
    weighted = target * factors.reshape(-1, *[1] * (len(shape) - 2))
    logp = log_probabilities(x.astype("float64"))
    losses = -(weighted * logp).sum(axis=1)
    count = losses.size if reduction == "mean" else 1
    assert error(out, REDUCE[reduction](losses), 8 if reduction != "sum" else losses.size) < 6
    expected = (
        (np.exp(logp) * weighted.sum(axis=1, keepdims=True) - weighted)
        * (np.expand_dims(g, 1) if reduction == "none" else g)
        / count
    )
    assert error(dx, expected, np.max(np.abs(expected))) < 8


@pytest.mark.parametrize("rows", [3, 300])
def test_the_gradient_of_class_weights(rows):
    x, labels, weight = RNG.normal(size=(rows, 5)), RNG.integers(0, 5, rows), RNG.uniform(0.5, 1.5, 5)
    found = gg.grad(lambda w: F.nll_loss(x, labels, w, reduction="sum"))(weight)
    np.testing.assert_allclose(found, -(one_hot(labels, 5) * x).sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize("rows", [3, 300])
def test_nan_stays_in_its_row(rows):
    x = RNG.normal(size=(rows, 7))
    x[1, 2] = np.nan
    for others in ((RNG.integers(0, 7, rows), np.ones(7)), (np.full((rows, 7), 1 / 7),)):
        leaf = gg.tensor(x, requires_grad=True)
        with np.errstate(invalid="ignore"):
            out = F.cross_entropy(leaf, *others, reduction="none")
            out.backward(np.ones(rows))
        assert np.array_equal(np.isnan(out.array), np.arange(rows) == 1)
        assert np.array_equal(np.isnan(leaf.grad.array).all(axis=1), np.arange(rows) == 1)
        assert np.isfinite(np.delete(leaf.grad.array, 1, axis=0)).all()
