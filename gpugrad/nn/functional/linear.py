"""linear: x @ weight.T + bias, as one op."""

from __future__ import annotations

import math
from typing import Any

from gpugrad.arrays.dtypes import is_inexact, numpy_dtype
from gpugrad.errors import DTypeError, ShapeError
from gpugrad.families import A, fused
from gpugrad.ops.contraction import matmul
from gpugrad.ops.shape import expand_dims, matrix_transpose, reshape


def _rows(x: Any) -> Any:
    """x as a matrix: its leading axes collapsed into one, so that one product does for a batch of them."""
    shape = tuple(x.shape)
    return x if len(shape) == 2 else reshape(x, (math.prod(shape[:-1]), shape[-1]))


def _weight_rule(g: Any, input: Any) -> Any:
    if len(input.shape) == 1:
        return expand_dims(g, -1) * input
    return matmul(matrix_transpose(_rows(g)), _rows(input))


def _check(input: Any, weight: Any, bias: Any) -> None:
    """Raise what :func:`linear` says."""
    if not hasattr(input, "shape"):
        check_input(input, "linear")
    if input.dtype is not weight.dtype:
        check_kind(input, weight, "linear")
    x_shape, w_shape = input.shape, weight.shape
    if len(w_shape) != 2:
        raise ShapeError(f"linear: weight {tuple(w_shape)}, expected two axes, (out_features, in_features)")
    if not x_shape or x_shape[-1] != w_shape[1]:
        raise ShapeError(f"linear: input {tuple(x_shape)}, expected last dimension {w_shape[1]} for weight {tuple(w_shape)}")
    if bias is not None and (len(bias.shape) != 1 or bias.shape[0] != w_shape[0]):
        raise ShapeError(
            f"linear: bias {tuple(bias.shape)}, expected ({w_shape[0]},), one number per output of weight {tuple(w_shape)}"
        )


# The rule of the input is a linear again, so that it collapses leading axes too; the engine sums g over them for the bias.
@fused(
    compiles=False, check=_check,
    input=lambda g, weight: linear(g, matrix_transpose(weight)), weight=_weight_rule, bias=lambda g: g,
)  # fmt: skip
def linear(input: A, weight: Any, bias: Any = None) -> A:
    """x @ weight.T + bias.

    Shapes: input (..., in_features), weight (out_features, in_features), bias (out_features,) or None, result
    (..., out_features). Dtypes: floating; different ones promote.
    Raises ShapeError for any other shapes, DTypeError for an input that is no array or, with a floating weight, of integers,
    DeviceError if the devices differ.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.linear.html
    """
    x: Any = input
    leading = tuple(x.shape[:-1])
    out = matmul(_rows(x) if len(leading) > 1 else x, matrix_transpose(weight))
    if len(leading) > 1:
        out = reshape(out, (*leading, weight.shape[0]))
    result: A = out if bias is None else out + bias
    return result


def check_input(x: Any, name: str, what: str = "input") -> None:
    """Raise DTypeError for lists and whatever else is no array."""
    if not hasattr(x, "shape"):
        raise DTypeError(f"{name}: the {what} is {type(x).__name__}, expected a Tensor or an array; convert it with gg.asarray")


def check_kind(x: Any, weight: Any, name: str) -> None:
    """Raise DTypeError for an input of integers or booleans beside a floating weight: with them it would compute in float64."""
    if not is_inexact(x.dtype) and is_inexact(weight.dtype):
        raise DTypeError(
            f"{name}: input has dtype {numpy_dtype(x.dtype)}, expected floating-point for a weight of {numpy_dtype(weight.dtype)}; "
            "convert it with .astype(gg.float32)"
        )
