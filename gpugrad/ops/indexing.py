"""Indexing and its gradients: reading elements, writing elements into a copy, adding elements into zeros."""

from __future__ import annotations

import math
from typing import Any

import numpy
from array_api_compat import array_namespace

from gpugrad.arrays.devices import to_numpy
from gpugrad.arrays.dtypes import bool_, numpy_dtype
from gpugrad.arrays.explain import describe
from gpugrad.arrays.kernels import strong
from gpugrad.compile.sizes import Size
from gpugrad.errors import DTypeError, ShapeError
from gpugrad.families import A, composite, primitive
from gpugrad.ops.creation import raw_full
from gpugrad.ops.dtypes import isdtype, refuse_complex
from gpugrad.ops.elementwise import where
from gpugrad.ops.large import add_at
from gpugrad.ops.shape import broadcast_to, expand_dims, normalize_axis, reshape
from gpugrad.tape import Node, Rule, Tensor, raw


def raw_key(key: Any) -> Any:
    """An index with Tensors and lists replaced by raw arrays."""
    if isinstance(key, tuple):
        return tuple(map(raw_key, key))
    if isinstance(key, list):
        array = numpy.asarray(key)
        return array.astype(numpy.int64) if array.size == 0 else array
    return raw(key)


def is_basic(key: Any) -> bool:
    """Whether the index selects every element at most once: ints, slices, None, Ellipsis and boolean masks."""
    parts = key if isinstance(key, tuple) else (key,)
    return all(not hasattr(part, "shape") or part.shape == () or numpy_dtype(part.dtype).kind == "b" for part in parts)


def _spelled_out(key: Any) -> Any:
    """An index as the standard demands it: a mask alone, not in a tuple; else an Ellipsis for the axes that are left out."""
    parts = key if isinstance(key, tuple) else (key,)
    if len(parts) == 1 and hasattr(parts[0], "shape"):
        return parts[0]
    return key if any(part is Ellipsis or hasattr(part, "shape") for part in parts) else (*parts, ...)


def _positions(key: Any, shape: tuple[int, ...]) -> Any:
    """Where in the flattened array the elements stand that an index selects. A NumPy array: NumPy takes every kind of index."""
    parts = key if isinstance(key, tuple) else (key,)
    on_host = tuple(to_numpy(part) if hasattr(part, "shape") else part for part in parts)
    return numpy.arange(math.prod(shape)).reshape(shape)[on_host]


def _like(indices: Any, x: Any) -> Any:
    """A NumPy array of integers as an array of the library and device of x."""
    return array_namespace(x).asarray(indices, device=getattr(x, "device", None))


def getitem_gradient(g: Any, key: Any, x_shape: tuple[int, ...]) -> Any:
    """The rule of getitem; the sweep adds what comes second to an array into it instead."""
    return scatter_add(g, key, x_shape, is_basic(key))


@primitive(x=getitem_gradient)
def getitem(x: Any, /, key: Any) -> Any:
    """``x[key]``, as NumPy indexes: ints, slices with any step, None, Ellipsis, boolean and integer arrays.

    Repeated indices add up their gradients.
    Raises IndexingError for an index out of range or of the wrong kind.
    """
    try:
        return x[_spelled_out(key)]
    except IndexError:  # of the wrong kind for this library, such as arrays beside slices; or out of range, and raises again
        positions = _positions(key, x.shape)
        xp = array_namespace(x)
        return xp.reshape(xp.take(xp.reshape(x, (-1,)), _like(positions.reshape(-1), x), axis=0), positions.shape)


# Of the operands of a sum computed in place, and of the second where it is added to some elements.
_SUMMAND = Rule("add", "x", lambda g: g, elementwise=True, linear=True)
_SELECTED = Rule("add", "y", lambda g, key: getitem(g, key), ("key",), linear=True)


def add_in_place(x: Tensor, y: Tensor, *key: Any) -> Tensor:
    """x + y, or that with y added at ``key`` alone, recorded, and in the array of x: NumPy's, which nobody else may see."""
    add_at(x.array, y.array, *key)
    sources = (x.node, _SUMMAND, ()), (y.node, _SELECTED if key else _SUMMAND, key)
    edges = tuple((node, rule, kept) for node, rule, kept in sources if node is not None)
    return Tensor(x.array, Node(edges, x.array.shape, x.array.dtype) if edges else None)


def _put_rule(g: Any, key: Any) -> Any:
    return put(g, 0, key)


def _put_value_rule(g: Any, key: Any) -> Any:
    taken = getitem(g, key)
    if is_basic(key):
        return taken
    # Of several values for one element one was stored; only that one has a gradient. Store their numbers to see which.
    size = math.prod(taken.shape)
    array = raw(g)
    numbers = array_namespace(array).arange(1, size + 1, device=getattr(array, "device", None))
    numbers = reshape(numbers, tuple(taken.shape))
    stored = put(raw_full(array, array.shape, 0, numbers.dtype), numbers, key)
    return where(getitem(stored, key) == numbers, taken, 0)


def _kept(live: Any, g: Any, key: Any) -> Any:
    """Where put keeps the elements of x, whose gradient is g, of those that are live."""
    return put(raw_full(g, tuple(g.shape), True, bool_) if live is None else live, False, key)


@primitive(casts=True, x=_put_rule, value=_put_value_rule, branches={"x": _kept})
def _put(x: Any, value: Any, /, key: Any) -> Any:
    xp = array_namespace(x)
    out = xp.asarray(x, copy=True)
    value = value if hasattr(value, "shape") else strong(value, x)
    try:
        out[_spelled_out(key)] = value
    except IndexError:  # as in getitem; here libraries of the standard need not take arrays of integers
        positions = _positions(key, x.shape)
        if positions.size:
            source = numpy.full(math.prod(x.shape), -1)
            source[positions] = numpy.arange(positions.size).reshape(positions.shape)
            chosen = xp.take(xp.reshape(xp.broadcast_to(value, positions.shape), (-1,)), _like(source.clip(0), x), axis=0)
            out = xp.where(_like(source >= 0, x), chosen, xp.reshape(x, (-1,)))
            out = xp.reshape(out, x.shape)
    return out


@composite
def put(x: A, value: Any, /, key: Any) -> A:
    """A copy of x in which ``x[key]`` is `value`, which broadcasts: ``x[key] = value`` as a function.

    Where `key` names an element twice, NumPy stores the last value, a GPU any of them, unless ``use_deterministic_algorithms(True)``.
    Its gradient goes to the one stored.
    Raises IndexingError for an index out of range, ShapeError if `value` does not broadcast, DTypeError if it is complex and x
    is real.
    """
    refuse_complex("put", value, x.dtype)  # type: ignore[attr-defined]
    out: A = _put(x, value, key)
    return out


@primitive(values=lambda g, key: getitem(g, key))
def scatter_add(values: Any, /, key: Any, shape: tuple[int, ...], unique: bool) -> Any:
    """Zeros of `shape` with ``values[i]`` added at ``key[i]``: the transpose of indexing. `unique` says that no index repeats.

    This definition is for any array of the standard, which has no scatter: it multiplies by a one-hot matrix. NumPy and CuPy
    have kernels. On a GPU the order of additions differs from run to run, unless ``use_deterministic_algorithms(True)``.
    """
    xp = array_namespace(values)
    size = math.prod(shape)
    positions = _positions(key, shape)
    flat = xp.reshape(xp.broadcast_to(values, positions.shape), (positions.size,))
    hot = _like(positions.reshape(-1, 1) == numpy.arange(size), values)
    return xp.reshape(xp.matmul(flat, xp.astype(hot, values.dtype)), shape)


def _take_rule(g: Any, indices: Any, axis: int | None, x_shape: tuple[int, ...]) -> Any:
    before = (slice(None),) * (0 if axis is None else axis % len(x_shape))
    return scatter_add(g, (*before, raw(indices)), x_shape, False)


@primitive(standard=True, x=_take_rule, indices=None)
def take(x: Any, indices: Any, /, *, axis: int | None = None) -> Any:
    """The elements of x at integer `indices` along `axis`, which may be left out for 1-d x. Repeated indices add gradients.

    Raises IndexingError for an index out of range (CuPy wraps it round instead, without waiting for the GPU to check).
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.take.html
    """
    return array_namespace(x).take(x, indices, axis=axis)


def _grid_key(indices: Any, axis: int, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """The index tuple that take_along_axis stands for, in an array of `shape`: `indices` on `axis`, an open grid on the others."""
    axis %= len(shape)
    grid = []
    for i, n in enumerate(shape):
        if i == axis:
            grid.append(indices)
        else:
            xp = numpy if isinstance(indices, numpy.ndarray) else array_namespace(indices)
            steps = xp.arange(n, device=getattr(indices, "device", None)) if xp is not numpy else numpy.arange(n)
            grid.append(xp.reshape(steps, (1,) * i + (n,) + (1,) * (len(shape) - i - 1)))
    return tuple(grid)


def _take_along_axis_rule(g: Any, indices: Any, axis: int, x_shape: tuple[int, ...]) -> Any:
    return scatter_add(g, _grid_key(raw(indices), axis, x_shape), x_shape, False)


@primitive(standard=True, x=_take_along_axis_rule, indices=None)
def take_along_axis(x: Any, indices: Any, /, *, axis: int = -1) -> Any:
    """The elements of x at `indices` along `axis`; the other axes of x and `indices` are matched. Repeated indices add gradients.

    Raises IndexingError for an index out of range (CuPy wraps it round instead), ShapeError if the shapes do not match.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.take_along_axis.html
    """
    return array_namespace(x).take_along_axis(x, indices, axis=axis)


@composite
def repeat(x: A, repeats: Any, /, *, axis: int | None = None) -> A:
    """Each element repeated `repeats` times along `axis`; flattened first if `axis` is None. `repeats` may be one per element.

    Raises ShapeError if `repeats` does not match the axis, DTypeError if it is not of integers.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.repeat.html
    """
    flat: Any = x
    if axis is None:
        flat, axis = reshape(x, (-1,)), 0
    shape: tuple[int, ...] = tuple(flat.shape)
    axis = normalize_axis(axis, len(shape), "repeat")
    counts = raw(repeats)
    if not isinstance(counts, (int, Size)) and not (hasattr(counts, "dtype") and isdtype(counts.dtype, "integral")):
        raise DTypeError(f"repeat: repeats is {describe(counts)}, expected an integer or an array of integers")
    if hasattr(counts, "shape") and math.prod(counts.shape) == 1:
        counts = int(counts.reshape(()) if hasattr(counts, "reshape") else counts[0])
    if not hasattr(counts, "shape"):
        if counts < 0:
            raise ShapeError(f"repeat: repeats is {counts}, expected 0 or more")
        stretched = broadcast_to(expand_dims(flat, axis + 1), (*shape[: axis + 1], counts, *shape[axis + 1 :]))
        return reshape(stretched, (*shape[:axis], shape[axis] * counts, *shape[axis + 1 :]))
    if tuple(counts.shape) != (shape[axis],):
        raise ShapeError(
            f"repeat: got repeats of shape {tuple(counts.shape)}, expected ({shape[axis]},), one for each element of axis {axis}"
        )
    array = raw(flat)
    xp = array_namespace(array)
    where = array_namespace(counts).arange(shape[axis], device=getattr(counts, "device", None))
    out: A = take(flat, xp.repeat(where, counts), axis=axis)
    return out


@composite
def diag(x: A, /, k: int = 0) -> A:
    """The matrix with the vector x on its diagonal `k` and zeros elsewhere; of a matrix x, its diagonal `k`. As NumPy's.

    `k` counts from the main diagonal, upwards. Batches of matrices have :func:`gpugrad.linalg.diagonal`.
    Raises ShapeError unless x has one or two dimensions.
    """
    shape = tuple(x.shape)  # type: ignore[attr-defined]
    if len(shape) not in (1, 2):
        raise ShapeError(f"diag: got shape {shape}, expected one or two dimensions; for batches there is linalg.diagonal")
    up, down = max(k, 0), max(-k, 0)
    n = shape[0] if len(shape) == 1 else max(min(shape[0] - down, shape[1] - up), 0)
    steps = numpy.arange(n)
    key = (_like(steps + down, raw(x)), _like(steps + up, raw(x)))
    out: A = getitem(x, key) if len(shape) == 2 else scatter_add(x, key, (n + abs(k),) * 2, True)
    return out
