"""What all losses share: their operands checked, and what becomes of the losses of single elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from gpugrad.arrays.devices import Device, device_of
from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.compile.symbols import current_trace
from gpugrad.derived import derived
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.nn.functional.softmax import floating
from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import divide, multiply
from gpugrad.ops.reduction import mean, sum
from gpugrad.tape import Tensor

REDUCTIONS = ("mean", "sum", "none")


def check_reduction(reduction: str, name: str, allowed: Sequence[str] = REDUCTIONS) -> None:
    """Raise OptionError unless it is one of those allowed."""
    if reduction not in allowed:
        *first, last = map(repr, allowed)
        raise OptionError(f"{name}: reduction is {reduction!r}, expected {', '.join(first)} or {last}")


def reduced(losses: Any, reduction: str, counts: Any = None) -> Any:
    """The losses, their sum, or their mean: over all, or over as many as `counts` sums up to."""
    if reduction == "none":
        return losses
    terms = wide(losses)
    out = sum(terms) if reduction == "sum" else mean(terms) if counts is None else divide(sum(terms), sum(wide(counts)))
    return narrow(out, losses)


def elementwise_loss(formula: Callable[..., Any]) -> Callable[..., Any]:
    """The loss ``formula(input, *others, **options)`` reduced: a function with `reduction` among its options.

    The formula gives one loss for each element, or row, or what it may be; or those and what their mean is over. Numbers of 16
    bits come as float32, and the loss is rounded to the dtype of the input at the end.
    """

    def loss(input: Any, *others: Any, reduction: str, **options: Any) -> Any:
        """The formula, in float32 or wider, reduced and rounded."""
        found = formula(wide(input), *(None if x is None else wide(x) for x in others), **options)
        losses, counts = found if isinstance(found, tuple) else (found, None)
        return narrow(reduced(losses, reduction, counts), input)

    loss.__name__ = formula.__name__
    return derived(loss)


def together(*operands: Any) -> list[Any]:
    """The operands, all Tensors if one is: an array library's operator may refuse a Tensor before the Tensor is asked."""
    if not any(isinstance(x, Tensor) for x in operands):
        return list(operands)
    return [x if x is None or isinstance(x, Tensor) else Tensor(x) for x in operands]


def alike(x: Any, like: Any) -> Any:
    """x, in the dtype of `like` if it is of integers or booleans, which arrays do not promote as a loss needs it."""
    return astype(x, like.dtype) if numpy_dtype(x.dtype).kind in "biu" else x


def operands(name: str, reduction: str, input: Any, **others: Any) -> list[Any]:
    """The operands of a loss of corresponding elements, checked by :func:`check_same`; those that are None stay so.

    Raises DTypeError unless `input` is floating-point; others of integers are converted.
    """
    check_reduction(reduction, name)
    check_same(name, reduction, input, **others)
    input = floating(input, None, name)
    return together(input, *(None if x is None else alike(x, input) for x in others.values()))


def check_same(name: str, reduction: str, input: Any, **others: Any) -> None:
    """Raise DTypeError for what is no array, ShapeError unless all have one shape, and for the mean of nothing."""
    for given, x in {"input": input, **others}.items():
        if x is not None and not (hasattr(x, "shape") and hasattr(x, "dtype")):
            raise DTypeError(f"{name}: {given} is {type(x).__name__}, expected a Tensor or an array")
    shape = tuple(input.shape)
    for given, x in others.items():
        if x is not None and tuple(x.shape) != shape:
            raise ShapeError(
                f"{name}: got input {shape} and {given} {tuple(x.shape)}, expected equal shapes; reshape or broadcast one first"
            )
    check_not_empty(name, reduction, shape)


def check_not_empty(name: str, reduction: str, shape: tuple[int, ...]) -> None:
    """Raise ShapeError for the mean of nothing."""
    if "mean" in reduction and 0 in shape:
        raise ShapeError(
            f"{name}: the input of shape {shape} is empty and has no mean; skip empty batches, or use reduction='sum'"
        )


def check_broadcast(name: str, given: str, x: Any, shape: tuple[int, ...]) -> None:
    """Raise ShapeError unless x, if there is one, broadcasts to `shape`."""
    if x is None:
        return
    own = tuple(x.shape)
    fits = len(own) <= len(shape) and all(n in (1, m) for n, m in zip(own[::-1], shape[::-1], strict=False))
    if not fits:
        raise ShapeError(f"{name}: got {given} {own}, expected a shape that broadcasts to that of the input, {shape}")


def checkable(array: Any) -> bool:
    """Whether elements of a raw array may be looked at: not on a GPU, which would have to be waited for, nor while traced."""
    device = None if isinstance(array, numpy.ndarray) else device_of(array)
    return not (isinstance(device, Device) and device.type == "cuda") and current_trace() is None


def weighted(losses: Any, weight: Any) -> Any:
    """The losses times their weights, if there are any."""
    return losses if weight is None else multiply(losses, weight)
