"""What reduces Symbols, in kernels, and what no kernel does: calls between kernels (matmul, sort, cumulative_sum)."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import Any

import numpy

from gpugrad.arrays.dtypes import DType, float64, is_inexact, numpy_dtype
from gpugrad.compile.functions import astype, elementwise, reshape
from gpugrad.compile.graph import BOOL, INT64, Shape
from gpugrad.compile.operands import Axes, axes_of, broadcast, check_operand, node_of, shape_text, symbol_of, this_trace
from gpugrad.compile.sizes import same
from gpugrad.debug import caller
from gpugrad.errors import ShapeError, UntraceableError

# Reductions ---------------------------------------------------------------------------------------------------------


def _reduce(kind: str, x: Any, axis: Axes, keepdims: builtins.bool) -> Any:
    axes = axes_of(axis, x.ndim)
    if builtins.any(same(x.shape[a], 0) for a in axes):
        raise UntraceableError("reductions of no elements have no kernel")
    out = symbol_of(this_trace().graph.reduce(kind, x.node, axes))
    return reshape(out, tuple(1 if i in axes else n for i, n in enumerate(x.shape))) if keepdims else out


def _sum_dtype(kind: str, x: Any, dtype: Any) -> DType:
    """The dtype of a sum or product, by `kind`, of elements of `x`: the one asked for, or NumPy's."""
    found: DType = numpy_dtype(dtype) if dtype is not None else getattr(numpy, kind)(numpy.ones(1, x.dtype)).dtype
    return found


def _sum_like(kind: str, x: Any, axis: Axes, dtype: Any, keepdims: builtins.bool) -> Any:
    return _reduce(kind, astype(x, _sum_dtype(kind, x, dtype)), axis, keepdims)


def sum(x: Any, /, *, axis: Axes = None, dtype: Any = None, keepdims: builtins.bool = False) -> Any:
    return _sum_like("sum", x, axis, dtype, keepdims)


def prod(x: Any, /, *, axis: Axes = None, dtype: Any = None, keepdims: builtins.bool = False) -> Any:
    return _sum_like("prod", x, axis, dtype, keepdims)


def max(x: Any, /, *, axis: Axes = None, keepdims: builtins.bool = False) -> Any:
    return _reduce("max", x, axis, keepdims)


def min(x: Any, /, *, axis: Axes = None, keepdims: builtins.bool = False) -> Any:
    return _reduce("min", x, axis, keepdims)


def all(x: Any, /, *, axis: Axes = None, keepdims: builtins.bool = False) -> Any:
    return _reduce("all", astype(x, BOOL), axis, keepdims)


def any(x: Any, /, *, axis: Axes = None, keepdims: builtins.bool = False) -> Any:
    return _reduce("any", astype(x, BOOL), axis, keepdims)


def count_nonzero(x: Any, /, *, axis: Axes = None, keepdims: builtins.bool = False) -> Any:
    return sum(astype(x, BOOL), axis=axis, keepdims=keepdims, dtype=INT64)


def _count(x: Any, axis: Axes) -> Any:
    """How many elements a reduction makes one of."""
    return math.prod(x.shape[a] for a in axes_of(axis, x.ndim))


def mean(x: Any, /, *, axis: Axes = None, keepdims: builtins.bool = False) -> Any:
    if not is_inexact(x.dtype):
        x = astype(x, float64)
    return elementwise("divide", sum(x, axis=axis, keepdims=keepdims), _count(x, axis))


def var(x: Any, /, *, axis: Axes = None, correction: float = 0.0, keepdims: builtins.bool = False) -> Any:
    if not is_inexact(x.dtype):
        x = astype(x, float64)
    count = _count(x, axis) - (int(correction) if float(correction).is_integer() else correction)
    d = elementwise("subtract", x, mean(x, axis=axis, keepdims=True))
    total = sum(elementwise("multiply", d, d), axis=axis, keepdims=keepdims)
    return elementwise("divide", total, count if count > 0 else 0)


def std(x: Any, /, *, axis: Axes = None, correction: float = 0.0, keepdims: builtins.bool = False) -> Any:
    return elementwise("sqrt", var(x, axis=axis, correction=correction, keepdims=keepdims))


def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    return sum(elementwise("multiply", x1, x2), axis=axis)


# Calls between kernels ----------------------------------------------------------------------------------------------


def _call(name: str, inputs: Sequence[Any], options: tuple[tuple[str, Any], ...], dtype: DType, shape: Shape) -> Any:
    nodes = [node_of(x, x.dtype) for x in inputs]
    return symbol_of(this_trace().graph.node("call", nodes, (name, options), dtype=dtype, shape=shape))


def matmul(x: Any, y: Any, /) -> Any:
    x, y = check_operand(x), check_operand(y)
    dtype = numpy.result_type(x.dtype, y.dtype)
    left, right = x.shape, y.shape
    inner = right[-2 if len(right) > 1 else -1] if left and right else None
    if inner is None or not left[-1] == inner:
        raise ShapeError(
            f"{this_trace().name}: matmul of shapes {shape_text(left)} and {shape_text(right)}: the inner sizes must be equal, at {caller()}"
        )
    stack_shape = broadcast(left[:-2], right[:-2])
    return _call("matmul", (x, y), (), dtype, (*stack_shape, *left[-2:-1], *(right[-1:] if len(right) > 1 else ())))


def cumulative_sum(x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: builtins.bool = False) -> Any:
    return _cumulative("cumulative_sum", "sum", x, axis, dtype, include_initial)


def cumulative_prod(x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: builtins.bool = False) -> Any:
    return _cumulative("cumulative_prod", "prod", x, axis, dtype, include_initial)


def _cumulative(name: str, kind: str, x: Any, axis: int | None, dtype: Any, include_initial: builtins.bool) -> Any:
    if axis is None and x.ndim != 1:
        raise ShapeError(f"{this_trace().name}: {name} needs an axis for an array of {x.ndim} dimensions, at {caller()}")
    (axis,) = axes_of(0 if axis is None else axis, x.ndim)
    dtype = _sum_dtype(kind, x, dtype)
    shape = tuple(n + 1 if include_initial and i == axis else n for i, n in enumerate(x.shape))
    return _call(name, (astype(x, dtype),), (("axis", axis), ("include_initial", include_initial)), dtype, shape)


def sort(x: Any, /, *, axis: int = -1, descending: builtins.bool = False, stable: builtins.bool = True) -> Any:
    return _call("sort", (x,), (("axis", axis), ("descending", descending), ("stable", stable)), x.dtype, x.shape)


def argsort(x: Any, /, *, axis: int = -1, descending: builtins.bool = False, stable: builtins.bool = True) -> Any:
    return _call("argsort", (x,), (("axis", axis), ("descending", descending), ("stable", stable)), INT64, x.shape)


def argmax(x: Any, /, *, axis: int | None = None, keepdims: builtins.bool = False) -> Any:
    return _extreme_index("argmax", x, axis, keepdims)


def argmin(x: Any, /, *, axis: int | None = None, keepdims: builtins.bool = False) -> Any:
    return _extreme_index("argmin", x, axis, keepdims)


def _extreme_index(name: str, x: Any, axis: int | None, keepdims: builtins.bool) -> Any:
    axes = axes_of(axis, x.ndim)
    shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape) if keepdims or i not in axes)
    return _call(name, (x,), (("axis", axis), ("keepdims", keepdims)), INT64, shape)
