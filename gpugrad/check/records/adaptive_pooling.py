"""Records of adaptive, power-average and inverse maximum pooling. The references go through the regions one by one."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy

from gpugrad.check.records.case import Case, call, distinct, given, positive, real
from gpugrad.families import REGISTRY
from gpugrad.nn import functional as F

Reduce = Callable[[Any], Any]


def _by_region(x: Any, output_size: Any, reduce: Callable[[Any, Any], Any]) -> Any:
    """``reduce(elements, numbers)`` of each region of the last axes: its elements on one axis, and their numbers in the image."""
    ndim = len(output_size)
    sizes = x.shape[-ndim:]
    counts = tuple(n if m is None else m for n, m in zip(sizes, output_size, strict=True))
    flat, numbers = x.reshape(*x.shape[:-ndim], -1), numpy.arange(numpy.prod(sizes)).reshape(sizes)
    found = []
    for places in itertools.product(*map(range, counts)):
        region = tuple(slice(i * n // m, -(-(i + 1) * n // m)) for i, n, m in zip(places, sizes, counts, strict=True))
        chosen = numbers[region].reshape(-1)
        found.append(reduce(flat[..., chosen], chosen))
    return numpy.stack(found, -1).reshape(*x.shape[:-ndim], *counts)


def _adaptive_avg_pool(x: Any, output_size: Any) -> Any:
    return _by_region(x, output_size, lambda elements, _: elements.mean(-1))


def _adaptive_max_pool(x: Any, output_size: Any, return_indices: bool = False) -> Any:
    out = _by_region(x, output_size, lambda elements, _: elements.max(-1))
    return (out, _indices(x, output_size)) if return_indices else out


def _indices(x: Any, counts: Any) -> Any:
    return _by_region(x, counts, lambda elements, numbers: numbers[elements.argmax(-1)])


def _lp_pool(x: Any, norm_type: float, kernel_size: tuple[int, ...], stride: Any = None, ceil_mode: bool = False) -> Any:
    """Of windows side by side, and of one that reaches over the end."""
    counts = [-(-n // k) if ceil_mode else n // k for n, k in zip(x.shape[-len(kernel_size) :], kernel_size, strict=True)]
    out: Any = numpy.empty((*x.shape[: -len(kernel_size)], *counts), x.dtype)
    for places in itertools.product(*map(range, counts)):
        window = x[(..., *(slice(o * k, (o + 1) * k) for o, k in zip(places, kernel_size, strict=True)))]
        axes = tuple(range(-len(kernel_size), 0))
        out[(..., *places)] = ((window**norm_type).mean(axis=axes) * numpy.prod(kernel_size)) ** (1 / norm_type)
    return out


def _max_unpool(x: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None) -> Any:
    """Of windows side by side."""
    sizes = tuple(output_size or (n * k for n, k in zip(x.shape[-len(kernel_size) :], kernel_size, strict=True)))
    lead = x.shape[: -len(kernel_size)]
    out = numpy.zeros((int(numpy.prod(lead)), int(numpy.prod(sizes))), x.dtype)
    for row, places, values in zip(out, indices.reshape(len(out), -1), x.reshape(len(out), -1), strict=True):
        row[places] = values
    return out.reshape(*lead, *sizes)


CASES = [
    Case(
        "region_sums",
        [call(real(2, 5, 2), 5, 3), call(real(1, 3, 2), 3, 5), call(real(2, 4, 1), 4, 2), call(real(1, 40, 1), 40, 1)],
        lambda x, length, count: numpy.stack(
            [x[:, i * length // count : -(-(i + 1) * length // count)].sum(1) for i in range(count)], 1
        ),
        complex=True,
        function=lambda x, length, count: REGISTRY["region_sums"](x, length, count),
    ),
    Case(
        "adaptive_max_pool_indices",
        [call(distinct(2, 1, 5), (3,)), call(distinct(1, 2, 3, 5), (2, 4)), call(given([[[1.0, 1.0, 0.5, 1.0, 1.0]]]), (2,))],
        _indices,
        order=None,
        function=lambda x, counts: REGISTRY["adaptive_max_pool_indices"](x, counts=counts),
    ),
    *(
        Case(
            f"adaptive_avg_pool{len(shape)}d",
            [call(real(1, 2, *shape), uneven), call(real(2, *shape), (1,) * len(shape))],
            _adaptive_avg_pool,
            complex=True,
            function=getattr(F, f"adaptive_avg_pool{len(shape)}d"),
        )
        for shape, uneven in (((5,), (3,)), ((5, 4), (2, None)), ((3, 2, 4), (2, 3, 3)))
    ),
    *(
        Case(
            f"adaptive_max_pool{len(shape)}d",
            [call(distinct(1, 2, *shape), uneven, True), call(distinct(2, *shape), (1,) * len(shape))],
            _adaptive_max_pool,
            function=getattr(F, f"adaptive_max_pool{len(shape)}d"),
        )
        for shape, uneven in (((5,), (3,)), ((5, 4), (2, None)), ((3, 2, 4), (2, 3, 3)))
    ),
    Case("lp_pool1d", [call(positive(1, 2, 5), 1.5, (2,), ceil_mode=True), call(positive(2, 5), 3.0, (2,))], _lp_pool, function=F.lp_pool1d),
    Case("lp_pool2d", [call(real(1, 2, 5, 4), 2.0, (2, 2)), call(positive(2, 2, 3), -1.0, (1, 3))], _lp_pool, function=F.lp_pool2d),
    Case("lp_pool3d", [call(positive(1, 1, 2, 3, 4), 2.0, (2, 1, 2))], _lp_pool, function=F.lp_pool3d),
    Case(
        "max_unpool1d",
        [call(real(1, 2, 2), given([[[1, 2], [0, 3]]]), (2,)), call(real(1, 2), given([[4, 1]]), (2,), output_size=(5,))],
        _max_unpool,
        complex=True,
        function=F.max_unpool1d,
    ),
    Case("max_unpool2d", [call(real(1, 1, 2, 1), given([[[[3], [6]]]]), (2, 3))], _max_unpool, function=F.max_unpool2d),
    Case("max_unpool3d", [call(real(1, 2, 1, 1), given([[[[5]], [[2]]]]), (1, 2, 3))], _max_unpool, function=F.max_unpool3d),
]  # fmt: skip
