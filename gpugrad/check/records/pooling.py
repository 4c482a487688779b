"""Records of gpugrad/nn/functional/pooling.py. The references go through the windows one by one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy

from gpugrad.arrays.windows import Window
from gpugrad.check.records.case import Case, call, distinct, given, real
from gpugrad.check.records.convolution import window_of
from gpugrad.families import REGISTRY
from gpugrad.nn import functional as F


def _places(x: Any, window: Window, ceil_mode: bool) -> Iterator[tuple[tuple[int, ...], list[tuple[int, ...]]]]:
    """Each window, and the elements of x that it lies on, in row-major order."""
    axes = []
    for size, kernel, stride, padding, dilation in zip(x.shape[2:], *window, strict=True):
        reach = (kernel - 1) * dilation
        starts = [a for a in range(-padding, size, stride) if a + reach < size + padding or ceil_mode]
        axes.append([[i for i in range(a, a + reach + 1, dilation) if 0 <= i < size] for a in starts])
        # The first window that reaches the end of the padding, or over it, is the last.
        last = next((n for n, a in enumerate(starts) if a + reach >= size + padding - 1), len(starts))
        del axes[-1][last + 1 :]
    for place in itertools.product(*(range(len(axis)) for axis in axes)):
        yield place, list(itertools.product(*(axis[o] for axis, o in zip(axes, place, strict=True))))


def _assembled(x: Any, found: dict[tuple[int, ...], Any]) -> Any:
    """Results (N, C) by window as one array."""
    counts = tuple(max(axis) + 1 for axis in zip(*found, strict=True))
    out: Any = numpy.empty((*x.shape[:2], *counts), next(iter(found.values())).dtype)
    for place, values in found.items():
        out[(slice(None), slice(None), *place)] = values
    return out


def _indices(x: Any, window: Window, ceil_mode: bool = False) -> Any:
    found = {}
    for place, elements in _places(x, window, ceil_mode):
        flat = numpy.asarray([numpy.ravel_multi_index(element, x.shape[2:]) for element in elements])
        found[place] = flat[x.reshape(*x.shape[:2], -1)[:, :, flat].argmax(-1)]
    return _assembled(x, found)


def _take(x: Any, indices: Any, window: Window) -> Any:
    flat = indices.reshape(*x.shape[:2], -1)
    return numpy.take_along_axis(x.reshape(*x.shape[:2], -1), flat, -1).reshape(indices.shape)


def _put(g: Any, indices: Any, shape: tuple[int, ...], window: Window) -> Any:
    out = numpy.zeros((*g.shape[:2], int(numpy.prod(shape))), g.dtype)
    for n, c in numpy.ndindex(*g.shape[:2]):
        numpy.add.at(out[n, c], indices[n, c].reshape(-1), g[n, c].reshape(-1))
    return out.reshape(*g.shape[:2], *shape)


def _max_pool(
    x: Any,
    kernel: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    window = window_of(kernel, kernel if stride is None else stride, padding, dilation)
    batch = x if x.ndim == len(kernel) + 2 else x[None]
    indices = _indices(batch, window, ceil_mode)
    out = _take(batch, indices, window)
    if batch is not x:
        out, indices = out[0], indices[0]
    return (out, indices) if return_indices else out


def _avg_pool(
    x: Any, kernel: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, count_include_pad: bool = True,
    divisor_override: Any = None,
) -> Any:  # fmt: skip
    window = window_of(kernel, kernel if stride is None else stride, padding)
    batch = x if x.ndim == len(kernel) + 2 else x[None]
    found = {}
    for place, elements in _places(batch, window, ceil_mode):
        total = sum(batch[(slice(None), slice(None), *element)] for element in elements)
        count = 1
        for o, size, k, s, p in zip(place, batch.shape[2:], *window[:3], strict=True):
            count *= min(o * s - p + k, size + p) - (o * s - p)
        count = count if count_include_pad else len(elements)
        found[place] = numpy.asarray(total / (divisor_override or count), x.dtype)
    out = _assembled(batch, found)
    return out if batch is x else out[0]


PLANE = window_of((2, 3), (2, 1), (1, 1), (1, 2))
LINE = window_of((3,), 2, 1)
TIES = given([[[1.0, 1.0, 0.5, 1.0, 1.0]]])
CHOSEN = given(_indices(numpy.random.default_rng(0).normal(size=(2, 2, 4, 4)), PLANE))

CASES = [
    Case(
        "max_pool_indices",
        [call(distinct(2, 2, 4, 4), PLANE, False), call(distinct(1, 2, 6), LINE, True), call(TIES, LINE, True)],
        _indices,
        order=None,
        function=lambda x, window, ceil_mode: REGISTRY["max_pool_indices"](x, window=window, ceil_mode=ceil_mode),
    ),
    Case(
        "pool_take",
        [call(real(2, 2, 4, 4), CHOSEN, PLANE)],
        _take,
        complex=True,
        function=lambda x, indices, window: REGISTRY["pool_take"](x, indices, window=window),
    ),
    Case(
        "pool_put",
        [call(real(*CHOSEN.shape), CHOSEN, (4, 4), PLANE)],
        _put,
        complex=True,
        function=lambda g, indices, shape, window: REGISTRY["pool_put"](g, indices, shape=shape, window=window),
    ),
    Case(
        "max_pool1d",
        [
            call(distinct(1, 2, 6), (3,), 2, 1, ceil_mode=True), call(distinct(2, 5), (2,), dilation=2, stride=1),
            call(distinct(2, 2, 5), (1,), 2),
        ],
        _max_pool,
        function=F.max_pool1d,
    ),
    Case(
        "max_pool2d",
        [call(distinct(2, 1, 4, 5), (2, 2), return_indices=True), call(distinct(1, 5, 4), (3, 2), (2, 1), (1, 0), (1, 2), True)],
        _max_pool,
        function=F.max_pool2d,
    ),
    Case("max_pool3d", [call(distinct(1, 1, 3, 2, 3), (2, 1, 2), 1, (1, 0, 0))], _max_pool, function=F.max_pool3d),
    Case("avg_pool1d", [call(real(1, 2, 6), (3,), 2, 1, True), call(real(2, 5), (2,))], _avg_pool, function=F.avg_pool1d),
    Case(
        "avg_pool2d",
        [
            call(real(1, 1, 4, 5), (3, 2), (2, 2), (1, 1), True, False),
            call(real(1, 1, 4, 5), (3, 2), (2, 2), (1, 1), True),
            call(real(1, 4, 4), (2, 2), padding=(1, 0), divisor_override=3),
        ],
        _avg_pool,
        function=F.avg_pool2d,
    ),
    Case("avg_pool3d", [call(real(1, 1, 3, 2, 3), (2, 1, 2), 1, (1, 0, 0), False, False)], _avg_pool, function=F.avg_pool3d),
]  # fmt: skip
