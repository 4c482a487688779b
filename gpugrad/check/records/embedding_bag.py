"""Records of gpugrad/nn/functional/embedding_bag.py."""

from __future__ import annotations

from typing import Any

import numpy

from gpugrad.check.records.case import Case, call, distinct, given, integers, real
from gpugrad.nn import functional as F
from gpugrad.nn.functional.embedding_bag import _bag_max

NUMBERS = integers(7, low=0, high=6)
OFFSETS = given([0, 3, 3, 5])


def _embedding_bag(
    input: Any,
    weight: Any,
    offsets: Any = None,
    *,
    mode: str = "mean",
    per_sample_weights: Any = None,
    padding_idx: int | None = None,
) -> Any:
    bags = list(input) if offsets is None else numpy.split(input, offsets[1:])
    factors = numpy.ones(input.shape, weight.dtype) if per_sample_weights is None else per_sample_weights
    factors = list(factors) if offsets is None else numpy.split(factors, offsets[1:])
    reduce: Any = {"sum": numpy.sum, "mean": numpy.mean, "max": numpy.max}[mode]
    out = numpy.zeros((len(bags), weight.shape[1]), weight.dtype)
    for row, bag, factor in zip(out, bags, factors, strict=True):
        kept = numpy.ones(bag.shape, bool) if padding_idx is None else bag != padding_idx
        if kept.any():
            row[:] = reduce(weight[bag[kept]] * factor[kept][:, None], axis=0)
    return out


def _largest(values: Any, bags: Any, count: int) -> Any:
    out = numpy.full((count, values.shape[1]), -numpy.inf, values.dtype)
    numpy.maximum.at(out, bags, values)
    return numpy.where(out == -numpy.inf, 0, out).astype(values.dtype)


CASES = [
    Case(
        "embedding_bag",
        [
            call(integers(3, 4, low=0, high=6), real(6, 2)),
            call(NUMBERS, real(6, 2), OFFSETS, mode="sum", per_sample_weights=real(7)),
            call(NUMBERS, real(6, 2), OFFSETS, padding_idx=2),
            call(NUMBERS, distinct(6, 2), OFFSETS, mode="max"),
            call(integers(3, 4, low=0, high=6), distinct(6, 2), mode="max", padding_idx=1),
            call(given([], "int64"), real(6, 2), given([0, 0]), mode="max"),
        ],
        _embedding_bag,
        function=F.embedding_bag,
    ),
    Case(
        "bag_max",
        [call(distinct(7, 2), given([0, 0, 0, 2, 2, 3, 3]), count=4), call(distinct(7, 2), given([1] * 7), count=2)],
        _largest,
        function=_bag_max,
    ),
]
