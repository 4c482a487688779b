"""layer_norm, rms_norm and group_norm: each row or group of channels scaled by its own statistics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from gpugrad.derived import derived
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.families import A, composite
from gpugrad.nn.functional.linear import check_input
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.nn.functional.softmax import floating
from gpugrad.ops.dtypes import finfo
from gpugrad.ops.elementwise import add, multiply, sqrt, square
from gpugrad.ops.reduction import mean, var
from gpugrad.ops.shape import reshape

# One division and one root for a row, and a product for each of its elements. The variance is that of two passes, the mean first:
# mean(x * x) - mean(x) ** 2 would lose all digits for rows far from 0.
# Functions in place of operators: the input may be a raw array where the weight is a Tensor.


def standardized(input: Any, weight: Any, bias: Any, axes: tuple[int, ...], eps: float) -> tuple[Any, Any, Any]:
    """(x - mean) / sqrt(var + eps) * weight + bias over these axes, and the mean and the variance, of 1 along the axes."""
    x = wide(input)
    centre, spread = mean(x, axis=axes, keepdims=True), var(x, axis=axes, keepdims=True)
    return narrow(affine((x - centre) * (1 / sqrt(spread + eps)), weight, bias), input), centre, spread


@derived
def _layer_norm(input: Any, weight: Any, bias: Any, axes: int, eps: float) -> Any:
    return standardized(input, weight, bias, tuple(range(-axes, 0)), eps)[0]


@derived
def _rms_norm(input: Any, weight: Any, axes: int, eps: float) -> Any:
    x = wide(input)
    last = tuple(range(-axes, 0))
    return narrow(affine(x * (1 / sqrt(mean(square(x), axis=last, keepdims=True) + eps)), weight, None), input)


def affine(x: Any, weight: Any, bias: Any) -> Any:
    """x * weight + bias, where both may be None."""
    if weight is not None:
        x = multiply(x, weight)
    return x if bias is None else add(x, bias)


@composite
def layer_norm(input: A, normalized_shape: int | Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5) -> A:
    """(x - mean(x)) / sqrt(var(x) + eps) * weight + bias, mean and variance (that of the data, divided by n) over the last axes.

    `normalized_shape` is the shape of these axes, or the size of the last one.
    Shapes: input (..., *normalized_shape), weight and bias normalized_shape or None, result that of input. Dtypes: real
    floating; different ones promote, but 16 bits are computed with in float32, and the result then has the dtype of input.
    Raises ShapeError for other shapes and where there is nothing to normalize, DTypeError for other dtypes, OptionError for `eps`
    of 0 or less, with which rows of equal numbers would be nan.
    Source: J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer normalization", 2016.
    """
    shape = _checked("layer_norm", input, normalized_shape, weight=weight, bias=bias)
    check_eps("layer_norm", eps)
    out: A = _layer_norm(input, weight, bias, len(shape), float(eps))
    return out


@composite
def rms_norm(input: A, normalized_shape: int | Sequence[int], weight: Any = None, eps: float | None = None) -> A:
    """x / sqrt(mean(x ** 2) + eps) * weight, the mean over the last axes. `eps` None is the distance from 1 to the next number of
    the input's dtype.

    Shapes, dtypes and errors as in :func:`layer_norm`.
    Source: B. Zhang, R. Sennrich, "Root mean square layer normalization", NeurIPS 2019.
    """
    shape = _checked("rms_norm", input, normalized_shape, weight=weight)
    check_eps("rms_norm", eps)
    eps = float(finfo(input.dtype).eps if eps is None else eps)  # type: ignore[attr-defined]
    out: A = _rms_norm(input, weight, len(shape), eps)
    return out


@composite
def group_norm(input: A, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> A:
    """(x - mean(x)) / sqrt(var(x) + eps) * weight + bias, mean and variance of each image over each group of channels.

    Shapes: input (N, C, ...) with C a multiple of `num_groups`, weight and bias (C,) or None, result that of input. Dtypes as in
    :func:`layer_norm`. Raises ShapeError for other shapes, DTypeError for other dtypes, OptionError for `eps` of 0 or less.
    Source: Y. Wu, K. He, "Group normalization", ECCV 2018.
    """
    shape = check_channels("group_norm", input, 2, weight=weight, bias=bias)
    check_eps("group_norm", eps)
    check_groups("group_norm", num_groups, shape[1], f"channels of input {shape}")
    split = (num_groups, shape[1] // num_groups, 1)
    groups = reshape(input, (shape[0], *split[:2], math.prod(shape[2:])))
    weight, bias = (x if x is None else reshape(x, split) for x in (weight, bias))
    out: A = reshape(_layer_norm(groups, weight, bias, 2, float(eps)), shape)
    return out


def check_eps(name: str, eps: float | None, kept: str = "rows of equal numbers") -> None:
    """Raise OptionError for what leaves nothing to divide by where a variance, or the norm of what is `kept` from it, is 0."""
    if eps is not None and not eps > 0:
        raise OptionError(f"{name}: eps is {eps}, expected a number above 0, which keeps {kept} from dividing by 0")


def check_groups(name: str, num_groups: int, channels: int, what: str) -> None:
    """Raise ShapeError unless so many groups divide the channels, which are those of `what`."""
    if not isinstance(num_groups, int) or num_groups < 1 or channels % num_groups:
        raise ShapeError(f"{name}: num_groups is {num_groups}, expected a divisor of the {channels} {what}")


def check_channels(name: str, input: Any, least: int, **vectors: Any) -> tuple[int, ...]:
    """The shape of the input, (N, C, ...) with `least` axes or more; arguments that are not None are checked to be (C,)."""
    check_input(input, name)
    floating(input, None, name)
    shape = tuple(input.shape)
    if len(shape) < least:
        raise ShapeError(f"{name}: input {shape}, expected (N, C, ...) of {least} or more axes")
    for argument, x in vectors.items():
        _check_operand(name, argument, x, shape[1:2], f"({shape[1]},), a number for each channel of input {shape}")
    return shape


def normal_shape(normalized_shape: int | Sequence[int], name: str) -> tuple[int, ...]:
    """The shape that an int or a sequence of ints says. Raises ShapeError for one without axes or elements."""
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape or min(shape) < 1:
        raise ShapeError(f"{name}: normalized_shape is {normalized_shape!r}, expected one or more sizes, each 1 or more")
    return shape


def _checked(name: str, input: Any, normalized_shape: int | Sequence[int], **operands: Any) -> tuple[int, ...]:
    """The normalized shape; all arguments are checked."""
    check_input(input, name)
    floating(input, None, name)
    shape = normal_shape(normalized_shape, name)
    given = tuple(input.shape)
    if given[-len(shape) :] != shape:
        raise ShapeError(
            f"{name}: got input {given} and normalized_shape {shape}, expected an input whose last axes have that shape"
        )
    for argument, x in operands.items():
        _check_operand(name, argument, x, shape, f"the normalized_shape {shape}")
    return shape


def _check_operand(name: str, argument: str, x: Any, shape: tuple[int, ...], expected: str) -> None:
    """Raise an error unless x is None or a floating-point array of this shape."""
    if x is None:
        return
    if not hasattr(x, "shape"):
        raise DTypeError(f"{name}: {argument} is {type(x).__name__}, expected a Tensor or an array")
    if tuple(x.shape) != shape:
        raise ShapeError(f"{name}: got {argument} {tuple(x.shape)}, expected {expected}")
    floating(x, None, f"{name}, {argument}")
