"""embedding_bag: sums, means or maxima of rows of a table, looked up by number."""

from __future__ import annotations

import math
from typing import Any

import numpy

from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.families import A, composite, fused
from gpugrad.nn.functional.embedding import check_lookup, embedding, renormalize, rows
from gpugrad.nn.functional.linear import check_input
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.ops.creation import raw_full
from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import maximum, multiply, where
from gpugrad.ops.indexing import scatter_add, take
from gpugrad.ops.reduction import any as any_of
from gpugrad.ops.reduction import cumulative_sum, max, sum
from gpugrad.ops.searching import searchsorted
from gpugrad.ops.shape import concat, expand_dims
from gpugrad.tape import raw

_NAME = "embedding_bag"
MODES = ("sum", "mean", "max")


def _bag_max_rule(g: Any, values: Any, bags: Any, out: Any, count: int) -> Any:
    largest = astype(raw(values) == rows(raw(out), raw(bags)), g.dtype)  # no gradient is taken of which ones are
    return rows(g / maximum(scatter_add(largest, (raw(bags),), (count, *g.shape[1:]), False), 1.0), bags) * largest


@fused(compiles=False, values=_bag_max_rule, bags=None)
def _bag_max(values: Any, bags: Any, /, count: int) -> Any:
    """The largest of the values (n, d) of each bag (count, d), 0 where there is none; `bags` says in ascending order which."""
    size, step = values.shape[0], 1
    none = raw_full(values, (count, *values.shape[1:]), 0, values.dtype)
    if not size:
        return none
    while step < size:  # each becomes the largest of the 2 step before it that are in its bag, and of itself
        before = where(expand_dims(bags[step:] == bags[:-step], -1), values[:-step, ...], -math.inf)
        values = concat([values[:step, ...], maximum(values[step:, ...], before)], axis=0)
        step *= 2
    last = searchsorted(bags, _numbers(bags, count), side="right") - 1
    safe = where(last < 0, 0, last)
    return where(expand_dims((last >= 0) & (take(bags, safe, axis=0) == _numbers(bags, count)), -1), rows(values, safe), none)


@composite
def embedding_bag(
    input: Any,
    weight: A,
    offsets: Any = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> A:
    """The "sum", "mean" or "max" of the rows of `weight` whose numbers are in a bag; 0 for a bag without any.

    Shapes: input (B, n), B bags of n numbers each, or (N,) with `offsets` (B,), where in the input each bag begins (with
    `include_last_offset` (B + 1,), the last where the last bag ends); weight (num_embeddings, embedding_dim); result
    (B, embedding_dim). `per_sample_weights`, of the shape of the input, for "sum" only, are factors of the rows. Numbers equal to
    `padding_idx` are left out, also from the count of a mean, and its row has gradient zero. `max_norm`, `norm_type` and
    `scale_grad_by_freq` (not for "max") as in :func:`embedding`. Where several rows have the maximum, they share its gradient.
    Dtypes: input and offsets of integers; 16 bits are added up in float32.
    Raises as :func:`embedding`; ShapeError for other shapes, OptionError for another mode and for options that do not go together,
    and, on the CPU, for offsets that do not begin with 0, descend, or end beyond the input.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.embedding_bag.html
    """
    padding_idx = check_lookup(_NAME, input, weight, padding_idx, sparse)
    _check(input, offsets, mode, per_sample_weights, scale_grad_by_freq)
    if max_norm is not None:
        renormalize(input, weight, max_norm, norm_type)
    found = wide(embedding(input, weight, padding_idx, scale_grad_by_freq=scale_grad_by_freq))
    present = None
    if padding_idx is not None:
        other = padding_idx - weight.shape[0]  # type: ignore[attr-defined]
        present = expand_dims((raw(input) != padding_idx) & (raw(input) != other), -1)
        found = where(present, found, -math.inf if mode == "max" else 0)
    if per_sample_weights is not None:
        found = multiply(found, expand_dims(wide(per_sample_weights), -1))
    reduced = _rows_of_bags(found, present, mode) if offsets is None else None
    if reduced is None:
        count = offsets.shape[0] - bool(include_last_offset)
        reduced = _parts_of_input(found, present, mode, _bags(input, offsets), count)
    out: A = narrow(reduced, weight)
    return out


def _rows_of_bags(found: Any, present: Any, mode: str) -> Any:
    """Bags that are the rows of the input: of (B, n, d) along the middle."""
    size = found.shape[1]
    if mode == "max" and size:
        out = max(found, axis=1)
        return out if present is None else where(any_of(present, axis=1), out, 0)
    out = sum(found, axis=1)
    if mode != "mean" or not size:
        return out
    return out / size if present is None else out / maximum(sum(astype(present, found.dtype), axis=1), 1.0)


def _parts_of_input(found: Any, present: Any, mode: str, bags: Any, count: int) -> Any:
    """Bags that are parts of the input, one after the other; one more takes what is behind the last."""
    size, width = found.shape
    shape = (count + 1, width)
    if mode == "sum":
        return scatter_add(found, (bags,), shape, False)[:count, ...]
    ones = raw_full(raw(found), (size, 1), 1, found.dtype) if present is None else astype(raw(present), found.dtype)
    counts = scatter_add(ones, (bags,), (count + 1, 1), False)
    if mode == "mean":
        out = scatter_add(found, (bags,), shape, False) / maximum(counts, 1.0)
    else:
        out = where(counts > 0, _bag_max(found, bags, count + 1), 0)
    return out[:count, ...]


def _bags(input: Any, offsets: Any) -> Any:
    """For each position of the input the number of its bag."""
    starts = astype(raw(offsets), "int64", copy=False)
    if isinstance(starts, numpy.ndarray):  # on a GPU one would have to wait
        size = input.shape[0]
        if starts.size and (starts[0] != 0 or starts[-1] > size or (starts[1:] < starts[:-1]).any()):
            begin = f"{starts.tolist()[:8]}".replace("]", ", ...]" if starts.size > 8 else "]")
            raise OptionError(
                f"{_NAME}: offsets are {begin}, expected ascending positions in the input of {size}, the first of them 0"
            )
    return searchsorted(starts, _numbers(starts, input.shape[0]), side="right") - 1


def _numbers(like: Any, count: int) -> Any:
    """0 to count - 1."""
    return cumulative_sum(raw_full(like, (count,), 1, numpy.dtype("int64")), axis=0) - 1


def check_mode(name: str, mode: str, scale_grad_by_freq: bool) -> None:
    """Raise OptionError for another mode, and for what "max" does not go with."""
    if mode not in MODES:
        raise OptionError(f"{name}: mode is {mode!r}, expected one of {', '.join(map(repr, MODES))}")
    if mode == "max" and scale_grad_by_freq:
        raise OptionError(f"{name}: mode 'max' has no mean of gradients; leave scale_grad_by_freq out")


def _check(input: Any, offsets: Any, mode: str, per_sample_weights: Any, scale_grad_by_freq: bool) -> None:
    """Raise unless these go together."""
    check_mode(_NAME, mode, scale_grad_by_freq)
    shape = tuple(input.shape)
    if len(shape) not in (1, 2) or (len(shape) == 1) != (offsets is not None):
        given = "without offsets" if offsets is None else "and offsets"
        raise ShapeError(f"{_NAME}: input {shape} {given}, expected (B, n), or (N,) and offsets (B,)")
    if offsets is not None:
        check_input(offsets, _NAME, "array of offsets")
        if numpy_dtype(offsets.dtype).kind not in "iu":
            raise DTypeError(f"{_NAME}: the offsets are {offsets.dtype}, expected integers, positions in the input")
        if len(offsets.shape) != 1:
            raise ShapeError(f"{_NAME}: offsets {tuple(offsets.shape)}, expected one axis")
    if per_sample_weights is not None:
        check_input(per_sample_weights, _NAME, "array of per_sample_weights")
        if mode != "sum":
            raise OptionError(f"{_NAME}: mode is {mode!r}, expected 'sum' beside per_sample_weights")
        if tuple(per_sample_weights.shape) != shape:
            raise ShapeError(
                f"{_NAME}: per_sample_weights {tuple(per_sample_weights.shape)}, expected the shape of the input, {shape}"
            )
