"""Losses of class labels and of probabilities of classes: cross_entropy, nll_loss."""

from __future__ import annotations

import math
from typing import Any

from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.derived import derived
from gpugrad.errors import OptionError, ShapeError
from gpugrad.families import composite, fused
from gpugrad.modes import DEBUG, flags
from gpugrad.nn.functional.labels import check_labels, empty_batch, hot, labels_of, picked, rows
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.nn.functional.reduction import check_reduction, checkable, reduced
from gpugrad.nn.functional.softmax import floating, log_softmax, softmax, softmax_vjp
from gpugrad.ops.creation import ones_like
from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import add, multiply, where
from gpugrad.ops.indexing import take
from gpugrad.ops.reduction import sum
from gpugrad.ops.shape import expand_dims, reshape
from gpugrad.tape import raw

# Where one operand may be a raw array and the other a Tensor, functions stand in place of operators: an array library's operator
# may refuse a Tensor before the Tensor is asked.


# From log-probabilities (N, C) and labels (N,): written in ops, differentiable in all but the labels --------------------


def _nll(logp: Any, target: Any, weight: Any = None, *, ignore_index: int, reduction: str, label_smoothing: float = 0.0) -> Any:
    """The loss of nll_loss; with label smoothing, that of cross_entropy."""
    classes = logp.shape[1]
    kept, safe, bad = labels_of(target, classes, ignore_index)
    losses = -picked(logp, safe)
    counts = astype(kept, logp.dtype)
    if weight is not None:
        counts = multiply(counts, take(weight, safe, axis=0))
        losses = multiply(losses, take(weight, safe, axis=0))
    if label_smoothing:
        everywhere = -sum(logp if weight is None else multiply(logp, weight), axis=1)
        smoothed = add((1 - label_smoothing) * wide(losses), label_smoothing / classes * wide(everywhere))
        losses = narrow(smoothed, losses)
    return reduced(where(bad, math.nan, where(kept, losses, 0)), reduction, counts)


_nll_loss = derived(_nll)


@derived
def _weighted_cross_entropy(
    x: Any, target: Any, weight: Any, *, ignore_index: int, reduction: str, label_smoothing: float
) -> Any:
    logp = log_softmax(x, 1)
    return _nll(logp, target, weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing)


# cross_entropy of labels without weights, as one op ----------------------------------------------------------------------


def _scale(gradient: Any, x: Any, target: Any, ignore_index: int, reduction: str) -> Any:
    """How much each row of softmax(x) - labels counts in the gradient: a column."""
    kept, _, bad = labels_of(target, x.shape[1], ignore_index)
    if reduction == "mean":
        gradient = gradient / sum(wide(astype(kept, x.dtype)))
    return expand_dims(where(bad, math.nan, where(kept, gradient, 0)), 1)


def _gradient_rule(h: Any, x: Any, target: Any, ignore_index: int, reduction: str, label_smoothing: float) -> Any:
    per_unit = _cross_entropy_gradient(
        ones_like(x[:, 0]), x, target, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing
    )
    return sum(h * per_unit, axis=1)


def _gradient_x_rule(h: Any, gradient: Any, x: Any, target: Any, ignore_index: int, reduction: str) -> Any:
    return softmax_vjp(h * _scale(gradient, x, target, ignore_index, reduction), softmax(x, 1), 1)


@fused(gradient=_gradient_rule, x=_gradient_x_rule, target=None)
def _cross_entropy_gradient(
    gradient: Any, x: Any, target: Any, /, *, ignore_index: int, reduction: str, label_smoothing: float
) -> Any:
    """gradient * (softmax(x) - smoothed one-hot labels), zero for ignored labels; `gradient` is () or (N,)."""
    classes = x.shape[1]
    expected = astype(hot(target, classes), x.dtype) * (1 - label_smoothing) + label_smoothing / classes
    return astype((softmax(x, 1) - expected) * _scale(gradient, x, target, ignore_index, reduction), x.dtype, copy=False)


def _cross_entropy_rule(g: Any, x: Any, target: Any, ignore_index: int, reduction: str, label_smoothing: float) -> Any:
    return _cross_entropy_gradient(
        g, x, target, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing
    )


@fused(x=_cross_entropy_rule, target=None)
def _cross_entropy(x: Any, target: Any, /, *, ignore_index: int, reduction: str, label_smoothing: float) -> Any:
    logp = log_softmax(x, 1)
    return _nll(logp, target, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing)


# Public ------------------------------------------------------------------------------------------------------------------


@composite
def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """The cross-entropy of softmax(input), from unnormalised logits.

    For class labels y: ``loss = -weight[y] * log_softmax(input)[y]``; labels equal to `ignore_index` count nothing, and the
    mean is weighted: ``sum(loss) / sum(weight[y])``. For probabilities t: ``-sum(weight * t * log_softmax(input))``, and
    the mean is over the batch. `label_smoothing` e mixes the labels with the uniform distribution: (1 - e) * t + e / C.

    Shapes: input (C,), (N, C) or (N, C, d1, ...); target of class labels (), (N,) or (N, d1, ...), of any integer dtype, or of
    probabilities in the shape and with the floating dtype of input; weight (C,). The result is () for `reduction` "mean" and
    "sum", the shape of the labels for "none". Losses of 16 bits are summed in float32.
    Raises IndexingError for a label that is no class (on a GPU, where checking would wait for it, and inside a fused function
    such a loss is nan instead), ShapeError for shapes that do not fit and for the mean of an empty batch, DTypeError, OptionError for
    options out of range. The mean is nan if every label is ignored.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html, and for smoothing C. Szegedy
    et al., "Rethinking the inception architecture for computer vision", CVPR 2016.
    """
    check_reduction(reduction, "cross_entropy")
    check_smoothing(label_smoothing)
    input = floating(input, None, "cross_entropy")
    if weight is not None:
        _check_weight(weight, input, "cross_entropy")
    shape = tuple(raw(input).shape)
    if tuple(getattr(raw(target), "shape", ())) == shape and _is_floating(target):
        axis = 0 if len(shape) == 1 else 1
        if reduction == "mean" and 0 in shape[:axis] + shape[axis + 1 :]:
            raise ShapeError(empty_batch("cross_entropy", shape))
        return _soft_cross_entropy(input, target, weight, axis=axis, reduction=reduction, label_smoothing=label_smoothing)
    x, labels, losses_shape = rows(input, target, reduction, "cross_entropy")
    # A label that is no class makes a sum of losses nan: looking at that one number is quicker than looking at all labels.
    later = reduction != "none" and x.shape[1] > 0 and not flags() & DEBUG
    if not later:
        check_labels(labels, x.shape[1], ignore_index, "cross_entropy")
    if weight is None:
        out = _cross_entropy(x, labels, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing)
    else:
        out = _weighted_cross_entropy(
            x, labels, weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing
        )
    if later and checkable(raw(labels)) and math.isnan(raw(out)):
        check_labels(labels, x.shape[1], ignore_index, "cross_entropy")
    return out if losses_shape is None else reshape(out, losses_shape)


def check_smoothing(label_smoothing: float) -> None:
    """Raise OptionError unless it is in [0, 1]."""
    if not 0 <= label_smoothing <= 1:
        raise OptionError(f"cross_entropy: label_smoothing is {label_smoothing}, expected 0 to 1")


@composite
def nll_loss(input: Any, target: Any, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean") -> Any:
    """The negative log-likelihood ``-weight[y] * input[y]`` of class labels y, from log-probabilities.

    Shapes, errors, `ignore_index` and the weighted mean as in :func:`cross_entropy` of class labels.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.nll_loss.html
    """
    check_reduction(reduction, "nll_loss")
    input = floating(input, None, "nll_loss")
    if weight is not None:
        _check_weight(weight, input, "nll_loss")
    x, labels, shape = rows(input, target, reduction, "nll_loss")
    check_labels(labels, x.shape[1], ignore_index, "nll_loss")
    out = _nll_loss(x, labels, weight, ignore_index=ignore_index, reduction=reduction)
    return out if shape is None else reshape(out, shape)


@derived
def _soft_cross_entropy(input: Any, target: Any, weight: Any, *, axis: int, reduction: str, label_smoothing: float) -> Any:
    """The cross-entropy with probabilities for targets."""
    shape = input.shape
    classes = shape[axis]
    if label_smoothing:
        target = narrow(wide(target) * (1 - label_smoothing) + label_smoothing / classes, target)
    if weight is not None:
        target = multiply(target, reshape(weight, (classes,) + (1,) * (len(shape) - axis - 1)))
    return reduced(-sum(multiply(log_softmax(input, axis), target), axis=axis), reduction)


def _check_weight(weight: Any, input: Any, name: str) -> None:
    shape = tuple(input.shape)
    classes = shape[0 if len(shape) == 1 else 1] if shape else 0
    if tuple(weight.shape) != (classes,):
        raise ShapeError(f"{name}: got weight {tuple(weight.shape)}, expected ({classes},), one per class of input {shape}")


def _is_floating(x: Any) -> bool:
    dtype = getattr(raw(x), "dtype", None)
    return dtype is not None and numpy_dtype(dtype).kind not in "biu"
