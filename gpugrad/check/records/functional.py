"""Records of gpugrad/nn/functional/."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy
import scipy.special

import gpugrad as gg
from gpugrad.check.records.case import Case, call, distinct, given, integers, positive, real
from gpugrad.nn import functional as F

REDUCTIONS: dict[str, Callable[..., Any]] = {"mean": numpy.mean, "sum": numpy.sum, "none": lambda a: a}
LABELS = given([3, 0, -100, 4])
KEPT_LABELS = given([3, 0, 2, 4])
SPATIAL_LABELS = given([[0, 1], [3, 2], [-100, 4]])


def _linear(x: Any, weight: Any, bias: Any = None) -> Any:
    return x @ weight.T if bias is None else x @ weight.T + bias


def _nll(
    logp: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
) -> Any:
    """One label after the other."""
    classes = logp.shape[0 if logp.ndim == 1 else 1]
    weight = numpy.ones(classes, logp.dtype) if weight is None else weight
    moved = (logp[None] if logp.ndim == 1 else numpy.moveaxis(logp, 1, -1)).reshape(-1, classes)
    losses, count = [], 0.0
    for row, label in zip(moved, numpy.asarray(target).reshape(-1), strict=True):
        if label == ignore_index:
            losses.append(0.0)
            continue
        count += weight[label]
        losses.append(-(1 - label_smoothing) * weight[label] * row[label] - label_smoothing / classes * numpy.sum(weight * row))
    if reduction == "none":
        return numpy.asarray(losses, logp.dtype).reshape(numpy.shape(target))
    return numpy.asarray(numpy.sum(losses) / (count if reduction == "mean" else 1), logp.dtype)


def _cross_entropy(x: Any, target: Any, weight: Any = None, **options: Any) -> Any:
    axis = 0 if x.ndim == 1 else 1
    logp = x - scipy.special.logsumexp(x, axis=axis, keepdims=True)
    if target.dtype.kind in "iu":
        return _nll(logp, target, weight, **options)
    smoothing, classes = options.get("label_smoothing", 0.0), x.shape[axis]
    weight = numpy.ones(classes, x.dtype) if weight is None else weight
    terms = logp * (target * (1 - smoothing) + smoothing / classes) * weight.reshape(-1, *[1] * (x.ndim - axis - 1))
    losses = -terms.sum(axis=axis)
    return numpy.asarray(REDUCTIONS[options.get("reduction", "mean")](losses), x.dtype)


def _cross_entropy_gradient(g: Any, x: Any, target: Any, *, ignore_index: int, reduction: str, label_smoothing: float) -> Any:
    kept = target != ignore_index
    hot = numpy.eye(x.shape[1], dtype=x.dtype)[numpy.where(kept, target, 0)]
    expected = hot * (1 - label_smoothing) + label_smoothing / x.shape[1]
    scale = numpy.where(kept, g / kept.sum() if reduction == "mean" else g, 0).astype(x.dtype)
    return (scipy.special.softmax(x, axis=1) - expected) * scale[:, None]


def _dropout(x: Any, p: float, training: bool = True) -> Any:
    gg.manual_seed(7)
    return F.dropout(x, p, training)


def _dropout_reference(x: Any, p: float, training: bool = True) -> Any:
    if not training or p == 0:
        return x
    kept = gg.random.Generator(7).bernoulli(x.shape, 1 - p, device="cpu").numpy()
    return x * kept * (1 / (1 - p) if p < 1 else 0.0)


def _gelu(x: Any, approximate: str = "none") -> Any:
    if approximate == "tanh":
        return (0.5 * x * (1 + numpy.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))).astype(x.dtype)
    return x * scipy.special.ndtr(x)


def _last(normalized_shape: Any) -> tuple[int, ...]:
    return tuple(range(-(1 if isinstance(normalized_shape, int) else len(normalized_shape)), 0))


def _layer_norm(x: Any, normalized_shape: Any, weight: Any = 1, bias: Any = 0, eps: float = 1e-5) -> Any:
    centred = x - x.mean(axis=_last(normalized_shape), keepdims=True)
    out = centred / numpy.sqrt((centred**2).mean(axis=_last(normalized_shape), keepdims=True) + eps)
    return out * (1 if weight is None else weight) + (0 if bias is None else bias)


def _rms_norm(x: Any, normalized_shape: Any, weight: Any = 1, eps: float | None = None) -> Any:
    eps = numpy.finfo(x.dtype).eps if eps is None else eps
    return x / numpy.sqrt((x**2).mean(axis=_last(normalized_shape), keepdims=True) + eps) * weight


def _mse(x: Any, y: Any, reduction: str = "mean") -> Any:
    return REDUCTIONS[reduction]((x - y) ** 2)


PLAIN = {"ignore_index": -100, "reduction": "mean", "label_smoothing": 0.0}

CASES = [
    Case("relu", [call(distinct(3, 4)), call(distinct()), call(distinct(0, 2)), call(integers(5))], lambda x: numpy.maximum(x, 0)),
    Case(
        "relu_gradient",
        [call(real(3, 4), integers(3, 4)), call(real(), integers()), call(real(0), integers(0))],
        lambda g, y: g * (y > 0),
    ),
    Case("sigmoid", [call(real(3, 4)), call(real()), call(given([-800.0, -30.0, 0.25, 30.0, 800.0]))], scipy.special.expit, order=3),
    Case(
        "gelu",
        [call(real(3, 4)), call(real()), call(real(0, 2)), call(real(3, 4), "tanh"), call(real(), approximate="tanh"),
         call(given([-40.0, -8.0, -1.0, 0.0, 8.0, 40.0])), call(given([-40.0, -6.0, -1.0, 0.0, 8.0, 40.0]), "tanh")],
        _gelu,
        order=3,
    ),
    Case(
        "silu",
        [call(real(3, 4)), call(real()), call(real(0, 2)), call(given([-800.0, -30.0, 0.25, 30.0, 800.0]))],
        lambda x: x * scipy.special.expit(x),
        order=3,
    ),
    Case(
        "layer_norm",
        [
            call(real(3, 4), 4), call(real(3, 4), (4,), positive(4)), call(real(3, 4), 4, positive(4), real(4)),
            call(real(3, 4), 4, None, real(4), eps=0.1), call(real(2, 3, 4), (3, 4), positive(3, 4), real(3, 4)), call(real(4), 4, positive(4)),
            call(real(0, 4), 4, positive(4), real(4)), call(real(2, 0, 2, 3), [2, 3], positive(2, 3)),
        ],
        _layer_norm,
    ),
    Case(
        "rms_norm",
        [
            call(real(3, 4), 4), call(real(3, 4), (4,), positive(4)), call(real(2, 3, 4), (3, 4), positive(3, 4), 0.1),
            call(real(4), [4], eps=1e-3), call(real(0, 4), 4, positive(4)),
        ],
        _rms_norm,
    ),
    Case(
        "linear",
        [
            call(real(2, 3), real(4, 3), real(4)), call(real(2, 3), real(4, 3)), call(real(3), real(4, 3), real(4)),
            call(real(2, 2, 3), real(4, 3), real(4)), call(real(2, 1, 2, 3), real(4, 3)), call(real(0, 3), real(4, 3), real(4)),
            call(real(2, 0, 3), real(4, 3), real(4)), call(real(2, 0), real(4, 0), real(4)), call(real(2, 3), real(0, 3), real(0)),
        ],
        _linear,
        complex=True,
    ),
    Case(
        "softmax",
        [call(real(3, 4), 1), call(real(3, 4), 0), call(real(2, 3, 2), -2), call(real(), 0), call(real(0, 3), 1), call(real(3), dim=0)],
        lambda x, dim: scipy.special.softmax(x, axis=dim) if x.size else x,
        order=3,
    ),
    Case(
        "log_softmax",
        [call(real(3, 4), 1), call(real(3, 4), 0), call(real(2, 3, 2), -2), call(real(), 0), call(real(0, 3), 1), call(real(3), dim=0)],
        lambda x, dim: x - scipy.special.logsumexp(x, axis=dim, keepdims=True) if x.size and x.ndim else x * 0,
        order=3,
    ),
    Case(
        "dropout",
        [call(real(4, 5), 0.5), call(real(4, 5), 0.2), call(real(3), 0.0), call(real(3), 1.0), call(real(0, 2), 0.5),
         call(real(3), 0.5, False)],
        _dropout_reference,
        function=_dropout,
    ),
    Case(
        "cross_entropy",
        [
            call(real(4, 5), LABELS), call(real(4, 5), KEPT_LABELS), call(real(4, 5), LABELS, reduction="sum"),
            call(real(4, 5), LABELS, reduction="none"), call(real(4, 5), LABELS, label_smoothing=0.1),
            call(real(4, 5), LABELS, reduction="none", label_smoothing=0.3), call(real(4, 5), KEPT_LABELS, ignore_index=2),
            call(real(4, 5), LABELS, positive(5)), call(real(4, 5), LABELS, positive(5), label_smoothing=0.1),
            call(real(4, 5), LABELS, positive(5), reduction="none"), call(real(5), given(2)), call(real(5), given(2), reduction="none"),
            call(real(3, 5, 2), SPATIAL_LABELS), call(real(3, 5, 2), SPATIAL_LABELS, positive(5), reduction="none"),
            call(real(4, 5), given([1, 2, 0, 4], "uint8")), call(real(0, 5), given([], "int64"), reduction="sum"),
        ],
        _cross_entropy,
    ),
    Case(
        "cross_entropy",
        [
            call(real(4, 5), positive(4, 5)), call(real(4, 5), positive(4, 5), reduction="sum"), call(real(5), positive(5)),
            call(real(3, 5, 2), positive(3, 5, 2), positive(5), reduction="none"), call(real(4, 5), positive(4, 5), label_smoothing=0.2),
        ],
        _cross_entropy,
        label="probabilities",
    ),
    Case(
        "cross_entropy_gradient",
        [
            call(real(), real(4, 5), LABELS, **PLAIN), call(real(), real(4, 5), KEPT_LABELS, **{**PLAIN, "reduction": "sum"}),
            call(real(4), real(4, 5), LABELS, **{**PLAIN, "reduction": "none", "label_smoothing": 0.2}),
        ],
        _cross_entropy_gradient,
    ),
    Case(
        "nll_loss",
        [
            call(real(4, 5), LABELS), call(real(4, 5), LABELS, positive(5)), call(real(4, 5), LABELS, reduction="none"),
            call(real(4, 5), KEPT_LABELS, ignore_index=0, reduction="sum"), call(real(3, 5, 2), SPATIAL_LABELS), call(real(5), given(1)),
        ],
        _nll,
    ),
    Case(
        "picked",
        [call(real(3, 4), given([1, 3, 0])), call(real(0, 4), given([], "int64")), call(real(3, 1), given([0, 0, 0]))],
        lambda x, labels: x[numpy.arange(len(x)), labels],
    ),
    Case(
        "mse",
        [call(real(3, 4), real(3, 4), reduction="mean"), call(real(3), real(3), reduction="sum"), call(real(0), real(0), reduction="sum"),
         call(real(3, 2), real(3, 2), reduction="none"), call(real(), real(), reduction="mean")],
        _mse,
    ),
    Case(
        "mse_loss",
        [call(real(3, 4), real(3, 4)), call(real(3), real(3), reduction="sum"), call(real(3, 2), real(3, 2), reduction="none"),
         call(real(), real())],
        _mse,
    ),
]  # fmt: skip
