"""Class labels: checked, safe to index with, and what of log-probabilities they pick."""

from __future__ import annotations

import math
from typing import Any

from array_api_compat import array_namespace

from gpugrad.arrays.dtypes import int64, numpy_dtype
from gpugrad.arrays.kernels import Kernels
from gpugrad.errors import DTypeError, IndexingError, ShapeError
from gpugrad.families import fused
from gpugrad.nn.functional.reduction import checkable
from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import logical_and, logical_not, logical_or, where
from gpugrad.ops.indexing import take_along_axis
from gpugrad.ops.reduction import any, max, min
from gpugrad.ops.shape import expand_dims, moveaxis, reshape
from gpugrad.tape import raw


def _are_labels_definition(target: Any, classes: int, /) -> bool:
    return bool(max(target) < classes and min(target) >= 0)


_ARE_LABELS = Kernels("are_labels", _are_labels_definition, standard=False)


def labels_of(target: Any, classes: int, ignore_index: int) -> tuple[Any, Any, Any]:
    """Which labels count, labels that are safe to index with, and which of those that count are no class."""
    kept = target != ignore_index
    fits = logical_and(target >= 0, target < classes)
    return kept, where(logical_and(kept, fits), target, 0), logical_and(kept, logical_not(fits))


def hot(labels: Any, classes: int) -> Any:
    """Booleans (..., classes), True at the labels."""
    labels = raw(labels)
    numbers = array_namespace(labels).arange(classes, device=getattr(labels, "device", None))
    return expand_dims(labels, -1) == numbers


# Not take_along_axis alone, whose rule adds up in memory: of a row just one element is taken, so its gradient is elementwise.
@fused(compiles=False, x=lambda g, labels, x_shape: where(hot(labels, x_shape[1]), expand_dims(g, 1), 0), labels=None)
def picked(x: Any, labels: Any, /) -> Any:
    """x (N, C, ...) and labels (N, ...) -> (N, ...): of the elements along axis 1 the one that the label names."""
    return take_along_axis(x, expand_dims(labels, 1), axis=1)[:, 0]


def rows(input: Any, target: Any, reduction: str, name: str) -> tuple[Any, Any, tuple[int, ...] | None]:
    """The operands as (N, C) and (N,), and the shape that single losses take if it is another; checked but for :func:`check_labels`."""
    array = raw(target)
    if not hasattr(array, "shape"):
        raise DTypeError(f"{name}: the target is {type(target).__name__}, expected a Tensor or an array of class labels")
    given, labels = tuple(raw(input).shape), tuple(array.shape)
    expected = given[:1] + given[2:] if len(given) > 1 else ()
    dtype = numpy_dtype(array.dtype)
    if not given or labels != expected:
        raise ShapeError(
            f"{name}: got input {given} and target {labels}, expected class labels of shape {expected} for logits of that shape "
            "(classes along axis 1)"
            if given
            else f"{name}: got input of shape (), expected (C,), (N, C) or (N, C, d1, ...)"
        )
    if dtype.kind not in "iu":
        raise DTypeError(
            f"{name}: got class labels of dtype {target.dtype}, expected integers; convert them with .astype(gg.int64)"
        )
    if reduction == "mean" and 0 in labels:
        raise ShapeError(empty_batch(name, given))
    if dtype != int64:
        target = astype(target, int64)  # any ignore_index and any number of classes fits, which uint8 would not do
    if len(given) == 2:
        return input, target, None
    if len(given) > 2:
        input = reshape(moveaxis(input, 1, -1), (math.prod(labels), given[1]))
    else:
        input = expand_dims(input, 0)
    return input, reshape(target, (math.prod(labels),)), labels if reduction == "none" else None


def check_labels(target: Any, classes: int, ignore_index: int | None, name: str) -> None:
    """Raise IndexingError for a label that is no class; not on a GPU, which would have to be waited for, nor while traced."""
    target = raw(target)
    if not checkable(target) or 0 in target.shape or _ARE_LABELS[type(target)](target, classes):
        return
    bad = logical_or(target < 0, target >= classes)
    bad = bad if ignore_index is None else logical_and(target != ignore_index, bad)
    if any(bad):
        other = "" if ignore_index is None else f" (or ignore_index={ignore_index})"
        raise IndexingError(
            f"{name}: label {int(target[bad][0])} is out of range for {classes} classes, expected 0 to {classes - 1}{other}"
        )


def empty_batch(name: str, shape: tuple[int, ...]) -> str:
    """The text of the error for the mean of an empty batch."""
    return f"{name}: the batch of shape {shape} is empty and has no mean loss; skip empty batches, or use reduction='sum'"
