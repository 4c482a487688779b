"""Records of the losses of gpugrad/nn/functional/ and of the distances; those of cross_entropy and nll_loss are in functional.py."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy
import scipy.special

from gpugrad.check.records.case import Call, Case, call, distinct, given, integers, nonzero, positive, real
from gpugrad.families import REGISTRY
from gpugrad.nn import functional as F
from gpugrad.ops.elementwise import where

REDUCTIONS: dict[str, Callable[..., Any]] = {"mean": numpy.mean, "sum": numpy.sum, "none": lambda a: a}
HALVES = given([[0.1, 0.4, 0.9], [0.3, 0.5, 0.7]])
SHARES = given([[0.2, 0.9, 0.5], [0.1, 0.6, 0.75]])
SIGNS = given([[1, -1, 1], [-1, -1, 1]])
LABELS = given([3, 0, 2, 1])


def _reduced(function: Callable[..., Any]) -> Callable[..., Any]:
    """A reference of single losses with `reduction` among its options."""

    def reference(x: Any, *others: Any, reduction: str = "mean", **options: Any) -> Any:
        return numpy.asarray(REDUCTIONS[reduction](numpy.asarray(function(x, *others, **options))), x.dtype)

    return reference


def _each(*args: Any, **options: Any) -> list[Call]:
    """With every reduction."""
    return [call(*args, reduction=reduction, **options) for reduction in REDUCTIONS]


def _smooth_l1(x: Any, y: Any, beta: float = 1.0) -> Any:
    d = numpy.abs(x - y)
    return numpy.where(d < beta, d * d / (2 * beta or 1), d - beta / 2)


def _huber(x: Any, y: Any, delta: float = 1.0, weight: Any = 1) -> Any:
    d = numpy.abs(x - y)
    return numpy.where(d <= delta, d * d / 2, delta * (d - delta / 2)) * weight


def _weighted(function: Callable[..., Any]) -> Callable[..., Any]:
    """With a mean over the weights."""

    def reference(x: Any, y: Any, reduction: str = "mean", weight: Any = None) -> Any:
        losses = function(x - y)
        if weight is None:
            return REDUCTIONS[reduction](losses)
        return numpy.sum(losses * weight) / numpy.sum(weight) if reduction == "mean" else REDUCTIONS[reduction](losses * weight)

    return reference


def _bce(p: Any, t: Any, weight: Any = 1) -> Any:
    return -(t * numpy.log(p) + (1 - t) * numpy.log1p(-p)) * weight


def _with_logits(x: Any, t: Any, weight: Any = 1, pos_weight: Any = 1) -> Any:
    return -(pos_weight * t * scipy.special.log_expit(x) + (1 - t) * scipy.special.log_expit(-x)) * weight


def _kl_div(x: Any, t: Any, reduction: str = "mean", log_target: bool = False) -> Any:
    losses = numpy.exp(t) * (t - x) if log_target else scipy.special.xlogy(t, t) - t * x
    return numpy.sum(losses) / len(x) if reduction == "batchmean" else REDUCTIONS[reduction](losses)


def _poisson(x: Any, t: Any, log_input: bool = True, full: bool = False, eps: float = 1e-8) -> Any:
    losses = numpy.exp(x) - t * x if log_input else x - t * numpy.log(x + x.dtype.type(eps))
    return losses + numpy.where(t > 1, t * numpy.log(t) - t + numpy.log(2 * math.pi * t) / 2, 0) if full else losses


def _gaussian(x: Any, t: Any, var: Any, full: bool = False) -> Any:
    var = var[..., None] if isinstance(var, numpy.ndarray) and var.ndim < x.ndim else var
    return (numpy.log(var) + (x - t) ** 2 / var + (math.log(2 * math.pi) if full else 0)) / 2


def _cosine(x: Any, y: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    norms = [numpy.maximum(numpy.sqrt((z**2).sum(axis=dim)), x.dtype.type(eps)) for z in numpy.broadcast_arrays(x, y)]
    return (x * y).sum(axis=dim) / (norms[0] * norms[1])


def _cosine_embedding(x: Any, y: Any, t: Any, margin: float = 0.0) -> Any:
    return numpy.where(t == 1, 1 - _cosine(x, y, -1), numpy.maximum(_cosine(x, y, -1) - margin, 0))


def _distance(x: Any, y: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    return numpy.linalg.norm(numpy.atleast_1d(x - y + x.dtype.type(eps)), p, axis=-1, keepdims=keepdim)


def _triplet(anchor: Any, near: Any, far: Any, margin: float = 1.0, p: float = 2.0, swap: bool = False) -> Any:
    distance = _distance(anchor, far, p)
    distance = numpy.minimum(distance, _distance(near, far, p)) if swap else distance
    return numpy.maximum(margin + _distance(anchor, near, p) - distance, 0)


def _multi_margin(x: Any, y: Any, p: int = 1, margin: float = 1.0, weight: Any = None) -> Any:
    found = [
        sum(max(0.0, margin - row[label] + z) ** p for i, z in enumerate(row) if i != label) * (1 if weight is None else weight[label])
        for row, label in zip(numpy.atleast_2d(x), numpy.atleast_1d(y), strict=True)
    ]  # fmt: skip
    return numpy.asarray(found).reshape(y.shape) / x.shape[-1]


def _multilabel_margin(x: Any, y: Any) -> Any:
    found = []
    for row, labels in zip(x, y, strict=True):
        own = list(itertools.takewhile(lambda label: label >= 0, labels))
        found.append(sum(max(0.0, 1 - row[j] + z) for j in own for i, z in enumerate(row) if i not in own) / len(row))
    return numpy.asarray(found)


def _focal(x: Any, t: Any, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "none") -> Any:
    p = scipy.special.expit(x)
    losses = (1 - (p * t + (1 - p) * (1 - t))) ** gamma * _with_logits(x, t)
    losses = losses * (alpha * t + (1 - alpha) * (1 - t)) if alpha >= 0 else losses
    return numpy.asarray(REDUCTIONS[reduction](losses), x.dtype)


def _dice(p: Any, t: Any, smooth: float = 1.0) -> Any:
    axes = tuple(range(2, p.ndim)) or -1
    return 1 - (2 * (p * t).sum(axis=axes) + smooth) / (p.sum(axis=axes) + t.sum(axis=axes) + smooth)


def _ctc(x: Any, targets: Any, read: Any, wanted: Any, reduction: str = "mean") -> Any:
    """From logits, over all paths, one by one."""
    logp = x - scipy.special.logsumexp(x, axis=2, keepdims=True)
    losses = []
    for n in range(x.shape[1]):
        steps, label = int(read[n]), tuple(targets[n][: wanted[n]])
        paths = [
            sum(logp[t, n, c] for t, c in enumerate(path))
            for path in itertools.product(range(x.shape[2]), repeat=steps)
            if tuple(c for c, _ in itertools.groupby(path) if c) == label
        ]
        losses.append(-scipy.special.logsumexp(paths))
    scaled = numpy.asarray(losses) / (numpy.maximum(wanted, 1) if reduction == "mean" else 1)
    return numpy.asarray(REDUCTIONS[reduction](scaled), x.dtype)


def _ctc_alphas(emissions: Any, skip: Any) -> Any:
    alphas = [numpy.where(numpy.arange(emissions.shape[2]) < 2, emissions[0], -1e30)]
    for e in emissions[1:]:
        a = numpy.pad(alphas[-1], ((0, 0), (2, 0)), constant_values=-1e30)
        alphas.append(scipy.special.logsumexp([a[:, 2:], a[:, 1:-1], a[:, :-2] + skip], axis=0) + e)
    return numpy.where(numpy.stack(alphas) > -1e29, alphas, 0).astype(emissions.dtype)


def _possible_alphas(emissions: Any, allowed: Any) -> Any:
    """0 for what is impossible, beside whose -1e30 no difference would be seen."""
    out = REGISTRY["ctc_alphas"](emissions, where(allowed, 0.0, -1e30))
    return where(out > -1e29, out, 0)


CASES = [
    Case("mse_loss", _each(real(3, 2), real(3, 2), weight=positive(3, 2)), _weighted(numpy.square), label="weights"),
    Case(
        "l1_loss",
        [*_each(distinct(3, 2), positive(3, 2)), *_each(distinct(3), positive(3), weight=positive(3))],
        _weighted(numpy.abs),
    ),
    Case(
        "smooth_l1_loss",
        [
            *_each(real(3, 4), real(3, 4)),
            call(real(3), real(3), beta=0.3),
            call(real(3), real(3), beta=0.0),
            call(real(), real()),
        ],
        _reduced(_smooth_l1),
    ),
    Case(
        "huber_loss",
        [*_each(real(3, 4), real(3, 4)), call(real(3), real(3), delta=0.3), call(real(3), real(3), weight=positive(3))],
        _reduced(_huber),
    ),
    Case("binary_cross_entropy", [*_each(HALVES, SHARES), call(HALVES, SHARES, positive(3))], _reduced(_bce)),
    Case("bce", [call(HALVES, SHARES), call(given(0.3), given(0.6))], _bce),
    Case(
        "binary_cross_entropy_with_logits",
        [
            *_each(real(2, 3), SHARES),
            call(real(2, 3), SHARES, positive(2, 1), pos_weight=positive(3)),
            call(real(2, 3), SHARES, positive(3)),
        ],
        _reduced(_with_logits),
        order=3,
    ),
    Case(
        "kl_div",
        [
            *_each(real(3, 2), positive(3, 2)),
            call(real(3, 2), real(3, 2), log_target=True),
            call(real(3, 2), positive(3, 2), reduction="batchmean"),
        ],
        _kl_div,
        label="loss",
        function=F.kl_div,
    ),
    Case(
        "poisson_nll_loss",
        [
            *_each(real(3), positive(3)),
            call(positive(3), given([2.0, 0.5, 3.0]), False, True, eps=0.1),
            call(real(3), positive(3), full=True),
        ],
        _reduced(_poisson),
    ),
    Case(
        "gaussian_nll_loss",
        [
            *_each(real(3, 2), real(3, 2), positive(3, 2)),
            call(real(3, 2), real(3, 2), positive(3)),
            call(real(3, 2), real(3, 2), positive(3, 1), True),
            call(real(3), real(3), 0.5),
        ],
        _reduced(_gaussian),
    ),
    Case("soft_margin_loss", _each(real(2, 3), SIGNS), _reduced(lambda x, t: -scipy.special.log_expit(t * x))),
    Case(
        "multilabel_soft_margin_loss",
        [*_each(real(2, 3), SHARES), call(real(2, 3), SHARES, positive(3)), call(real(3), positive(3))],
        _reduced(lambda x, t, weight=1: _with_logits(x, t, weight).mean(axis=-1)),
    ),
    Case(
        "margin_ranking_loss",
        [*_each(distinct(2, 3), positive(2, 3), SIGNS), call(real(3), real(3), given([1, -1, 1]), 0.3)],
        _reduced(lambda x, y, t, margin=0.0: numpy.maximum(margin - t * (x - y), 0)),
    ),
    Case(
        "hinge_embedding_loss",
        [*_each(distinct(2, 3), SIGNS), call(distinct(2, 3), SIGNS, 0.3)],
        _reduced(lambda x, t, margin=1.0: numpy.where(t == 1, x, numpy.maximum(margin - x, 0))),
    ),
    Case(
        "cosine_embedding_loss",
        [*_each(nonzero(4, 3), nonzero(4, 3), given([1, -1, 1, -1])), call(nonzero(3), nonzero(3), given(-1), -0.9)],
        _reduced(_cosine_embedding),
    ),
    Case(
        "triplet_margin_loss",
        [*_each(real(4, 3), real(4, 3), real(4, 3), 3.0), call(real(4, 3), real(4, 3), real(4, 3), 3.0, 1.0, swap=True)],
        _reduced(_triplet),
    ),
    Case("triplet_margin_with_distance_loss", _each(real(4, 3), real(4, 3), real(4, 3), margin=3.0), _reduced(_triplet)),
    Case(
        "multi_margin_loss",
        [
            *_each(distinct(4, 5), LABELS),
            call(distinct(4, 5), LABELS, 2, 0.7, positive(5)),
            call(distinct(5), given(2), reduction="none"),
        ],
        _reduced(_multi_margin),
    ),
    Case("multilabel_margin_loss", _each(distinct(2, 4), given([[3, 0, -1, 1], [2, -1, 0, 0]])), _reduced(_multilabel_margin)),
    Case(
        "sigmoid_focal_loss",
        [
            *_each(real(2, 3), given([[0, 1, 1], [1, 0, 0]])),
            call(real(2, 3), SHARES, -1.0, 0.0),
            call(real(2, 3), SHARES, 0.7, 1.5),
        ],
        _focal,
    ),
    Case(
        "dice_loss",
        [*_each(HALVES, SHARES), call(positive(2, 3, 2, 2), positive(2, 3, 2, 2), 0.5), call(positive(3), positive(3))],
        _reduced(_dice),
    ),
    Case(
        "ctc_loss",
        _each(real(5, 2, 3), given([[1, 1], [2, 0]]), given([5, 4]), given([2, 1])),
        _ctc,
        function=lambda x, *others, **options: F.ctc_loss(F.log_softmax(x, 2), *others, **options),
    ),
    Case(
        "ctc_alphas",
        [call(real(4, 2, 5), given([[False, False, False, True, False]] * 2)), call(real(1, 2, 1), given([[False]] * 2))],
        lambda x, allowed: _ctc_alphas(x, numpy.where(allowed, 0, -1e30)),
        function=_possible_alphas,
    ),
    Case(
        "cosine_similarity",
        [
            call(nonzero(4, 3), nonzero(4, 3)),
            call(nonzero(2, 1, 3), nonzero(4, 3), -1),
            call(nonzero(2, 3), nonzero(3), 0),
            call(nonzero(3), nonzero(3), dim=0),
        ],
        _cosine,
    ),
    Case(
        "pairwise_distance",
        [
            call(real(4, 3), real(4, 3)),
            call(real(4, 3), real(3), 1.0, keepdim=True),
            call(real(4, 3), real(4, 3), math.inf),
            call(real(3), real(3), 3.0),
        ],
        _distance,
    ),
    Case(
        "one_hot",
        [call(given([[2, 0], [1, 2]])), call(given([1, 3]), 5), call(integers(0), 4), call(given(1), num_classes=3)],
        lambda x, num_classes=-1: numpy.eye(x.max() + 1 if num_classes == -1 else num_classes, dtype="int64")[x],
        order=None,
    ),
]
