"""Linear maps along one axis in which each result is made of few elements: what interpolation and padding are made of.

A map is a table of taps: ``out[i] = sum(weights[t, i] * x[numbers[t, i]])`` over t. Its transpose is a table too, so that the op
below is its own rule, nothing is scattered, and sums are in the same order in every run.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy

from gpugrad.arrays.devices import move, place_of
from gpugrad.arrays.dtypes import is_inexact, numpy_dtype
from gpugrad.compile.sizes import Size
from gpugrad.errors import UntraceableError
from gpugrad.families import fused
from gpugrad.ops.indexing import take
from gpugrad.ops.reduction import sum
from gpugrad.ops.shape import reshape
from gpugrad.tape import raw

_WRITTEN_OUT = 64
"""Taps up to which a sum is written term by term; a loop, which needs room for all terms where it is not compiled, beyond."""


class Map(NamedTuple):
    """A map from one size to another: ``make(*options)`` gives its numbers and weights, (taps, size of the result)."""

    make: Callable[..., tuple[Any, Any]]
    size: int
    options: tuple[Any, ...]


@fused(
    x=lambda g, numbers, weights, back_numbers, back_weights, taps: _resample(
        g, back_numbers, back_weights, numbers, weights, taps=taps[::-1]
    ),
    numbers=None,
    weights=None,
    back_numbers=None,
    back_weights=None,
)
def _resample(x: Any, numbers: Any, weights: Any, back_numbers: Any, back_weights: Any, /, *, taps: tuple[int, int]) -> Any:
    """x (A, n) or (A, n, B) -> (A, m) or (A, m, B): the sums along axis 1. The transpose is by the last two arrays."""
    count, lead, tail = numbers.shape[1], x.shape[0], tuple(x.shape[2:])
    if weights is None:
        return take(x, numbers[0, :], axis=1)
    ones = (1,) * len(tail)
    if taps[0] <= _WRITTEN_OUT:
        terms = [take(x, numbers[t, :], axis=1) * reshape(weights[t, :], (count, *ones)) for t in range(taps[0])]
        return functools.reduce(lambda x, y: x + y, terms)
    laid = reshape(take(x, reshape(numbers, (taps[0] * count,)), axis=1), (lead, taps[0], count, *tail))
    return sum(laid * reshape(weights, (taps[0], count, *ones)), axis=1)


def resample(x: Any, axis: int, table: Map) -> Any:
    """x with its elements along `axis`, counted from the front, mapped. 16-bit numbers are added up in 16 bits: widen x before."""
    shape = tuple(x.shape)
    dtype = numpy.finfo(numpy_dtype(x.dtype)).dtype.name if is_inexact(x.dtype) else "float32"
    arrays = _placed(table, dtype, place_of(raw(x)))
    # Always so many axes: one kernel for all places of the axis but the last.
    flat = (math.prod(shape[:axis]), shape[axis], *([math.prod(shape[axis + 1 :])] if axis < len(shape) - 1 else []))
    out = _resample(reshape(x, flat), *arrays, taps=(arrays[0].shape[0], arrays[2].shape[0]))
    return reshape(out, (*shape[:axis], arrays[0].shape[1], *shape[axis + 1 :]))


def known(name: str, shape: tuple[Any, ...]) -> None:
    """Raise UntraceableError for sizes that are not known yet: tables are made for sizes."""
    if any(isinstance(size, Size) for size in shape):
        raise UntraceableError(f"{name} has no kernel for sizes that are not known")


@functools.lru_cache(256)
def _placed(table: Map, dtype: str, place: Any) -> tuple[Any, ...]:
    """The tables of a map and of its transpose, where the arrays are that it is for: sent there once."""
    arrays = (x if x is None or x.dtype.kind == "i" else x.astype(dtype) for x in _tables(table))
    return tuple(x if x is None else move(x, place) for x in arrays)


@functools.lru_cache(256)
def _tables(table: Map) -> tuple[Any, Any, Any, Any]:
    """Numbers and weights of a map and of its transpose, as NumPy arrays; weights None stands for ones."""
    numbers, weights = table.make(*table.options)
    return numbers, weights, *transposed(numbers, numpy.ones(numbers.shape) if weights is None else weights, table.size)


def transposed(numbers: Any, weights: Any, size: int) -> tuple[Any, Any]:
    """The table of the transpose: for each of `size` elements the results that it is a part of, and how much.

    Elements that are part of fewer results than others have taps of weight 0, on a result that they are part of if there is one.
    """
    count = numbers.shape[1]
    results = numpy.broadcast_to(numpy.arange(count), numbers.shape)
    kept = weights != 0
    elements, results, weights = numbers[kept], results[kept], weights[kept]
    order = numpy.argsort(elements, kind="stable")
    elements, results, weights = elements[order], results[order], weights[order]
    each = numpy.bincount(elements, minlength=size)
    firsts = numpy.cumsum(each) - each
    taps = max(1, int(each.max(initial=0)))
    own = numpy.where(each > 0, results[numpy.minimum(firsts, max(0, len(results) - 1))] if len(results) else 0, 0)
    back_numbers = numpy.tile(own, (taps, 1))
    back_weights = numpy.zeros((taps, size))
    at = numpy.arange(len(elements)) - firsts[elements]
    back_numbers[at, elements] = results
    back_weights[at, elements] = weights
    return back_numbers, back_weights
