"""The kernels of windows.cu: im2col and col2im of convolution, and pooling with indices, over one, two or three spatial axes.

Each takes arrays of any strides and returns NotImplemented for dtypes without kernels and for more axes.
"""

from __future__ import annotations

import math
from typing import Any

import cupy
import numpy

from gpugrad.arrays.cuda import modules
from gpugrad.arrays.windows import Sizes, Window

_FILE = "windows.cu"
_BLOCK = 256
_MOST_AXES = 3


def im2col(x: Any, /, *, window: Window) -> Any:
    """(N, C, *spatial) -> (N, C * taps, windows)."""
    sizes = tuple(x.shape[2:])
    if not _takes(x, sizes):
        return NotImplemented
    counts = window.counts(sizes)
    columns = cupy.empty((x.shape[0], x.shape[1] * math.prod(window.kernel), math.prod(counts)), x.dtype)
    _launch("im2col", (x, columns), x.shape[1], sizes, counts, window, per_thread=16 // x.dtype.itemsize)
    return columns


def col2im(columns: Any, /, *, shape: Sizes, window: Window) -> Any:
    """(N, C * taps, windows) -> (N, C, *shape)."""
    if not _takes(columns, shape):
        return NotImplemented
    channels = columns.shape[1] // math.prod(window.kernel)
    out = cupy.empty((columns.shape[0], channels, *shape), columns.dtype)
    _launch("col2im", (columns, out), channels, shape, window.counts(shape), window)
    return out


def max_pool_indices(x: Any, /, *, window: Window, ceil_mode: bool) -> Any:
    """(N, C, *spatial) -> int64 (N, C, *windows)."""
    sizes = tuple(x.shape[2:])
    if not _takes(x, sizes):
        return NotImplemented
    counts = window.counts(sizes, ceil_mode)
    indices = cupy.empty((*x.shape[:2], *counts), numpy.int64)
    _launch("max_pool_indices", (x, indices), x.shape[1], sizes, counts, window)
    return indices


def pool_take(x: Any, indices: Any, /, *, window: Window) -> Any:
    """x (N, C, *spatial) at indices (N, C, *windows)."""
    sizes = tuple(x.shape[2:])
    if not _takes(x, sizes):
        return NotImplemented
    out = cupy.empty(indices.shape, x.dtype)
    _launch("pool_take", (x, cupy.ascontiguousarray(indices), out), x.shape[1], sizes, indices.shape[2:], window)
    return out


def pool_put(g: Any, indices: Any, /, *, shape: Sizes, window: Window) -> Any:
    """g and indices (N, C, *windows) -> (N, C, *shape)."""
    if not _takes(g, shape):
        return NotImplemented
    out = cupy.empty((*g.shape[:2], *shape), g.dtype)
    _launch("pool_put", (g, cupy.ascontiguousarray(indices), out), g.shape[1], shape, g.shape[2:], window)
    return out


def _takes(x: Any, sizes: Sizes) -> bool:
    """Whether there is a kernel for the dtype and so many axes, and the strides of x are in whole elements."""
    whole = all(stride % x.dtype.itemsize == 0 for stride in x.strides)
    return x.dtype.name in modules.DTYPES and 1 <= len(sizes) <= _MOST_AXES and whole


def _launch(
    name: str, arrays: tuple[Any, ...], channels: int, sizes: Sizes, counts: Sizes, window: Window, *, per_thread: int = 1
) -> None:
    """Run a kernel on `arrays`: the first has strides, the last is the result, whose elements the threads share out."""
    x, out = arrays[0], arrays[-1]
    if not out.size:
        return
    # The stride of an axis of size 1 is never taken, and may be anything.
    steps = tuple(stride // x.dtype.itemsize if size > 1 else 0 for stride, size in zip(x.strides, x.shape, strict=True))
    reach = 1 + sum(abs(step) * (size - 1) for step, size in zip(steps, x.shape, strict=True))
    is_wide = modules.wide(
        out.size, reach, *(array.size for array in arrays), *(number for numbers in window for number in numbers)
    )
    integer = numpy.int64 if is_wide else numpy.int32
    steps += (0,) * (len(sizes) + 2 - len(steps))  # columns have one axis for all of the spatial ones
    layout = numpy.array(
        (channels, *sizes, *counts, *window.kernel, *window.stride, *window.padding, *window.dilation, *steps), integer
    )
    kernel = modules.function(_FILE, name, x.dtype, wide=is_wide, AXES=len(sizes))
    grid = modules.blocks(-(-out.size // per_thread), _BLOCK)
    kernel((grid,), (_BLOCK,), (*arrays, integer(out.size), layout.view(f"V{layout.nbytes}")))
