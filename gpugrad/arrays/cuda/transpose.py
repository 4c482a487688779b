"""C-contiguous copies of permuted CuPy arrays: batches of matrices are transposed through shared memory.

CuPy copies element by element in the order of the result, so that of a transposed array each read touches another line of memory.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import cupy
import numpy

from gpugrad.arrays.cuda import modules

_SMALL = 32  # matrices up to this size, and those with a side below half of it, are moved in panels; others in tiles


class Axis(NamedTuple):
    """An axis of the result: its size, and the steps in elements from one index to the next."""

    size: int
    x: int
    out: int


def collapsed(x: Any) -> list[Axis]:
    """The axes of a C-contiguous copy of x, with those merged that are one axis in both, and those of size 1 left out."""
    axes: list[Axis] = []
    step = 1
    for size, stride in zip(reversed(x.shape), reversed(x.strides), strict=True):
        if size == 1:
            continue
        if axes and stride == axes[-1].size * axes[-1].x * x.itemsize:
            axes[-1] = axes[-1]._replace(size=axes[-1].size * size)
        else:
            axes.append(Axis(size, stride // x.itemsize, step))
        step *= size
    return axes[::-1]


def contiguous(x: Any) -> Any:
    """x if it is C-contiguous, else a C-contiguous copy: ``cupy.ascontiguousarray``, faster for transposed arrays."""
    return x if x.flags.c_contiguous else _copied(x)


def copy(x: Any, /) -> Any:
    """The op copy of transposed arrays; NotImplemented for others."""
    return NotImplemented if x.flags.c_contiguous else _transposed(x)


def reshape(x: Any, /, shape: tuple[int, ...], *, copy: bool | None = None) -> Any:
    """The op reshape of transposed arrays that are no view in the new shape; NotImplemented for others."""
    if x.flags.c_contiguous or copy is False or (copy is None and _views(collapsed(x), x.size, shape)):
        return NotImplemented
    found = _transposed(x)
    return found if found is NotImplemented else found.reshape(shape)


def _views(axes: list[Axis], size: int, shape: Any) -> bool:
    """Whether an array of these axes can be seen in another shape without a copy: each axis must be a product of new ones."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    known = math.prod(n for n in shape if n != -1)
    new = [n if n != -1 else size // known if known else 0 for n in shape]
    new = [n for n in new if n != 1][::-1]
    for axis in reversed(axes):
        product = 1
        while product < axis.size and new:
            product *= new.pop(0)
        if product != axis.size:
            return False
    return True


def _transposed(x: Any) -> Any:
    """A C-contiguous copy of an array that is a batch of transposed matrices, with at most two axes of batches; or NotImplemented."""
    if x.size == 0 or x.itemsize not in (1, 2, 4, 8, 16) or any(n % x.itemsize for n in (x.data.ptr, *x.strides)):
        return NotImplemented
    axes = collapsed(x)
    if not 2 <= len(axes) <= 4 or any(a.x <= 0 for a in axes):
        return NotImplemented
    *others, n = axes  # the last axis is the one along which the result is contiguous
    found = [i for i, a in enumerate(others) if a.x == 1]
    if n.x == 1 or not found:
        return NotImplemented
    m = others.pop(found[0])
    outer, inner = ([Axis(1, 0, 0)] * 2 + others)[-2:]

    out = cupy.empty(x.shape, x.dtype)
    wide = modules.wide(x.size, sum((a.size - 1) * a.x for a in axes))
    place = numpy.int64 if wide else numpy.int32
    steps = (n.x, m.out, outer.x, inner.x, outer.out, inner.out)
    layout = (m.size, n.size, n.x, m.out, inner.size, outer.x, inner.x, outer.out, inner.out)
    count = outer.size * inner.size
    arguments = (x, out, place(count), *map(place, layout))
    if max(m.size, n.size) > _SMALL and min(m.size, n.size) >= _SMALL // 2:
        group = 4 // x.itemsize
        if group < 2 or x.data.ptr % 4 or any(number % group for number in (m.size, n.size, *steps)):
            group = 1
        tiles = count * -(-m.size // (32 * group)) * -(-n.size // (32 * group))
        kernel = modules.function("transpose.cu", "transpose_tiles", wide=wide, BYTES=x.itemsize, GROUP=group)
        kernel((modules.blocks(tiles, 1),), (32, 8), arguments)
        return out
    high, across, deep = _panel(m.size, n.size, count, 1024 if x.itemsize == 16 else 2048)
    panels = -(-count // deep) * -(-m.size // high) * -(-n.size // across)
    kernel = modules.function("transpose.cu", "transpose_panels", wide=wide, BYTES=x.itemsize, GROUP=1)
    kernel((modules.blocks(panels, 1),), (256,), (*arguments, numpy.int32(high), numpy.int32(across), numpy.int32(deep)))
    return out


def _panel(m: int, n: int, count: int, most: int) -> tuple[int, int, int]:
    """How much of m, of n and of the batch a block moves at once: the narrow side whole, of the rest what makes `most` elements."""
    if m <= n:
        high = m
        across = min(n, most // high)
    else:
        across = n
        high = min(m, most // across)
    return high, across, max(1, min(count, most // (high * across)))


_copied = modules.in_front("contiguous", _transposed, cupy.ascontiguousarray)
