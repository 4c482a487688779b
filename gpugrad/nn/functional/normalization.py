"""layer_norm and rms_norm: each row scaled by its own statistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpugrad.derived import derived
from gpugrad.errors import DTypeError, ShapeError
from gpugrad.families import A, composite
from gpugrad.nn.functional.linear import check_input
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.nn.functional.softmax import floating
from gpugrad.ops.dtypes import finfo
from gpugrad.ops.elementwise import add, multiply, sqrt, square
from gpugrad.ops.reduction import mean, var

# One division and one root for a row, and a product for each of its elements. The variance is that of two passes, the mean first:
# mean(x * x) - mean(x) ** 2 would lose all digits for rows far from 0.
# Functions in place of operators: the input may be a raw array where the weight is a Tensor.


@derived
def _layer_norm(input: Any, weight: Any, bias: Any, axes: int, eps: float) -> Any:
    x = wide(input)
    last = tuple(range(-axes, 0))
    out = (x - mean(x, axis=last, keepdims=True)) * (1 / sqrt(var(x, axis=last, keepdims=True) + eps))
    return narrow(_affine(out, weight, bias), input)


@derived
def _rms_norm(input: Any, weight: Any, axes: int, eps: float) -> Any:
    x = wide(input)
    last = tuple(range(-axes, 0))
    return narrow(_affine(x * (1 / sqrt(mean(square(x), axis=last, keepdims=True) + eps)), weight, None), input)


def _affine(x: Any, weight: Any, bias: Any) -> Any:
    if weight is not None:
        x = multiply(x, weight)
    return x if bias is None else add(x, bias)


@composite
def layer_norm(input: A, normalized_shape: int | Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5) -> A:
    """(x - mean(x)) / sqrt(var(x) + eps) * weight + bias, mean and variance (that of the data, divided by n) over the last axes.

    `normalized_shape` is the shape of these axes, or the size of the last one.
    Shapes: input (..., *normalized_shape), weight and bias normalized_shape or None, result that of input. Dtypes: real
    floating; different ones promote, but 16 bits are computed with in float32, and the result then has the dtype of input.
    Raises ShapeError for other shapes and where there is nothing to normalize, DTypeError for other dtypes.
    Source: J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer normalization", 2016.
    """
    shape = _checked("layer_norm", input, normalized_shape, weight=weight, bias=bias)
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
    eps = float(finfo(input.dtype).eps if eps is None else eps)  # type: ignore[attr-defined]
    out: A = _rms_norm(input, weight, len(shape), eps)
    return out


def normal_shape(normalized_shape: int | Sequence[int], name: str) -> tuple[int, ...]:
    """The shape that an int or a sequence of ints says. Raises ShapeError for one without axes or elements."""
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape or min(shape) < 1:
        raise ShapeError(f"{name}: normalized_shape is {normalized_shape!r}, expected one or more sizes, each 1 or more")
    return shape


def _checked(name: str, input: Any, normalized_shape: int | Sequence[int], **affine: Any) -> tuple[int, ...]:
    """The normalized shape; all arguments are checked."""
    check_input(input, name)
    floating(input, None, name)
    shape = normal_shape(normalized_shape, name)
    given = tuple(input.shape)
    if given[-len(shape) :] != shape:
        raise ShapeError(
            f"{name}: got input {given} and normalized_shape {shape}, expected an input whose last axes have that shape"
        )
    for argument, x in affine.items():
        if x is None:
            continue
        if not hasattr(x, "shape"):
            raise DTypeError(f"{name}: {argument} is {type(x).__name__}, expected a Tensor or an array")
        if tuple(x.shape) != shape:
            raise ShapeError(f"{name}: got {argument} {tuple(x.shape)}, expected the normalized_shape {shape}")
        floating(x, None, f"{name}, {argument}")
    return shape
