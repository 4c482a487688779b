"""What Symbols share with arrays: elementwise functions, creation, shapes and indexing, each of which writes nodes into the graph."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from gpugrad.arrays.dtypes import DType, default_dtype, float64, is_inexact, numpy_dtype
from gpugrad.arrays.dtypes import result_type as promoted
from gpugrad.compile.graph import BOOL, INT64, Shape, operand_dtype, result_dtype, same_shape
from gpugrad.compile.operands import (
    Axes,
    Operand,
    axes_of,
    broadcast,
    check_operand,
    is_weak,
    node_of,
    shape_given,
    shape_of,
    shape_text,
    spec_of,
    symbol_of,
    this_trace,
)
from gpugrad.compile.sizes import Size, same, value
from gpugrad.compile.sizes import axis as axis_size
from gpugrad.compile.symbols import Symbol, check_dtype, evaluate
from gpugrad.debug import caller
from gpugrad.errors import IndexingError, ShapeError, UntraceableError

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
COMPARISONS = {"equal": "eq", "greater": "gt", "greater_equal": "ge", "less": "lt", "less_equal": "le", "not_equal": "ne"}
_ROUNDING = frozenset({"ceil", "floor", "round", "trunc"})


# Elementwise --------------------------------------------------------------------------------------------------------


def elementwise(name: str, *operands: Operand) -> Any:
    """The elementwise function of that name; a Python bool for a comparison of numbers."""
    checked = [check_operand(x) for x in operands]
    if builtins.all(map(is_weak, checked)):
        return _of_numbers(name, checked)
    specs = [spec_of(x) for x in checked]
    try:
        out, compute = result_dtype(name, *specs), operand_dtype(name, *specs)
    except TypeError:
        raise UntraceableError(f"{name} has no kernel for {', '.join(map(str, specs))}") from None
    if name.startswith("logical"):
        compute = BOOL
    if (
        name in COMPARISONS
        and compute.kind == "f"
        and builtins.all(isinstance(s, numpy.dtype) and s.kind in "iu" for s in specs)
    ):
        raise UntraceableError(f"{name} has no kernel for {' and '.join(map(str, specs))}, which no type of C can hold alike")
    if name == "nextafter" and out.itemsize == 2:
        raise UntraceableError(f"nextafter has no kernel for {out}, which is computed with in float32")
    if name in COMPARISONS and compute.kind in "iu":
        for i, x in enumerate(checked):  # where a number is out of range, all compare alike
            if spec_of(x) is int and isinstance(x, int) and not numpy.iinfo(compute).min <= x <= numpy.iinfo(compute).max:
                return full(checked[1 - i].shape, getattr(operator, COMPARISONS[name])(*((x, 0) if i == 0 else (0, x))))
    nodes = [node_of(x, compute) for x in checked]
    if name in _ROUNDING and compute.kind in "iub":
        return symbol_of(nodes[0])
    return symbol_of(this_trace().graph.apply(name, nodes, check_dtype(out), broadcast(*map(shape_of, checked))))


def _of_numbers(name: str, operands: list[Any]) -> Any:
    trace = this_trace()
    if not builtins.any(isinstance(x, (Symbol, Size)) for x in operands):
        return numpy.asarray(evaluate(name, *operands)).item()
    if name in COMPARISONS:
        return trace.decide(name, *operands)
    if len(operands) == 1:
        (x,) = operands
        if name in ("isnan", "isinf", "isfinite", "signbit", "logical_not"):
            return getattr(numpy, name)(float(x)).item()
        node = trace.graph.apply(name, [node_of(x, float64)], float64, ())
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
    x = x if is_weak(x) else astype(x, result_dtype("square", spec_of(x)))
    return elementwise("multiply", x, x)


def reciprocal(x: Any, /) -> Any:
    if not is_weak(x) and not is_inexact(x.dtype):
        raise UntraceableError(f"reciprocal has no kernel for {x.dtype}")
    return elementwise("divide", 1, x)


def where(condition: Any, x: Any, y: Any, /) -> Any:
    condition, x, y = (check_operand(v) for v in (condition, x, y))
    dtype = result_type(x, y)
    if is_weak(x) and is_weak(y):
        if is_weak(condition):
            chosen = x if condition else y
            return chosen * 1.0 if dtype.kind == "f" and not isinstance(chosen, (float, Symbol)) else chosen
        dtype = default_dtype(dtype.kind)  # no array gives two numbers a dtype
    nodes = [node_of(condition, BOOL), node_of(x, dtype), node_of(y, dtype)]
    return symbol_of(this_trace().graph.apply("where", nodes, check_dtype(dtype), broadcast(*map(shape_of, (condition, x, y)))))


def clip(x: Any, /, min: Any = None, max: Any = None) -> Any:
    if min is not None:
        x = elementwise("maximum", x, min)
    return x if max is None else elementwise("minimum", x, max)


# Dtypes and creation ------------------------------------------------------------------------------------------------


def astype(x: Any, dtype: Any, /, *, copy: builtins.bool = True, device: Any = None) -> Any:
    x = check_operand(x)
    return symbol_of(node_of(x, check_dtype(numpy_dtype(dtype))))


def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: Any = None) -> Any:
    obj = check_operand(obj)
    if dtype is None:
        spec = spec_of(obj)
        dtype = spec if isinstance(spec, numpy.dtype) else numpy.result_type(spec)
    return symbol_of(node_of(obj, check_dtype(numpy_dtype(dtype))))


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
    steps = this_trace().graph.node("iota", dtype=INT64, shape=(axis_size(count),))
    out = symbol_of(steps)
    if not same(step, 1):
        out = elementwise("multiply", out, step)
    if not same(start, 0):
        out = elementwise("add", out, start)
    return out if dtype is None else astype(out, dtype)


def result_type(*arrays_and_dtypes: Any) -> DType:
    specs = [spec_of(x) if isinstance(x, (Symbol, Size)) else x for x in arrays_and_dtypes]
    return promoted(*(s(1) if isinstance(s, type) else s for s in specs))


def can_cast(from_: Any, to: Any, /) -> builtins.bool:
    return numpy.can_cast(from_.dtype if isinstance(from_, Symbol) else from_, to)


# Shapes -------------------------------------------------------------------------------------------------------------


def broadcast_to(x: Any, /, shape: Any) -> Any:
    shape = shape_given(shape)
    common = broadcast(x.shape, shape)
    if not (len(common) == len(shape) and builtins.all(map(operator.eq, common, shape))):
        raise ShapeError(
            f"{this_trace().name}: an array of shape {shape_text(x.shape)} does not broadcast to {shape_text(shape)}, at {caller()}"
        )
    return symbol_of(this_trace().graph.broadcast(x.node, shape))


def broadcast_arrays(*arrays: Any) -> Any:
    shape = broadcast(*(x.shape for x in arrays))
    return tuple(broadcast_to(x, shape) for x in arrays)


def reshape(x: Any, /, shape: Any, *, copy: Any = None) -> Any:
    given = shape_given(shape)
    total = x.size
    open_axes = [i for i, n in enumerate(given) if type(n) is int and n == -1]
    if open_axes:
        known: Any = 1
        for i, n in enumerate(given):
            known = known if i in open_axes else known * n
        if len(open_axes) > 1 or known == 0:
            raise ShapeError(
                f"{this_trace().name}: the size of an axis does not follow from reshaping {shape_text(x.shape)} to "
                f"{shape_text(given)}, at {caller()}"
            )
        given = tuple(axis_size(total // known) if i in open_axes else n for i, n in enumerate(given))
    new: Any = 1
    for n in given:
        new = new * n
    if builtins.any(value(n) < 0 for n in given) or not new == total:
        raise ShapeError(
            f"{this_trace().name}: an array of shape {shape_text(x.shape)} cannot be reshaped to {shape_text(given)}, at {caller()}"
        )
    return symbol_of(this_trace().graph.reshape(x.node, given))


def expand_dims(x: Any, /, *, axis: int = 0) -> Any:
    (axis,) = axes_of(axis, x.ndim + 1)
    return symbol_of(this_trace().graph.reshape(x.node, (*x.shape[:axis], 1, *x.shape[axis:])))


def squeeze(x: Any, /, axis: Axes) -> Any:
    dropped = axes_of(axis, x.ndim)
    if not builtins.all(same(x.shape[a], 1) for a in dropped):
        raise ShapeError(
            f"{this_trace().name}: axes {dropped} of shape {shape_text(x.shape)} cannot be squeezed, at {caller()}"
        )
    return symbol_of(this_trace().graph.reshape(x.node, tuple(n for i, n in enumerate(x.shape) if i not in dropped)))


def permute_dims(x: Any, /, axes: tuple[int, ...]) -> Any:
    axes = axes_of(tuple(axes), x.ndim)
    if sorted(axes) != list(range(x.ndim)):
        raise ShapeError(f"{this_trace().name}: {axes} is no permutation of the axes of {shape_text(x.shape)}, at {caller()}")
    return symbol_of(this_trace().graph.permute(x.node, axes))


def matrix_transpose(x: Any, /) -> Any:
    if x.ndim < 2:
        raise ShapeError(
            f"{this_trace().name}: matrix_transpose of shape {shape_text(x.shape)}, expected two axes or more, at {caller()}"
        )
    return permute_dims(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def moveaxis(x: Any, source: Any, destination: Any, /) -> Any:
    sources, destinations = axes_of(source, x.ndim), axes_of(destination, x.ndim)
    order = [i for i in range(x.ndim) if i not in sources]
    for d, s in sorted(zip(destinations, sources, strict=True)):
        order.insert(d, s)
    return permute_dims(x, tuple(order))


def flip(x: Any, /, *, axis: Axes = None) -> Any:
    axes = axes_of(axis, x.ndim)
    return x[tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(x.ndim))]


def unstack(x: Any, /, *, axis: int = 0) -> Any:
    (axis,) = axes_of(axis, x.ndim)
    return tuple(moveaxis(x, axis, 0))


def concat(arrays: Sequence[Any], /, *, axis: int | None = 0) -> Any:
    """Each element is of the first array whose end it is before. Raises ShapeError where shapes differ in another axis."""
    if axis is None:
        arrays, axis = [reshape(x, (-1,)) for x in arrays], 0
    (axis,) = axes_of(axis, arrays[0].ndim)
    for x in arrays[1:]:
        if x.ndim != arrays[0].ndim or builtins.any(i != axis and n != x.shape[i] for i, n in enumerate(arrays[0].shape)):
            given = " and ".join(shape_text(y.shape) for y in arrays)
            raise ShapeError(
                f"{this_trace().name}: shapes {given} cannot be joined along axis {axis}, at {caller()}: others must be equal"
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
        padded = pad(x, tuple((start if i == axis else 0, 1) for i in range(x.ndim)), shape)
        out = padded if out is None else where(elementwise("less", places, start), out, padded)
    return out


def stack(arrays: Sequence[Any], /, *, axis: int = 0) -> Any:
    (axis,) = axes_of(axis, arrays[0].ndim + 1)
    return concat([expand_dims(x, axis=axis) for x in arrays], axis=axis)


def roll(x: Any, /, shift: int | tuple[int, ...], *, axis: Axes = None) -> Any:
    if axis is None:
        return reshape(roll(reshape(x, (-1,)), shift, axis=0), x.shape)
    shifts = shift if isinstance(shift, tuple) else (shift,)
    for a, by in zip(axes_of(axis, x.ndim), shifts, strict=True):
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


def basic_index(key: Any, shape: Shape) -> tuple[tuple[tuple[Any, int], ...], Shape, Shape]:
    """Of an index of ints, slices, None and Ellipsis: (start, step) of every axis, the shape that selects, the shape of the result.

    Raises UntraceableError for any other index, IndexingError for one out of range.
    """
    parts = list(key) if isinstance(key, tuple) else [key]
    plain = (int, Size, slice, numpy.integer)
    if builtins.any(not (p is None or p is Ellipsis or isinstance(p, plain)) or isinstance(p, builtins.bool) for p in parts):
        raise UntraceableError("indexing with arrays has no kernel; gg.take and gg.take_along_axis have")
    places = builtins.sum(p is not None and p is not Ellipsis for p in parts)
    if places > len(shape):
        raise IndexingError(f"{this_trace().name}: {places} indices for an array of shape {shape_text(shape)}, at {caller()}")
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
                where_it_is = f"an axis of size {value(n)}, of shape {shape_text(shape)}, at {caller()}"
                raise IndexingError(f"{this_trace().name}: index {value(index)} is out of range for {where_it_is}")
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
    graph = this_trace().graph
    steps, selected, out = basic_index(key, x.shape)
    if builtins.any(same(n, 0) for n in selected):
        return full(out, 0, dtype=x.dtype)
    node = x.node
    if not (builtins.all(same(s, 0) and step == 1 for s, step in steps) and same_shape(selected, x.shape)):
        starts = tuple((_start(s), step) for s, step in steps)
        node = graph.node("slice", (node,), starts, dtype=x.dtype, shape=selected)
    return symbol_of(graph.reshape(node, out))


def _start(start: Any) -> Any:
    """A start as an attribute that can be compared and hashed."""
    return start if type(start) is int else start.polynomial


def pad(x: Any, steps: tuple[tuple[Any, int], ...], shape: Shape) -> Any:
    """Zeros of `shape` with element i of an axis of x at ``start + i * step``: the transpose of a slice."""
    graph = this_trace().graph
    return symbol_of(graph.node("pad", (x.node,), tuple((_start(s), step) for s, step in steps), dtype=x.dtype, shape=shape))


def scatter_add(values: Any, /, key: Any, shape: Any, unique: builtins.bool) -> Any:
    if not unique:
        raise UntraceableError("the gradient of indexing with arrays has no kernel yet")
    steps, selected, out = basic_index(key, shape)
    values = reshape(broadcast_to(values, out), selected)
    return pad(values, steps, shape) if not same_shape(selected, shape) else values


def take_along_axis(x: Any, indices: Any, /, *, axis: int = -1) -> Any:
    """An index out of range gives nan, or 0 for integers: in a kernel nobody can be told."""
    (axis,) = axes_of(axis, x.ndim)
    rest = broadcast(*((*v.shape[:axis], *v.shape[axis + 1 :]) for v in (x, indices)))
    x = broadcast_to(x, (*rest[:axis], x.shape[axis], *rest[axis:]))
    indices = broadcast_to(indices, (*rest[:axis], indices.shape[axis], *rest[axis:]))
    node = this_trace().graph.node(
        "gather",
        (x.node, node_of(indices, INT64)),
        (axis,),
        dtype=x.dtype,
        shape=(*rest[:axis], indices.shape[axis], *rest[axis:]),
    )
    return symbol_of(node)


def take(x: Any, indices: Any, /, *, axis: int | None = None) -> Any:
    if axis is None and x.ndim != 1:
        raise ShapeError(f"{this_trace().name}: take needs an axis for an array of {x.ndim} dimensions, at {caller()}")
    (axis,) = axes_of(0 if axis is None else axis, x.ndim)
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    return symbol_of(this_trace().graph.node("take", (x.node, node_of(indices, INT64)), (axis,), dtype=x.dtype, shape=shape))
