"""Losses: cross_entropy, nll_loss, mse_loss."""

from __future__ import annotations

import math
from typing import Any

from array_api_compat import array_namespace

from gpugrad.arrays.devices import Device, device_of
from gpugrad.arrays.dtypes import int64, numpy_dtype
from gpugrad.compile.symbols import current_trace
from gpugrad.derived import derived
from gpugrad.errors import DTypeError, IndexingError, OptionError, ShapeError
from gpugrad.families import composite, fused
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.nn.functional.softmax import floating, log_softmax, softmax, softmax_vjp
from gpugrad.ops.creation import ones_like
from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import add, divide, logical_and, logical_or, multiply, square, subtract, where
from gpugrad.ops.indexing import take, take_along_axis
from gpugrad.ops.reduction import any, max, mean, min, sum
from gpugrad.ops.shape import expand_dims, moveaxis, reshape
from gpugrad.tape import raw

# Where one operand may be a raw array and the other a Tensor, functions stand in place of operators: an array library's operator
# may refuse a Tensor before the Tensor is asked.


def _reduced(losses: Any, reduction: str, counts: Any = None) -> Any:
    """The losses, their sum, or their mean: over all, or over as many as `counts` sums up to."""
    if reduction == "none":
        return losses
    terms = wide(losses)
    out = sum(terms) if reduction == "sum" else mean(terms) if counts is None else divide(sum(terms), sum(wide(counts)))
    return narrow(out, losses)


# From log-probabilities (N, C) and labels (N,): written in ops, differentiable in all but the labels --------------------


def _labels(target: Any, classes: int, ignore_index: int) -> tuple[Any, Any, Any]:
    """Which labels count, labels that are safe to index with, and which are out of range (possible on a GPU only)."""
    kept = target != ignore_index
    bad = logical_and(kept, logical_or(target < 0, target >= classes))
    return kept, where(logical_and(kept, target < classes), target, 0), bad


def _hot(labels: Any, classes: int) -> Any:
    """Booleans (N, classes), True at the labels."""
    labels = raw(labels)
    numbers = array_namespace(labels).arange(classes, device=getattr(labels, "device", None))
    return expand_dims(labels, 1) == numbers


# Not take_along_axis alone, whose rule adds up in memory: of a row just one element is taken, so its gradient is elementwise.
@fused(compiles=False, x=lambda g, labels, x_shape: where(_hot(labels, x_shape[1]), expand_dims(g, 1), 0), labels=None)
def _picked(x: Any, labels: Any, /) -> Any:
    return take_along_axis(x, expand_dims(labels, 1), axis=1)[:, 0]


def _nll(logp: Any, target: Any, weight: Any = None, *, ignore_index: int, reduction: str, label_smoothing: float = 0.0) -> Any:
    """The loss of nll_loss; with label smoothing, that of cross_entropy."""
    classes = logp.shape[1]
    kept, safe, bad = _labels(target, classes, ignore_index)
    losses = -_picked(logp, safe)
    counts = astype(kept, logp.dtype)
    if weight is not None:
        counts = multiply(counts, take(weight, safe, axis=0))
        losses = multiply(losses, take(weight, safe, axis=0))
    if label_smoothing:
        everywhere = -sum(logp if weight is None else multiply(logp, weight), axis=1)
        smoothed = add((1 - label_smoothing) * wide(losses), label_smoothing / classes * wide(everywhere))
        losses = narrow(smoothed, losses)
    return _reduced(where(bad, math.nan, where(kept, losses, 0)), reduction, counts)


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
    kept, _, bad = _labels(target, x.shape[1], ignore_index)
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
    expected = astype(_hot(target, classes), x.dtype) * (1 - label_smoothing) + label_smoothing / classes
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
    if not 0 <= label_smoothing <= 1:
        raise OptionError(f"cross_entropy: label_smoothing is {label_smoothing}, expected 0 to 1")
    input = floating(input, None, "cross_entropy")
    _check_weight(weight, input, "cross_entropy")
    if _is_floating(target) and tuple(target.shape) == tuple(input.shape):
        shape = tuple(input.shape)
        axis = 0 if len(shape) == 1 else 1
        if reduction == "mean" and 0 in shape[:axis] + shape[axis + 1 :]:
            raise ShapeError(_empty("cross_entropy", shape))
        return _soft_cross_entropy(input, target, weight, axis=axis, reduction=reduction, label_smoothing=label_smoothing)
    x, labels, losses_shape = _rows(input, target, reduction, ignore_index, "cross_entropy")
    if weight is None:
        out = _cross_entropy(x, labels, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing)
    else:
        out = _weighted_cross_entropy(
            x, labels, weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing
        )
    return out if losses_shape is None else reshape(out, losses_shape)


@composite
def nll_loss(input: Any, target: Any, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean") -> Any:
    """The negative log-likelihood ``-weight[y] * input[y]`` of class labels y, from log-probabilities.

    Shapes, errors, `ignore_index` and the weighted mean as in :func:`cross_entropy` of class labels.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.nll_loss.html
    """
    check_reduction(reduction, "nll_loss")
    input = floating(input, None, "nll_loss")
    _check_weight(weight, input, "nll_loss")
    x, labels, shape = _rows(input, target, reduction, ignore_index, "nll_loss")
    out = _nll_loss(x, labels, weight, ignore_index=ignore_index, reduction=reduction)
    return out if shape is None else reshape(out, shape)


@composite
def mse_loss(input: Any, target: Any, *, reduction: str = "mean") -> Any:
    """The squared error (input - target) ** 2: its mean, its sum, or each for `reduction` "none".

    Shapes: equal ones. PyTorch broadcasts with a warning, because (N, 1) against (N,) is nearly always a mistake; here it
    is an error. Dtypes: floating; different ones promote.
    Raises ShapeError if the shapes differ, or for the mean of no elements; OptionError for another `reduction`.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.mse_loss.html
    """
    check_reduction(reduction, "mse_loss")
    shape = tuple(input.shape)
    if shape != tuple(target.shape):
        raise ShapeError(
            f"mse_loss: got input {shape} and target {tuple(target.shape)}, expected equal shapes; reshape or broadcast one first"
        )
    if reduction == "mean" and 0 in shape:
        raise ShapeError(
            f"mse_loss: the input of shape {shape} is empty and has no mean; skip empty batches, or use reduction='sum'"
        )
    return _mse(input, target, reduction=reduction)


def _mse_rule(g: Any, input: Any, target: Any, reduction: str) -> Any:
    difference = subtract(input, target)
    twice = wide(difference) * 2
    g = wide(g) / math.prod(difference.shape) if reduction == "mean" else wide(g)
    return narrow(g * twice, difference)


# With a rule, since what it needs are the operands: nothing else is kept.
@fused(input=_mse_rule, target=lambda g, input, target, reduction: -_mse_rule(g, input, target, reduction))
def _mse(input: Any, target: Any, /, *, reduction: str) -> Any:
    difference = subtract(input, target)
    return narrow(_reduced(square(wide(difference)), reduction), difference)


@derived
def _soft_cross_entropy(input: Any, target: Any, weight: Any, *, axis: int, reduction: str, label_smoothing: float) -> Any:
    """The cross-entropy with probabilities for targets."""
    shape = input.shape
    classes = shape[axis]
    if label_smoothing:
        target = narrow(wide(target) * (1 - label_smoothing) + label_smoothing / classes, target)
    if weight is not None:
        target = multiply(target, reshape(weight, (classes,) + (1,) * (len(shape) - axis - 1)))
    return _reduced(-sum(multiply(log_softmax(input, axis), target), axis=axis), reduction)


def _rows(input: Any, target: Any, reduction: str, ignore_index: int, name: str) -> tuple[Any, Any, tuple[int, ...] | None]:
    """The operands as (N, C) and (N,), and the shape that single losses take if it is another; all checked."""
    if not hasattr(target, "shape"):
        raise DTypeError(f"{name}: the target is {type(target).__name__}, expected a Tensor or an array of class labels")
    given, labels = tuple(input.shape), tuple(target.shape)
    expected = given[:1] + given[2:] if len(given) > 1 else ()
    if not given or labels != expected:
        raise ShapeError(
            f"{name}: got input {given} and target {labels}, expected class labels of shape {expected} for logits of that shape "
            "(classes along axis 1)"
            if given
            else f"{name}: got input of shape (), expected (C,), (N, C) or (N, C, d1, ...)"
        )
    if numpy_dtype(target.dtype).kind not in "iu":
        raise DTypeError(
            f"{name}: got class labels of dtype {target.dtype}, expected integers; convert them with .astype(gg.int64)"
        )
    if reduction == "mean" and 0 in labels:
        raise ShapeError(_empty(name, given))
    target = astype(target, int64, copy=False)  # any ignore_index and any number of classes fits, which uint8 would not do
    _check_labels(raw(target), given[0 if len(given) == 1 else 1], ignore_index, name)
    if len(given) == 2:
        return input, target, None
    if len(given) > 2:
        input = reshape(moveaxis(input, 1, -1), (math.prod(labels), given[1]))
    else:
        input = expand_dims(input, 0)
    return input, reshape(target, (math.prod(labels),)), labels if reduction == "none" else None


def _check_labels(target: Any, classes: int, ignore_index: int, name: str) -> None:
    """Raise IndexingError for a label that is no class; not on a GPU, which would have to be waited for, nor while traced."""
    device = device_of(target)
    if (isinstance(device, Device) and device.type == "cuda") or current_trace() is not None:
        return
    if 0 in target.shape or (max(target) < classes and min(target) >= 0):
        return
    bad = logical_and(target != ignore_index, logical_or(target < 0, target >= classes))
    if any(bad):
        raise IndexingError(
            f"{name}: label {int(target[bad][0])} is out of range for {classes} classes, expected 0 to {classes - 1} "
            f"(or ignore_index={ignore_index})"
        )


def _check_weight(weight: Any, input: Any, name: str) -> None:
    if weight is None:
        return
    shape = tuple(input.shape)
    classes = shape[0 if len(shape) == 1 else 1] if shape else 0
    if tuple(weight.shape) != (classes,):
        raise ShapeError(f"{name}: got weight {tuple(weight.shape)}, expected ({classes},), one per class of input {shape}")


def check_reduction(reduction: str, name: str) -> None:
    """Raise OptionError unless it is one of the three reductions."""
    if reduction not in ("mean", "sum", "none"):
        raise OptionError(f"{name}: reduction is {reduction!r}, expected 'mean', 'sum' or 'none'")


def _is_floating(x: Any) -> bool:
    return hasattr(x, "dtype") and numpy_dtype(x.dtype).kind not in "biu"


def _empty(name: str, shape: tuple[int, ...]) -> str:
    return f"{name}: the batch of shape {shape} is empty and has no mean loss; skip empty batches, or use reduction='sum'"
