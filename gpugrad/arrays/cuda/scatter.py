"""scatter_add on CuPy arrays: rows added into rows of zeros, atomically or in the same order in every run. And put, of the last value.

Whatever the index, it is first turned into one list of rows (:func:`selected_rows`), on the GPU and without waiting for it.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import cupy
import numpy

from gpugrad.arrays.cuda import modules
from gpugrad.arrays.cuda.transpose import contiguous
from gpugrad.modes import are_deterministic_algorithms_enabled

PART = 64
"""How many rows a thread adds up in the sorted way; PART in scatter.cu."""

_THREADS = 256


class Rows(NamedTuple):
    """What an index selects of an array that is seen as `rows` rows of `length` elements."""

    index: Any  # integers of shape (n,): the rows; those out of range wrap round
    rows: int
    length: int
    shape: tuple[int, ...]  # of the selection


def selected_rows(key: Any, shape: tuple[int, ...]) -> Rows | None:
    """The rows of an array of `shape` that ``array[key]`` selects, in order, for a key with an integer array. None without one.

    The rows are as long as can be: of the axes behind the arrays, those that are selected whole are in the row. Raises IndexError for
    an int out of range, and for what selects elements of an array without any.
    """
    items = _spelled_out(key, len(shape))
    if items is None:
        return None
    strides = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
    axes: list[tuple[int, int, bool]] = []  # of the selection, but for those of the arrays: size, stride, whether it is whole
    arrays: list[tuple[Any, int, int]] = []  # index, size, stride
    places: list[tuple[int, int]] = []  # of ints and arrays: number of the item, number of axes before it
    offset = axis = 0
    for number, item in enumerate(items):
        if item is None:
            axes.append((1, 0, True))
            continue
        size, stride = shape[axis], strides[axis]
        axis += 1
        if isinstance(item, slice):
            steps = range(size)[item]
            offset += steps.start * stride if steps else 0
            axes.append((len(steps), steps.step * stride, steps == range(size)))
            continue
        places.append((number, len(axes)))
        if hasattr(item, "shape"):
            arrays.append((item, size, stride))
        else:
            offset += range(size)[item] * stride
    # As NumPy has it: the axes of the arrays stand where the arrays were, or first if something stood between them.
    place = places[0][1] if places[-1][0] - places[0][0] == len(places) - 1 else 0
    block = numpy.broadcast_shapes(*(index.shape for index, _, _ in arrays))
    selection = (*(n for n, _, _ in axes[:place]), *block, *(n for n, _, _ in axes[place:]))
    end, length = len(axes), 1
    while end > place and axes[end - 1][2] and (axes[end - 1][1] == length or axes[end - 1][0] == 1):
        end -= 1
        length *= axes[end][0]
    size = math.prod(shape)
    if size == 0 and 0 not in selection:
        raise IndexError(f"an index selects {selection} of an array of shape {shape}, which has no elements")
    if size == 0 or 0 in selection:
        return Rows(cupy.empty(0, numpy.int64), size // length if size else 0, length, selection)

    index, n, stride = arrays[0]
    if len(arrays) == 1 and end == 0 and stride == length and offset == 0 and n * length == size:
        return Rows(index.reshape(-1), n, length, selection)  # the usual case: nothing to compute
    total = sum(index.astype(numpy.int64, copy=False) % n * (stride // length) for index, n, stride in arrays)
    total = total + offset // length
    total = total.reshape(total.shape + (1,) * (end - place))
    for i, (n, stride, _) in enumerate(axes[:end]):
        after = end - 1 - i + (len(block) if i < place else 0)
        total = total + (cupy.arange(n) * (stride // length)).reshape((n,) + (1,) * after)
    return Rows(total.reshape(-1), size // length, length, selection)


def _spelled_out(key: Any, ndim: int) -> list[Any] | None:
    """An item for each axis, and None for new ones; no Ellipsis and no masks. None if no item is an array of integers."""
    parts = key if isinstance(key, tuple) else (key,)
    kinds = [part.dtype.kind for part in parts if hasattr(part, "dtype")]
    if "i" not in kinds and "u" not in kinds:
        return None
    items: list[Any] = []
    for part in parts:
        if isinstance(part, (bool, numpy.bool_)) or (hasattr(part, "dtype") and part.dtype.kind == "b" and part.ndim == 0):
            return None
        item = cupy.asarray(part) if isinstance(part, (numpy.ndarray, numpy.generic)) else part
        if isinstance(item, cupy.ndarray) and item.dtype.kind == "b":
            items += cupy.nonzero(item)  # waits for the GPU, as indexing with a mask always does
        else:
            items.append(item)
    used = sum(item is not None and item is not Ellipsis for item in items)
    at = next((i for i, item in enumerate(items) if item is Ellipsis), len(items))
    items[at : at + 1] = [slice(None)] * (ndim - used)
    return items


def scatter_add(values: Any, /, key: Any, shape: tuple[int, ...], unique: bool) -> Any:
    """The op scatter_add for float16, bfloat16, float32, float64 and complex values; NotImplemented for others and without repeats.

    16-bit numbers are added in float32 and rounded once. Atomic 16-bit additions would round after each, so that large sums stop
    growing, and two neighbours in 32 bits would wait for each other.
    """
    dtype = values.dtype
    if unique or not (dtype.kind == "c" or dtype.name in modules.DTYPES) or (rows := selected_rows(key, shape)) is None:
        return NotImplemented
    values = contiguous(cupy.broadcast_to(values, rows.shape)).reshape(-1)
    if dtype.kind == "c":  # a row of real numbers, twice as long
        values, rows = values.view(values.real.dtype), rows._replace(length=2 * rows.length)
    if values.size == 0:
        return cupy.zeros(shape, dtype)
    index = rows.index
    if index.dtype.kind != "i" or index.dtype.itemsize < 4:
        index = index.astype(numpy.int64)
    add = _add_sorted if are_deterministic_algorithms_enabled() else _add_atomically
    return add(values, cupy.ascontiguousarray(index), rows.rows, rows.length).view(dtype).reshape(shape)


def _add_atomically(values: Any, index: Any, rows: int, length: int) -> Any:
    dtype = values.dtype
    wide = modules.wide(values.size, rows * length)
    place = numpy.int64 if wide else numpy.int32
    out = cupy.zeros(rows * length, numpy.float32 if dtype.itemsize == 2 else dtype)
    head = min(-values.data.ptr % 16 // dtype.itemsize, values.size)
    numbers = (place(n) for n in (values.size, length, head, rows))
    grid = modules.blocks(values.nbytes, _THREADS * 16)
    kernel = modules.function("scatter.cu", f"add_rows_{8 * index.itemsize}", dtype, wide=wide)
    kernel((grid,), (_THREADS,), (values, index, out, *numbers))
    return out.astype(dtype, copy=False)


def _add_sorted(values: Any, index: Any, rows: int, length: int) -> Any:
    dtype, count = values.dtype, index.size
    wide = modules.wide(values.size, rows * length)
    place = numpy.int64 if wide else numpy.int32
    keys = cupy.empty(count, place)
    kernel = modules.function("scatter.cu", f"row_keys_{8 * index.itemsize}", dtype, wide=wide)
    kernel((modules.blocks(count, _THREADS),), (_THREADS,), (index, keys, place(count), place(rows)))
    order = cupy.argsort(keys)  # stable: rows of the same key stay in their order
    keys = keys[order]

    out = cupy.zeros(rows * length, dtype)
    lanes = 16 // dtype.itemsize
    packed = length % lanes == 0 and modules.aligned(values)
    name, taken = "sum_values", [values, order]
    while True:
        parts = -(-count // PART)
        left = 2 * parts if parts > 1 else 0
        sums = cupy.empty(left * length, numpy.float32 if dtype.itemsize == 2 else dtype)
        sum_keys = cupy.empty(left, place)
        kernel = modules.function("scatter.cu", f"{name}_packed" if packed else name, dtype, wide=wide)
        grid = modules.blocks(parts * length // (lanes if packed else 1), _THREADS)
        kernel((grid,), (_THREADS,), (*taken, keys, out, sums, sum_keys, place(count), place(length), place(parts)))
        if not left:
            return out
        name, taken, keys, count = "sum_sums", [sums], sum_keys, left


def put(x: Any, value: Any, /, key: Any) -> Any:
    """The op put where it must be deterministic: of several values for one element the last is stored, as on the CPU."""
    if not are_deterministic_algorithms_enabled() or (rows := selected_rows(key, x.shape)) is None:
        return NotImplemented
    out = x.copy()
    if rows.index.size == 0 or out.size == 0:
        return out
    value = value if isinstance(value, cupy.ndarray) else cupy.asarray(value, x.dtype)
    value = contiguous(cupy.broadcast_to(value, rows.shape)).reshape(-1, rows.length)
    index = rows.index.astype(numpy.int64, copy=False) % rows.rows
    order = cupy.argsort(index)
    index = index[order]
    last = order[cupy.searchsorted(index, index, side="right") - 1]
    out.reshape(rows.rows, rows.length)[index] = value[last]  # where an index repeats, the same value is stored again
    return out
