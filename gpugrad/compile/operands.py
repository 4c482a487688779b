"""Operands of the functions on Symbols: Symbols, NumPy's scalars and Python numbers, told apart, checked, and made nodes of the graph."""

from __future__ import annotations

import builtins
import operator
from typing import Any

import numpy

from gpugrad.arrays.dtypes import DType
from gpugrad.compile.graph import Node, Shape
from gpugrad.compile.sizes import Size, same, value
from gpugrad.compile.sizes import axis as axis_size
from gpugrad.compile.symbols import Symbol, Trace, check_dtype, current_trace
from gpugrad.debug import caller
from gpugrad.errors import ShapeError, TracingError, UntraceableError

Axes = int | tuple[int, ...] | None
Operand = Any


def this_trace() -> Trace:
    trace = current_trace()
    if trace is None:
        raise TracingError(
            f"a traced array was used after its trace had ended, at {caller()}; return arrays from a fused function instead of keeping them"
        )
    return trace


def is_weak(x: Operand) -> builtins.bool:
    """Whether an operand adapts to the dtype of others: a Python number, a size, a number of the trace."""
    return x.is_number if isinstance(x, Symbol) else isinstance(x, (builtins.bool, int, float, complex, Size))


def spec_of(x: Operand) -> Any:
    """What an operand contributes to promotion: its dtype, or the type of a Python number."""
    if isinstance(x, Symbol):
        return float if x.is_number else x.dtype
    if isinstance(x, Size):
        return int
    if hasattr(x, "dtype"):
        return x.dtype
    for kind in (builtins.bool, int, float):  # of which the numbers of an enumeration may be subclasses
        if isinstance(x, kind):
            return kind
    return type(x)


def check_operand(x: Operand) -> Operand:
    """An operand that a graph can hold. Raises TracingError for an array that is no argument of the traced function."""
    trace = this_trace()
    if isinstance(x, Symbol):
        if x.trace is not trace:
            raise trace.fail("an array of another trace was used", "pass it as an argument")
        return x
    if isinstance(x, complex):
        raise UntraceableError("kernels compute with real numbers")
    if isinstance(x, (builtins.bool, int, float, Size)):
        return x
    if isinstance(x, numpy.generic) or (isinstance(x, numpy.ndarray) and x.ndim == 0):
        check_dtype(x.dtype)
        return x if isinstance(x, numpy.generic) else x[()]
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        raise trace.fail(
            f"an array that is no argument was used ({x.dtype} {tuple(x.shape)})",
            "pass it to the fused function as an argument",
        )
    raise TypeError(f"got {type(x).__name__}, expected an array or a number")


def node_of(x: Operand, dtype: DType) -> Node:
    """The node of an operand in `dtype`."""
    graph = this_trace().graph
    if isinstance(x, Symbol):
        return graph.weak(x.node, dtype) if x.is_number else graph.cast(x.node, dtype)
    if isinstance(x, Size):
        return graph.weak(graph.size(x), dtype)
    return graph.constant(x, check_dtype(dtype))


def symbol_of(node: Node) -> Symbol:
    check_dtype(node.dtype)
    return this_trace().symbol(node)


def shape_of(x: Operand) -> Shape:
    return x.shape if isinstance(x, Symbol) else ()


def broadcast(*shapes: Shape) -> Shape:
    """The shape that arrays of these shapes broadcast to. Raises ShapeError."""
    out: list[Any] = []
    for i in range(1, builtins.max(map(len, shapes), default=0) + 1):
        sizes = [s[-i] for s in shapes if len(s) >= i]
        size: Any = 1
        for n in sizes:
            if same(n, 1) or same(n, size):
                continue
            if not same(size, 1) and n != size:
                given = " and ".join(map(shape_text, shapes))
                raise ShapeError(
                    f"{this_trace().name}: shapes {given} do not broadcast, at {caller()}: each pair of sizes, counted from the right, "
                    "must be equal or contain a 1"
                )
            size = n if same(size, 1) else size
        out.insert(0, size)
    return tuple(out)


def shape_given(shape: Any) -> Shape:
    """The shape that a caller gave."""
    sizes = shape if isinstance(shape, (tuple, list)) else (shape,)
    return tuple(axis_size(n if isinstance(n, Size) else operator.index(n)) for n in sizes)


def shape_text(shape: Shape) -> str:
    """The shape in the call being traced, for messages."""
    return str(tuple(map(value, shape)))


def axes_of(axis: Axes, ndim: int) -> tuple[int, ...]:
    """Non-negative axes. Raises ShapeError if one is out of range or given twice, TypeError for what is no integer."""
    given = tuple(range(ndim)) if axis is None else tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    for a in given:
        if isinstance(a, builtins.bool) or not hasattr(a, "__index__"):
            raise TypeError(f"axis {a!r} is no integer")
        if not -ndim <= a < ndim:
            raise ShapeError(f"{this_trace().name}: axis {a} is out of range for an array of {ndim} dimensions, at {caller()}")
    axes = tuple(operator.index(a) % ndim for a in given)
    if len(set(axes)) < len(axes):
        raise ShapeError(f"{this_trace().name}: axes {given} name one axis of {ndim} twice, at {caller()}")
    return axes
