"""The Array API namespace of Symbols: functions that write nodes into the graph of the current trace.

They take what the functions of the standard take. What has no place in a kernel becomes a call between kernels (matmul, sort,
cumulative_sum); what no graph can hold, a result whose shape depends on data for instance, raises TracingError.
"""

from __future__ import annotations

import builtins
import math
import operator
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from gpugrad.arrays.dtypes import (
    DType,
    bool_,
    complex64,
    complex128,
    default_dtype,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    is_inexact,
    numpy_dtype,
    uint8,
    uint16,
    uint32,
    uint64,
)  # fmt: skip
from gpugrad.arrays.random import words_of
from gpugrad.compile.graph import BOOL, INT64, Node, Shape, operand_dtype, result_dtype, same_shape
from gpugrad.compile.sizes import Size, same, value
from gpugrad.compile.sizes import axis as axis_size
from gpugrad.compile.symbols import Device, Symbol, Trace, check_dtype, current_trace, evaluate
from gpugrad.debug import caller
from gpugrad.errors import IndexingError, ShapeError, TracingError, UntraceableError
from gpugrad.tape import Tensor

__all__ = [
    "bool", "complex64", "complex128", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16",
    "uint32", "uint64",
]  # fmt: skip
bool = bool_
__array_api_version__ = "2025.12"
e, inf, nan, newaxis, pi = numpy.e, numpy.inf, numpy.nan, None, numpy.pi

Axes = int | tuple[int, ...] | None
Operand = Any

UNARY = (
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "bitwise_invert", "ceil", "conj", "cos", "cosh", "erf", "exp", "expm1",
    "floor", "isfinite", "isinf", "isnan", "log", "log10", "log1p", "log2", "logical_not", "negative", "positive", "real",
    "reciprocal", "round", "sign", "signbit", "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc",
)  # fmt: skip
BINARY = (
    "add", "atan2", "bitwise_and", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "copysign", "divide",
    "equal", "floor_divide", "greater", "greater_equal", "hypot", "less", "less_equal", "logaddexp", "logical_and", "logical_or",
    "logical_xor", "maximum", "minimum", "multiply", "nextafter", "not_equal", "pow", "remainder", "subtract",
)  # fmt: skip
_COMPARISONS = {"equal": "eq", "greater": "gt", "greater_equal": "ge", "less": "lt", "less_equal": "le", "not_equal": "ne"}
_ROUNDING = frozenset({"ceil", "floor", "round", "trunc"})


# Operands -----------------------------------------------------------------------------------------------------------


def _trace() -> Trace:
    trace = current_trace()
    if trace is None:
        raise TracingError(
            f"a traced array was used after its trace had ended, at {caller()}; return arrays from a fused function instead of keeping them"
        )
    return trace


def _is_weak(x: Operand) -> builtins.bool:
    """Whether an operand adapts to the dtype of others: a Python number, a size, a number of the trace."""
    return x.is_number if isinstance(x, Symbol) else isinstance(x, (builtins.bool, int, float, complex, Size))


def _spec(x: Operand) -> Any:
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


def _checked(x: Operand) -> Operand:
    """An operand that a graph can hold. Raises TracingError for an array that is no argument of the traced function."""
    trace = _trace()
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


def _node(x: Operand, dtype: DType) -> Node:
    """The node of an operand in `dtype`."""
    graph = _trace().graph
    if isinstance(x, Symbol):
        return graph.weak(x.node, dtype) if x.is_number else graph.cast(x.node, dtype)
    if isinstance(x, Size):
        return graph.weak(graph.size(x), dtype)
    return graph.constant(x, check_dtype(dtype))


def _symbol(node: Node) -> Symbol:
    check_dtype(node.dtype)
    return _trace().symbol(node)


def _shape(x: Operand) -> Shape:
    return x.shape if isinstance(x, Symbol) else ()


def _broadcast(*shapes: Shape) -> Shape:
    """The shape that arrays of these shapes broadcast to. Raises ShapeError."""
    out: list[Any] = []
    for i in range(1, builtins.max(map(len, shapes), default=0) + 1):
        sizes = [s[-i] for s in shapes if len(s) >= i]
        size: Any = 1
        for n in sizes:
            if same(n, 1) or same(n, size):
                continue
            if not same(size, 1) and n != size:
                given = " and ".join(map(_text, shapes))
                raise ShapeError(
                    f"{_trace().name}: shapes {given} do not broadcast, at {caller()}: each pair of sizes, counted from the right, "
                    "must be equal or contain a 1"
                )
            size = n if same(size, 1) else size
        out.insert(0, size)
    return tuple(out)


def _given(shape: Any) -> Shape:
    """The shape that a caller gave."""
    sizes = shape if isinstance(shape, (tuple, list)) else (shape,)
    return tuple(axis_size(n if isinstance(n, Size) else operator.index(n)) for n in sizes)


def _text(shape: Shape) -> str:
    """The shape in the call being traced, for messages."""
    return str(tuple(map(value, shape)))


def _axes(axis: Axes, ndim: int) -> tuple[int, ...]:
    """Non-negative axes. Raises ShapeError if one is out of range or given twice, TypeError for what is no integer."""
    given = tuple(range(ndim)) if axis is None else tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    for a in given:
        if isinstance(a, builtins.bool) or not hasattr(a, "__index__"):
            raise TypeError(f"axis {a!r} is no integer")
        if not -ndim <= a < ndim:
            raise ShapeError(f"{_trace().name}: axis {a} is out of range for an array of {ndim} dimensions, at {caller()}")
    axes = tuple(operator.index(a) % ndim for a in given)
    if len(set(axes)) < len(axes):
        raise ShapeError(f"{_trace().name}: axes {given} name one axis of {ndim} twice, at {caller()}")
    return axes


# Elementwise --------------------------------------------------------------------------------------------------------


def elementwise(name: str, *operands: Operand) -> Any:
    """The elementwise function of that name; a Python bool for a comparison of numbers."""
    checked = [_checked(x) for x in operands]
    if builtins.all(map(_is_weak, checked)):
        return _of_numbers(name, checked)
    specs = [_spec(x) for x in checked]
    try:
        out, compute = result_dtype(name, *specs), operand_dtype(name, *specs)
    except TypeError:
        raise UntraceableError(f"{name} has no kernel for {', '.join(map(str, specs))}") from None
    if name.startswith("logical"):
        compute = BOOL
    if (
        name in _COMPARISONS
        and compute.kind == "f"
        and builtins.all(isinstance(s, numpy.dtype) and s.kind in "iu" for s in specs)
    ):
        raise UntraceableError(f"{name} has no kernel for {' and '.join(map(str, specs))}, which no type of C can hold alike")
    if name == "nextafter" and out.itemsize == 2:
        raise UntraceableError(f"nextafter has no kernel for {out}, which is computed with in float32")
    if name in _COMPARISONS and compute.kind in "iu":
        for i, x in enumerate(checked):  # where a number is out of range, all compare alike
            if _spec(x) is int and isinstance(x, int) and not numpy.iinfo(compute).min <= x <= numpy.iinfo(compute).max:
                return full(checked[1 - i].shape, getattr(operator, _COMPARISONS[name])(*((x, 0) if i == 0 else (0, x))))
    nodes = [_node(x, compute) for x in checked]
    if name in _ROUNDING and compute.kind in "iub":
        return _symbol(nodes[0])
    return _symbol(_trace().graph.apply(name, nodes, check_dtype(out), _broadcast(*map(_shape, checked))))


def _of_numbers(name: str, operands: list[Any]) -> Any:
    trace = _trace()
    if not builtins.any(isinstance(x, (Symbol, Size)) for x in operands):
        return numpy.asarray(evaluate(name, *operands)).item()
    if name in _COMPARISONS:
        return trace.decide(name, *operands)
    if len(operands) == 1:
        (x,) = operands
        if name in ("isnan", "isinf", "isfinite", "signbit", "logical_not"):
            return getattr(numpy, name)(float(x)).item()
        node = trace.graph.apply(name, [_node(x, float64)], float64, ())
        return trace.symbol(node, float(evaluate(name, x.hint)), number=True)
    return trace.number(name, *operands)


def _make(name: str) -> Callable[..., Any]:
    def function(*operands: Any) -> Any:
        return elementwise(name, *operands)

    function.__name__ = function.__qualname__ = name
    return function


for _name in (*UNARY, *BINARY):
    globals()[_name] = _make(_name)


def square(x: Any, /) -> Any:
    x = x if _is_weak(x) else astype(x, result_dtype("square", _spec(x)))
    return elementwise("multiply", x, x)


def reciprocal(x: Any, /) -> Any:
    if not _is_weak(x) and not is_inexact(x.dtype):
        raise UntraceableError(f"reciprocal has no kernel for {x.dtype}")
    return elementwise("divide", 1, x)


def where(condition: Any, x: Any, y: Any, /) -> Any:
    condition, x, y = (_checked(v) for v in (condition, x, y))
    dtype = result_type(x, y)
    if _is_weak(x) and _is_weak(y):
        if _is_weak(condition):
            chosen = x if condition else y
            return chosen * 1.0 if dtype.kind == "f" and not isinstance(chosen, (float, Symbol)) else chosen
        dtype = default_dtype(dtype.kind)  # no array gives two numbers a dtype
    nodes = [_node(condition, BOOL), _node(x, dtype), _node(y, dtype)]
    return _symbol(_trace().graph.apply("where", nodes, check_dtype(dtype), _broadcast(*map(_shape, (condition, x, y)))))


def clip(x: Any, /, min: Any = None, max: Any = None) -> Any:
    if min is not None:
        x = elementwise("maximum", x, min)
    return x if max is None else elementwise("minimum", x, max)


# Dtypes and creation ------------------------------------------------------------------------------------------------


def astype(x: Any, dtype: Any, /, *, copy: builtins.bool = True, device: Any = None) -> Any:
    x = _checked(x)
    return _symbol(_node(x, check_dtype(numpy_dtype(dtype))))


def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: Any = None) -> Any:
    obj = _checked(obj)
    if dtype is None:
        spec = _spec(obj)
        dtype = spec if isinstance(spec, numpy.dtype) else numpy.result_type(spec)
    return _symbol(_node(obj, check_dtype(numpy_dtype(dtype))))


def full(shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Any:
    return broadcast_to(asarray(fill_value, dtype=dtype), shape)


def zeros(shape: Any, *, dtype: Any = float64, device: Any = None) -> Any:
    return full(shape, 0, dtype=dtype)


def ones(shape: Any, *, dtype: Any = float64, device: Any = None) -> Any:
    return full(shape, 1, dtype=dtype)


def full_like(x: Any, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Any:
    return full(x.shape, fill_value, dtype=x.dtype if dtype is None else dtype)


def zeros_like(x: Any, /, *, dtype: Any = None, device: Any = None) -> Any:
    return full_like(x, 0, dtype=dtype)


def ones_like(x: Any, /, *, dtype: Any = None, device: Any = None) -> Any:
    return full_like(x, 1, dtype=dtype)


empty, empty_like = zeros, zeros_like


def eye(n_rows: Any, n_cols: Any = None, k: int = 0, *, dtype: Any = float64, device: Any = None) -> Any:
    rows, columns = arange(n_rows), arange(n_rows if n_cols is None else n_cols)
    return astype(elementwise("equal", expand_dims(rows, axis=1), elementwise("subtract", columns, k)), dtype)


def linspace(
    start: Any, stop: Any, /, num: Any, *, dtype: Any = None, device: Any = None, endpoint: builtins.bool = True
) -> Any:
    count = num - 1 if endpoint else num
    dtype = numpy_dtype(float64 if dtype is None else dtype)
    steps = astype(arange(num), float64)
    out = elementwise("add", elementwise("multiply", steps, (stop - start) / (1 if same(count, 0) else count)), start)
    if endpoint:  # exactly, whatever was rounded
        out = where(elementwise("equal", steps, count), stop, out)
    return astype(out, dtype)


def arange(start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None) -> Any:
    if stop is None:
        start, stop = 0, start
    if not builtins.all(isinstance(x, (int, Size)) for x in (start, stop, step)):
        raise UntraceableError("arange has kernels for integers only")
    count = stop - start if same(step, 1) else -((start - stop) // operator.index(step))
    steps = _trace().graph.node("iota", dtype=INT64, shape=(axis_size(count),))
    out = _symbol(steps)
    if not same(step, 1):
        out = elementwise("multiply", out, step)
    if not same(start, 0):
        out = elementwise("add", out, start)
    return out if dtype is None else astype(out, dtype)


def result_type(*arrays_and_dtypes: Any) -> DType:
    specs = [_spec(x) if isinstance(x, (Symbol, Size)) else x for x in arrays_and_dtypes]
    return numpy.result_type(*(s(1) if isinstance(s, type) else s for s in specs))


def can_cast(from_: Any, to: Any, /) -> builtins.bool:
    return numpy.can_cast(from_.dtype if isinstance(from_, Symbol) else from_, to)


finfo, iinfo, isdtype = numpy.finfo, numpy.iinfo, numpy.isdtype


# Shapes -------------------------------------------------------------------------------------------------------------


def broadcast_to(x: Any, /, shape: Any) -> Any:
    shape = _given(shape)
    common = _broadcast(x.shape, shape)
    if not (len(common) == len(shape) and builtins.all(map(operator.eq, common, shape))):
        raise ShapeError(
            f"{_trace().name}: an array of shape {_text(x.shape)} does not broadcast to {_text(shape)}, at {caller()}"
        )
    return _symbol(_trace().graph.broadcast(x.node, shape))


def broadcast_arrays(*arrays: Any) -> Any:
    shape = _broadcast(*(x.shape for x in arrays))
    return tuple(broadcast_to(x, shape) for x in arrays)


def reshape(x: Any, /, shape: Any, *, copy: Any = None) -> Any:
    given = _given(shape)
    total = x.size
    open_axes = [i for i, n in enumerate(given) if type(n) is int and n == -1]
    if open_axes:
        known: Any = 1
        for i, n in enumerate(given):
            known = known if i in open_axes else known * n
        if len(open_axes) > 1 or known == 0:
            raise ShapeError(
                f"{_trace().name}: the size of an axis does not follow from reshaping {_text(x.shape)} to {_text(given)}, at {caller()}"
            )
        given = tuple(axis_size(total // known) if i in open_axes else n for i, n in enumerate(given))
    new: Any = 1
    for n in given:
        new = new * n
    if builtins.any(value(n) < 0 for n in given) or not new == total:
        raise ShapeError(
            f"{_trace().name}: an array of shape {_text(x.shape)} cannot be reshaped to {_text(given)}, at {caller()}"
        )
    return _symbol(_trace().graph.reshape(x.node, given))


def expand_dims(x: Any, /, *, axis: int = 0) -> Any:
    (axis,) = _axes(axis, x.ndim + 1)
    return _symbol(_trace().graph.reshape(x.node, (*x.shape[:axis], 1, *x.shape[axis:])))


def squeeze(x: Any, /, axis: Axes) -> Any:
    dropped = _axes(axis, x.ndim)
    if not builtins.all(same(x.shape[a], 1) for a in dropped):
        raise ShapeError(f"{_trace().name}: axes {dropped} of shape {_text(x.shape)} cannot be squeezed, at {caller()}")
    return _symbol(_trace().graph.reshape(x.node, tuple(n for i, n in enumerate(x.shape) if i not in dropped)))


def permute_dims(x: Any, /, axes: tuple[int, ...]) -> Any:
    axes = _axes(tuple(axes), x.ndim)
    if sorted(axes) != list(range(x.ndim)):
        raise ShapeError(f"{_trace().name}: {axes} is no permutation of the axes of {_text(x.shape)}, at {caller()}")
    return _symbol(_trace().graph.permute(x.node, axes))


def matrix_transpose(x: Any, /) -> Any:
    if x.ndim < 2:
        raise ShapeError(
            f"{_trace().name}: matrix_transpose of shape {_text(x.shape)}, expected two axes or more, at {caller()}"
        )
    return permute_dims(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def moveaxis(x: Any, source: Any, destination: Any, /) -> Any:
    sources, destinations = _axes(source, x.ndim), _axes(destination, x.ndim)
    order = [i for i in range(x.ndim) if i not in sources]
    for d, s in sorted(zip(destinations, sources, strict=True)):
        order.insert(d, s)
    return permute_dims(x, tuple(order))


def flip(x: Any, /, *, axis: Axes = None) -> Any:
    axes = _axes(axis, x.ndim)
    return x[tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(x.ndim))]


def unstack(x: Any, /, *, axis: int = 0) -> Any:
    (axis,) = _axes(axis, x.ndim)
    return tuple(moveaxis(x, axis, 0))


def concat(arrays: Sequence[Any], /, *, axis: int | None = 0) -> Any:
    """Each element is of the first array whose end it is before. Raises ShapeError where shapes differ in another axis."""
    if axis is None:
        arrays, axis = [reshape(x, (-1,)) for x in arrays], 0
    (axis,) = _axes(axis, arrays[0].ndim)
    for x in arrays[1:]:
        if x.ndim != arrays[0].ndim or builtins.any(i != axis and n != x.shape[i] for i, n in enumerate(arrays[0].shape)):
            given = " and ".join(_text(y.shape) for y in arrays)
            raise ShapeError(
                f"{_trace().name}: shapes {given} cannot be joined along axis {axis}, at {caller()}: others must be equal"
            )
    total: Any = 0
    starts = []
    for x in arrays:
        starts.append(total)
        total = total + x.shape[axis]
    shape = (*arrays[0].shape[:axis], total, *arrays[0].shape[axis + 1 :])
    places = reshape(arange(total), (total, *(1,) * (arrays[0].ndim - axis - 1)))
    out = None
    for x, start in zip(arrays, starts, strict=True):
        padded = _pad(x, tuple((start if i == axis else 0, 1) for i in range(x.ndim)), shape)
        out = padded if out is None else where(elementwise("less", places, start), out, padded)
    return out


def stack(arrays: Sequence[Any], /, *, axis: int = 0) -> Any:
    (axis,) = _axes(axis, arrays[0].ndim + 1)
    return concat([expand_dims(x, axis=axis) for x in arrays], axis=axis)


def roll(x: Any, /, shift: int | tuple[int, ...], *, axis: Axes = None) -> Any:
    if axis is None:
        return reshape(roll(reshape(x, (-1,)), shift, axis=0), x.shape)
    shifts = shift if isinstance(shift, tuple) else (shift,)
    for a, by in zip(_axes(axis, x.ndim), shifts, strict=True):
        by %= operator.index(x.shape[a])
        if by:
            before = (slice(None),) * a
            x = concat([x[(*before, slice(-by, None))], x[(*before, slice(None, -by))]], axis=a)
    return x


def tril(x: Any, /, *, k: int = 0) -> Any:
    return where(_diagonals(x, k), x, zeros((), dtype=x.dtype))


def triu(x: Any, /, *, k: int = 0) -> Any:
    return where(_diagonals(x, k - 1), zeros((), dtype=x.dtype), x)


def _diagonals(x: Any, k: int) -> Any:
    """Where a matrix is on or below diagonal `k`."""
    rows, columns = arange(x.shape[-2]), arange(x.shape[-1])
    return elementwise("less_equal", columns, elementwise("add", expand_dims(rows, axis=1), k))


# Indexing -----------------------------------------------------------------------------------------------------------


def _basic(key: Any, shape: Shape) -> tuple[tuple[tuple[Any, int], ...], Shape, Shape]:
    """Of an index of ints, slices, None and Ellipsis: (start, step) of every axis, the shape that selects, the shape of the result.

    Raises UntraceableError for any other index, IndexingError for one out of range.
    """
    parts = list(key) if isinstance(key, tuple) else [key]
    plain = (int, Size, slice, numpy.integer)
    if builtins.any(not (p is None or p is Ellipsis or isinstance(p, plain)) or isinstance(p, builtins.bool) for p in parts):
        raise UntraceableError("indexing with arrays has no kernel; gg.take and gg.take_along_axis have")
    places = builtins.sum(p is not None and p is not Ellipsis for p in parts)
    if places > len(shape):
        raise IndexingError(f"{_trace().name}: {places} indices for an array of shape {_text(shape)}, at {caller()}")
    if Ellipsis not in parts:
        parts.append(Ellipsis)
    at = next(i for i, p in enumerate(parts) if p is Ellipsis)
    parts[at : at + 1] = [slice(None)] * (len(shape) - places)
    steps: list[tuple[Any, int]] = []
    selected: list[Any] = []
    out: list[Any] = []
    axes = iter(shape)
    for part in parts:
        if part is None:
            out.append(1)
            continue
        n = next(axes)
        if isinstance(part, slice):
            start, count, step = _range(part, n)
            steps.append((start, 1 if same(count, 1) else step))
            selected.append(count)
            out.append(count)
        else:
            index = part if isinstance(part, Size) else int(part)
            if not -value(n) <= value(index) < value(n):
                where_it_is = f"an axis of size {value(n)}, of shape {_text(shape)}, at {caller()}"
                raise IndexingError(f"{_trace().name}: index {value(index)} is out of range for {where_it_is}")
            steps.append((index + n if value(index) < 0 else index, 1))
            if not isinstance(n, Size) or not isinstance(index, Size):
                (index < n) if value(index) >= 0 else (-n <= index)  # as a guard, if n is known only at run time
            selected.append(1)
    return tuple(steps), tuple(selected), tuple(out)


def _range(part: slice, n: Any) -> tuple[Any, Any, int]:
    """(start, count, step) of a slice of an axis of size n."""
    step = 1 if part.step is None else operator.index(part.step)
    if (part.start, part.stop) == (None, None) and step in (1, -1):
        return (0 if step == 1 else n - 1), n, step
    if isinstance(n, Size) and step == 1 and builtins.all(x is None or type(x) is int for x in (part.start, part.stop)):
        start, stop = part.start or 0, n if part.stop is None else part.stop
        start = start if start >= 0 else n + start
        stop = stop if isinstance(stop, Size) or stop >= 0 else n + stop
        # Whether the limits lie within the axis is a guard; else Python's rules cut them off.
        if start >= 0 and start < stop and stop <= n:
            return start, axis_size(stop - start), 1
    start, stop, step = slice(*(None if x is None else operator.index(x) for x in (part.start, part.stop, part.step))).indices(
        operator.index(n)
    )
    return start, len(range(start, stop, step)), step


def getitem(x: Symbol, key: Any, /) -> Symbol:
    graph = _trace().graph
    steps, selected, out = _basic(key, x.shape)
    if builtins.any(same(n, 0) for n in selected):
        return full(out, 0, dtype=x.dtype)
    node = x.node
    if not (builtins.all(same(s, 0) and step == 1 for s, step in steps) and same_shape(selected, x.shape)):
        starts = tuple((_start(s), step) for s, step in steps)
        node = graph.node("slice", (node,), starts, dtype=x.dtype, shape=selected)
    return _symbol(graph.reshape(node, out))


def _start(start: Any) -> Any:
    """A start as an attribute that can be compared and hashed."""
    return start if type(start) is int else start.polynomial


def _pad(x: Any, steps: tuple[tuple[Any, int], ...], shape: Shape) -> Any:
    """Zeros of `shape` with element i of an axis of x at ``start + i * step``: the transpose of a slice."""
    graph = _trace().graph
    return _symbol(graph.node("pad", (x.node,), tuple((_start(s), step) for s, step in steps), dtype=x.dtype, shape=shape))


def _scatter_add(values: Any, /, key: Any, shape: Any, unique: builtins.bool) -> Any:
    if not unique:
        raise UntraceableError("the gradient of indexing with arrays has no kernel yet")
    steps, selected, out = _basic(key, shape)
    values = reshape(broadcast_to(values, out), selected)
    return _pad(values, steps, shape) if not same_shape(selected, shape) else values


def take_along_axis(x: Any, indices: Any, /, *, axis: int = -1) -> Any:
    """An index out of range gives nan, or 0 for integers: in a kernel nobody can be told."""
    (axis,) = _axes(axis, x.ndim)
    rest = _broadcast(*((*v.shape[:axis], *v.shape[axis + 1 :]) for v in (x, indices)))
    x = broadcast_to(x, (*rest[:axis], x.shape[axis], *rest[axis:]))
    indices = broadcast_to(indices, (*rest[:axis], indices.shape[axis], *rest[axis:]))
    node = _trace().graph.node(
        "gather",
        (x.node, _node(indices, INT64)),
        (axis,),
        dtype=x.dtype,
        shape=(*rest[:axis], indices.shape[axis], *rest[axis:]),
    )
    return _symbol(node)


def take(x: Any, indices: Any, /, *, axis: int | None = None) -> Any:
    if axis is None and x.ndim != 1:
        raise ShapeError(f"{_trace().name}: take needs an axis for an array of {x.ndim} dimensions, at {caller()}")
    (axis,) = _axes(0 if axis is None else axis, x.ndim)
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    return _symbol(_trace().graph.node("take", (x.node, _node(indices, INT64)), (axis,), dtype=x.dtype, shape=shape))


# Reductions ---------------------------------------------------------------------------------------------------------


def _reduce(kind: str, x: Any, axis: Axes, keepdims: builtins.bool) -> Any:
    axes = _axes(axis, x.ndim)
    if builtins.any(same(x.shape[a], 0) for a in axes):
        raise UntraceableError("reductions of no elements have no kernel")
    out = _symbol(_trace().graph.reduce(kind, x.node, axes))
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
    return math.prod(x.shape[a] for a in _axes(axis, x.ndim))


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
    nodes = [_node(x, x.dtype) for x in inputs]
    return _symbol(_trace().graph.node("call", nodes, (name, options), dtype=dtype, shape=shape))


def matmul(x: Any, y: Any, /) -> Any:
    dtype = numpy.result_type(x.dtype, y.dtype)
    left, right = x.shape, y.shape
    inner = right[-2 if len(right) > 1 else -1] if left and right else None
    if inner is None or not left[-1] == inner:
        raise ShapeError(
            f"{_trace().name}: matmul of shapes {_text(left)} and {_text(right)}: the inner sizes must be equal, at {caller()}"
        )
    stack_shape = _broadcast(left[:-2], right[:-2])
    return _call("matmul", (x, y), (), dtype, (*stack_shape, *left[-2:-1], *(right[-1:] if len(right) > 1 else ())))


def cumulative_sum(x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: builtins.bool = False) -> Any:
    return _cumulative("cumulative_sum", "sum", x, axis, dtype, include_initial)


def cumulative_prod(x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: builtins.bool = False) -> Any:
    return _cumulative("cumulative_prod", "prod", x, axis, dtype, include_initial)


def _cumulative(name: str, kind: str, x: Any, axis: int | None, dtype: Any, include_initial: builtins.bool) -> Any:
    if axis is None and x.ndim != 1:
        raise ShapeError(f"{_trace().name}: {name} needs an axis for an array of {x.ndim} dimensions, at {caller()}")
    (axis,) = _axes(0 if axis is None else axis, x.ndim)
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
    axes = _axes(axis, x.ndim)
    shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape) if keepdims or i not in axes)
    return _call(name, (x,), (("axis", axis), ("keepdims", keepdims)), INT64, shape)


# Symbols ------------------------------------------------------------------------------------------------------------

_OPERATORS = {
    "add": "add", "and": "bitwise_and", "floordiv": "floor_divide", "lshift": "bitwise_left_shift", "matmul": "matmul",
    "mod": "remainder", "mul": "multiply", "or": "bitwise_or", "pow": "pow", "rshift": "bitwise_right_shift", "sub": "subtract",
    "truediv": "divide", "xor": "bitwise_xor",
}  # fmt: skip
_DIVISIONS = frozenset({"divide", "floor_divide", "remainder"})
_UFUNCS = {getattr(numpy, name): name for name in (*UNARY, *BINARY) if isinstance(getattr(numpy, name, None), numpy.ufunc)}


def _operator(name: str, reflected: builtins.bool) -> Callable[[Any, Any], Any]:
    function = globals()[name]

    def operator_method(self: Any, other: Any, /) -> Any:
        if isinstance(other, Tensor):
            return NotImplemented  # which takes the Symbol as an operand, and records
        x, y = (other, self) if reflected else (self, other)
        if name in _DIVISIONS and _is_weak(x) and _is_weak(y) and y == 0:
            raise ZeroDivisionError(f"{_trace().name}: a number was divided by zero at {caller()}")
        try:
            return function(x, y)
        except TypeError as error:
            if isinstance(error, TracingError):
                raise
            return NotImplemented

    return operator_method


def _in_place(dunder: str) -> Callable[[Any, Any], Any]:
    """``x += y``: numbers are rebound, as are results of shape (), which NumPy has as scalars; arrays would change for all who hold them."""

    def in_place_method(self: Any, other: Any, /) -> Any:
        if isinstance(other, Tensor) or self.is_number or (self.shape == () and self.node.op != "input"):
            return NotImplemented  # then Python asks for x + y
        raise self.trace.fail(
            f"an array was changed in place (__{dunder}__)", "write x = x + y for x += y, which makes a new array"
        )

    return in_place_method


def _array_ufunc(self: Symbol, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
    """What NumPy's functions call for a Symbol: so do NumPy's scalars with an operator."""
    name = _UFUNCS.get(ufunc)
    if name is None or method != "__call__" or options:
        raise self.trace.fail(f"numpy.{ufunc.__name__} was called", "use gpugrad's functions")
    return elementwise(name, *inputs)


def _setitem(self: Symbol, key: Any, values: Any, /) -> None:
    raise self.trace.fail("an array was written to", "return a new array, made with gg.where or gg.concat")


def _attach() -> None:
    functions = globals()
    for dunder, name in _OPERATORS.items():
        setattr(Symbol, f"__{dunder}__", _operator(name, False))
        setattr(Symbol, f"__r{dunder}__", _operator(name, True))
        setattr(Symbol, f"__i{dunder}__", _in_place(f"i{dunder}"))
    for name, dunder in _COMPARISONS.items():
        setattr(Symbol, f"__{dunder}__", _operator(name, False))
    for dunder, name in (("abs", "abs"), ("invert", "bitwise_invert"), ("neg", "negative"), ("pos", "positive")):
        setattr(Symbol, f"__{dunder}__", functions[name])
    for dunder, function in (("getitem", getitem), ("setitem", _setitem), ("array_ufunc", _array_ufunc)):
        setattr(Symbol, f"__{dunder}__", function)
    Symbol.__array_namespace__ = lambda self, /, *, api_version=None: sys.modules[__name__]  # type: ignore[attr-defined]


def _put(x: Any, value: Any, /, key: Any) -> Any:
    """A copy of x in which ``x[key]`` is `value`."""
    steps, selected, out = _basic(key, x.shape)
    values = reshape(broadcast_to(asarray(value, dtype=x.dtype), out), selected)
    if same_shape(selected, x.shape):
        return values
    written = _pad(broadcast_to(asarray(True), selected), steps, x.shape)
    return where(written, _pad(values, steps, x.shape), x)


def _astype_like(x: Any, /, complex: builtins.bool) -> Any:
    if complex:
        raise UntraceableError("kernels compute with real numbers")
    return x


def _random_state(x: Any, take: Callable[[int], Any], width: int) -> Any:
    """See ``ops/random_bits.py``: each call of the traced function takes its own."""
    return _trace().draw(x.size, lambda count: take(words_of(count, width)))


def _bernoulli_mask(x: Any, state: Any, threshold: Any, width: int, /) -> Any:
    dtype = uint32 if width == 32 else uint64
    node = _trace().graph.node("philox", (state.node,), dtype=dtype, shape=x.shape)
    return elementwise("less", _symbol(node), astype(threshold, dtype))


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    raise UntraceableError(f"{name} has no kernel")


_attach()
Device.namespace = sys.modules[__name__]
# What the ops of gpugrad run on Symbols: as on other arrays of the standard, but numbers and sizes may stand beside them.
Symbol.__gpugrad_kernels__ = {name: globals()[name] for name in (*UNARY, *BINARY)} | {  # type: ignore[attr-defined]
    "where": where, "clip": lambda x, low, high, /: clip(x, low, high), "getitem": lambda x, /, key: getitem(x, key), "put": _put,
    "scatter_add": _scatter_add, "owned": lambda x, alone, /: x, "astype_like": _astype_like,
    "random_state": _random_state, "bernoulli_mask": _bernoulli_mask,
}  # fmt: skip
