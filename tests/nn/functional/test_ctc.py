"""gpugrad.nn.functional.ctc: values and derivatives on every backend are in gpugrad/check/records/losses.py."""

import itertools
import re

import numpy as np
import pytest
import scipy.special

import gpugrad as gg
from gpugrad.errors import DTypeError, IndexingError, OptionError, ShapeError
from gpugrad.nn import functional as F

RNG = np.random.default_rng(0)
X = RNG.normal(size=(5, 2, 3))
LOGP = X - scipy.special.logsumexp(X, axis=2, keepdims=True)
TARGETS, READ, WANTED = np.array([[1, 1], [2, 0]]), np.array([5, 4]), np.array([2, 1])


def paths(logp, label):
    """All readings of a label, and their log-probabilities."""
    for path in itertools.product(range(logp.shape[1]), repeat=len(logp)):
        if [c for c, _ in itertools.groupby(path) if c] == label:
            yield path, sum(row[c] for row, c in zip(logp, path, strict=True))


def test_the_gradient_is_probabilities_minus_posteriors():
    x = gg.tensor(LOGP, requires_grad=True)
    F.ctc_loss(x, TARGETS, READ, WANTED, reduction="sum").backward()
    expected = np.exp(LOGP)
    expected[4, 1] = 0  # not read
    for n, label in enumerate(([1, 1], [2])):
        found = list(paths(LOGP[: READ[n], n], label))
        total = scipy.special.logsumexp([p for _, p in found])
        for path, p in found:
            for t, c in enumerate(path):
                expected[t, n, c] -= np.exp(p - total)
    np.testing.assert_allclose(x.grad.numpy(), expected, atol=1e-13)


@pytest.mark.parametrize("kind", [list, tuple, gg.asarray])
def test_lengths_and_targets_come_in_many_forms(kind):
    expected = F.ctc_loss(LOGP, TARGETS, READ, WANTED, reduction="none")
    read, wanted = kind(READ.tolist()), kind(WANTED.tolist())
    found = F.ctc_loss(LOGP, np.array([1, 1, 2]), read, wanted, reduction="none")
    np.testing.assert_array_equal(gg.asarray(found).numpy(), expected)
    one = F.ctc_loss(LOGP[:, 0], kind([1, 1]), 5, 2, reduction="none")
    assert tuple(one.shape) == () and abs(float(gg.asarray(one).numpy()) - expected[0]) < 1e-14
    np.testing.assert_allclose(F.ctc_loss(LOGP, TARGETS, READ, WANTED), np.mean(expected / WANTED), rtol=1e-14)


def test_what_cannot_be_read():
    x = gg.tensor(LOGP[:2], requires_grad=True)  # two times are too few for the same label twice
    loss = F.ctc_loss(x, TARGETS, [2, 2], WANTED, reduction="none")
    assert np.isinf(loss.detach().numpy()).tolist() == [True, False]
    loss = F.ctc_loss(x, TARGETS, [2, 2], WANTED, reduction="sum", zero_infinity=True)
    loss.backward()
    assert np.isfinite(loss.item()) and loss.item() > 0
    assert not x.grad.numpy()[:, 0].any() and x.grad.numpy()[:, 1].any()


def test_empty_targets_and_empty_inputs():
    found = F.ctc_loss(LOGP, np.zeros((2, 0), int), [5, 3], [0, 0], reduction="none")
    np.testing.assert_allclose(found, [-LOGP[:5, 0, 0].sum(), -LOGP[:3, 1, 0].sum()])
    assert F.ctc_loss(LOGP, TARGETS, [0, 0], [0, 1], reduction="none").tolist() == [0.0, np.inf]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_extreme_probabilities_do_not_overflow(dtype):
    logp = np.full((60, 1, 3), -600.0, dtype)
    logp[:, :, 0] = 0
    x = gg.tensor(logp, requires_grad=True)
    loss = F.ctc_loss(x, [[1, 2]], [60], [2], reduction="sum")
    loss.backward()
    assert abs(loss.item() - (1200 - np.log(59 * 60 / 2 + 0))) < 2
    assert loss.dtype == x.grad.dtype == dtype and np.isfinite(x.grad.numpy()).all()


def test_classes_that_are_impossible():
    logp = LOGP.copy()
    logp[:, :, 1] = -np.inf
    x = gg.tensor(logp, requires_grad=True)
    loss = F.ctc_loss(x, np.array([[2], [2]]), [5, 5], [1, 1], reduction="sum")
    loss.backward()
    assert np.isfinite(loss.item()) and np.isfinite(x.grad.numpy()).all()


def test_the_second_derivative():
    """Of logits, where the first is that of the loss."""
    target = (TARGETS, READ, WANTED)

    def loss(x):
        return F.ctc_loss(F.log_softmax(x, 2), *target, reduction="sum")

    direction = RNG.normal(size=X.shape)
    (found,) = gg.hvp(loss, (X,), (direction,))
    h = 1e-6
    difference = (gg.grad(loss)(X + h * direction) - gg.grad(loss)(X - h * direction)) / (2 * h)
    np.testing.assert_allclose(found, difference, atol=1e-8)


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "text"),
    [
        ((LOGP[0, 0], TARGETS, READ, WANTED), {}, ShapeError, "ctc_loss: got log_probs (3,), expected (T, N, C) or (T, C)"),
        ((LOGP, TARGETS, [6, 5], WANTED), {}, ShapeError, "input_lengths are [6, 5], expected 0 to 5 for log_probs (5, 2, 3)"),
        ((LOGP, TARGETS, [5, -1], WANTED), {}, ShapeError, "input_lengths are [5, -1], expected 0 to 5"),
        ((LOGP, TARGETS, READ, [3, 1]), {}, ShapeError, "target_lengths are [3, 1], expected 2 at most for targets (2, 2)"),
        ((LOGP, TARGETS, READ, [-1, 1]), {}, ShapeError, "target_lengths are [-1, 1], expected 0 or more"),
        (
            (LOGP, np.array([1, 2]), READ, [2, 1]),
            {},
            ShapeError,
            "target_lengths are [2, 1], expected a sum of 2 for targets (2,)",
        ),
        ((LOGP, TARGETS, [5], WANTED), {}, ShapeError, "input_lengths have shape (1,), expected (2,), one for each sequence"),
        ((LOGP, TARGETS[:1], READ, WANTED), {}, ShapeError, "got targets (1, 2), expected (2, S)"),
        ((LOGP, TARGETS, READ * 1.0, WANTED), {}, DTypeError, "input_lengths have dtype float64, expected integers"),
        ((LOGP, TARGETS * 1.0, READ, WANTED), {}, DTypeError, "targets have dtype float64, expected integers"),
        (
            (LOGP, TARGETS + 2, READ, WANTED),
            {},
            IndexingError,
            "label 3 in the targets, expected 0 to 2 for 3 classes, without the blank 0",
        ),
        (
            (LOGP, TARGETS, READ, WANTED),
            {"blank": 1},
            IndexingError,
            "label 1 in the targets, expected 0 to 2 for 3 classes, without the blank 1",
        ),
        ((LOGP, TARGETS, READ, WANTED), {"blank": 3}, OptionError, "ctc_loss: blank is 3, expected 0 to 2 for 3 classes"),
        (
            (LOGP, TARGETS, READ, WANTED),
            {"reduction": "avg"},
            OptionError,
            "reduction is 'avg', expected 'mean', 'sum' or 'none'",
        ),
        ((LOGP[:, :0], TARGETS[:0], READ[:0], WANTED[:0]), {}, ShapeError, "is empty and has no mean"),
    ],
)
def test_operands_that_do_not_fit(arguments, options, kind, text):
    with pytest.raises(kind, match=re.escape(text)):
        F.ctc_loss(*arguments, **options)


def test_padding_may_be_anything():
    garbage = np.array([[1, 1], [2, -7]])
    np.testing.assert_array_equal(F.ctc_loss(LOGP, garbage, READ, WANTED), F.ctc_loss(LOGP, TARGETS, READ, WANTED))
