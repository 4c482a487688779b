"""Max pooling of NumPy's arrays by kernels written in C, pooling.c: the plans for them, by the shapes of the operands.

A plane, one channel of an image, is copied into lines as for a convolution (convolution.py), with -inf for the padding: what a
tap meets in successive windows lies side by side, and is compared a vector at a time.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy

from gpugrad.arrays.windows import Sizes, Window
from gpugrad.compile.accelerate import SMALLEST
from gpugrad.compile.convolution import layout_of
from gpugrad.compile.handwritten import handwritten, suits
from gpugrad.compile.runtime import contiguous, plan

_MOST_TAPS = 2**10  # the tables have an entry for each
_HEAD = 12  # integers before the tables, for pooling.c
_KERNELS = ("max_pool_indices", "pool_take", "pool_put")


@functools.lru_cache(256)
def _indices_call(kind: str, planes: int, sizes: Sizes, window: Window, ceil_mode: bool) -> tuple[Any, bytes, Sizes] | None:
    """The launcher, the plan, and how many windows there are; None where the definition should run."""
    taps, elements, counts = math.prod(window.kernel), math.prod(sizes), window.counts(sizes, ceil_mode)
    if planes * elements < SMALLEST or not 1 < taps <= _MOST_TAPS or elements >= 2**31:
        return None
    if math.prod(counts) == 1:  # of each plane: the definition compares planes side by side
        return None
    found = handwritten(__file__, kind, _KERNELS)
    if found is None:
        return None
    launch, addresses = found
    layout = layout_of(window, sizes, counts)
    steps = [math.prod(sizes[axis + 1 :]) for axis in range(len(sizes))]
    along = [[k * d * step for k in range(n)] for n, d, step in zip(window.kernel, window.dilation, steps, strict=True)]
    shifts = [sum(tap) for tap in itertools.product(*along)]  # of each tap from the first, in the image
    tables = [layout.lines, layout.maps, layout.offsets, shifts]
    starts = itertools.accumulate(map(len, tables[:-1]), initial=_HEAD)
    axes = 3 - len(sizes)
    integers = [
        taps, layout.rounded, *(0,) * axes, *window.padding, *(1,) * axes, *window.dilation, *starts, *itertools.chain(*tables),
    ]  # fmt: skip
    cost = planes * (elements + math.prod(counts) + layout.rounded * taps / 8) / 2
    scratch = numpy.dtype(kind).itemsize * (layout.lines[0] + 2 * layout.rounded)
    made = plan(addresses["max_pool_indices"], planes, int(cost), 2, 1, 0, scratch, integers=integers)
    return launch, made, counts


def max_pool_indices(otherwise: Callable[..., Any], x: Any, /, *, window: Window, ceil_mode: bool) -> Any:
    """Where each window has its maximum; what there is no kernel for goes to `otherwise`."""
    planes = math.prod(x.shape[:2])
    call = _indices_call(x.dtype.char, planes, x.shape[2:], window, ceil_mode) if suits(x) else None
    if call is None:
        return otherwise(x, window=window, ceil_mode=ceil_mode)
    launch, made, counts = call
    out = numpy.empty((*x.shape[:2], *counts), numpy.int64)
    launch(made, out, contiguous(x))
    return out


@functools.lru_cache(256)
def _call(name: str, kind: str, planes: int, windows: int, elements: int) -> tuple[Any, bytes] | None:
    """The launcher and the plan of another kernel; None where the definition should run."""
    found = handwritten(__file__, kind, _KERNELS) if planes * elements >= SMALLEST and windows else None
    if found is None:
        return None
    launch, addresses = found
    cost = planes * (windows + (elements / 4 if name == "pool_put" else 0))
    return launch, plan(addresses[name], planes, int(cost), 3, 1, 0, integers=(windows, elements))


def pool_take(otherwise: Callable[..., Any], x: Any, indices: Any, /, *, window: Window) -> Any:
    """The same for the elements at indices."""
    sizes = math.prod(x.shape[:2]), math.prod(indices.shape[2:]), math.prod(x.shape[2:])
    call = _call("pool_take", x.dtype.char, *sizes) if _fits(x, indices) else None
    if call is None:
        return otherwise(x, indices, window=window)
    launch, made = call
    out = numpy.empty(indices.shape, x.dtype)
    launch(made, out, contiguous(x), contiguous(indices))
    return out


def pool_put(otherwise: Callable[..., Any], g: Any, indices: Any, /, *, shape: Sizes, window: Window) -> Any:
    """The same for its gradient."""
    sizes = math.prod(g.shape[:2]), math.prod(g.shape[2:]), math.prod(shape)
    call = _call("pool_put", g.dtype.char, *sizes) if _fits(g, indices) and g.shape == indices.shape else None
    if call is None:
        return otherwise(g, indices, shape=shape, window=window)
    launch, made = call
    out = numpy.empty((*g.shape[:2], *shape), g.dtype)
    launch(made, out, contiguous(g), contiguous(indices))
    return out


def _fits(x: Any, indices: Any) -> bool:
    whole = type(indices) is numpy.ndarray and indices.dtype == numpy.int64
    return whole and suits(x) and x.shape[:2] == indices.shape[:2]


KERNELS = {"max_pool_indices": max_pool_indices, "pool_take": pool_take, "pool_put": pool_put}
"""The kernel of each op for NumPy's arrays, whose first argument is what runs where there is none."""
