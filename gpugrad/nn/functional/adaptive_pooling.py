"""Adaptive pooling: as many regions along each axis as are asked for, however large the input is.

Region i of m along an axis of n elements goes from floor(i * n / m) up to ceil((i + 1) * n / m): regions may overlap, and differ
by one in length. Where m divides n they are windows side by side.
"""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

from array_api_compat import array_namespace

from gpugrad.arrays.dtypes import int64, is_inexact, native_dtype, numpy_dtype
from gpugrad.arrays.explain import describe
from gpugrad.arrays.windows import Sizes, Window, as_sizes
from gpugrad.derived import derived
from gpugrad.errors import DTypeError, ShapeError
from gpugrad.families import A, composite, fused, primitive
from gpugrad.nn.functional.conv import axis_names
from gpugrad.nn.functional.linear import check_input
from gpugrad.nn.functional.pooling import _max_pool_indices, maxima, real_numbers
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.ops.dtypes import astype, iinfo
from gpugrad.ops.elementwise import where
from gpugrad.ops.indexing import take
from gpugrad.ops.reduction import mean, sum
from gpugrad.ops.searching import argmax
from gpugrad.ops.shape import permute_dims, reshape
from gpugrad.tape import raw

OutputSize = tuple[int | None, ...]

_UNROLLED = 32
"""Up to how many elements a region is summed element by element, each of all regions at once: as a kernel many times faster than a
sum over an axis of gathered elements, and slow to compile for longer regions."""


def _most(length: int, count: int) -> int:
    """How many elements the longest of `count` regions of an axis has."""
    return max(-(-(i + 1) * length // count) - i * length // count for i in range(count // math.gcd(length, count)))


def _regions(like: Any, length: int, count: int) -> tuple[Any, Any, Any]:
    """Of the regions: the elements that each has, (count, most), where shorter ones repeat the last element of the axis or go on
    into their neighbour; whether they are its own; and how many it has, (count,). Computed where `like` is: nothing is sent.
    """
    xp, device, dtype = array_namespace(like), getattr(like, "device", None), native_dtype(like, int64)
    numbers = xp.arange(count, dtype=dtype, device=device)
    begins, ends = numbers * length // count, ((numbers + 1) * length + (count - 1)) // count
    elements = begins[:, None] + xp.arange(_most(length, count), dtype=dtype, device=device)[None, :]
    return where(elements < length, elements, length - 1), elements < ends[:, None], ends - begins


# The regions of m of n elements to which an element belongs are the regions of n of m elements: the transpose has the same form.
@fused(compiles=False, x=lambda g, length, count: _region_sums(g, count, length))
def _region_sums(x: Any, /, length: int, count: int) -> Any:
    """(N, length, M) -> (N, count, M): the sums of the regions of the middle axis."""
    elements, own, _ = _regions(x, length, count)
    most = _most(length, count)
    if most > _UNROLLED:
        taken = reshape(take(x, reshape(elements, (-1,)), axis=1), (x.shape[0], *elements.shape, x.shape[2]))
        return sum(where(own[:, :, None], taken, 0), axis=2)
    terms = (where(own[:, i][:, None], take(x, elements[:, i], axis=1), 0) for i in range(most))
    return functools.reduce(operator.add, terms)


@derived
def _region_means(x: Any, length: int, count: int) -> Any:
    *_, sizes = _regions(raw(x), length, count)
    return narrow(_region_sums(wide(x), length, count) / astype(sizes, wide(x).dtype)[:, None], x)


@derived
def _block_means(x: Any, axes: tuple[int, ...]) -> Any:
    return narrow(mean(wide(x), axis=axes), x)


def _adaptive_avg_pool(name: str, ndim: int, input: Any, output_size: Any) -> Any:
    sizes, counts = _checked(name, ndim, input, output_size)
    if not is_inexact(input.dtype):
        raise DTypeError(f"{name}: got {describe(raw(input))}, expected floating-point numbers")
    lead = tuple(input.shape[:-ndim])
    if not any(size % count for size, count in zip(sizes, counts, strict=True)):
        blocks = [n for size, count in zip(sizes, counts, strict=True) for n in (count, size // count)]
        out = reshape(input, (math.prod(lead), *blocks))
        return reshape(_block_means(out, tuple(range(2, len(blocks) + 1, 2))), (*lead, *counts))
    out = input
    for axis, (size, count) in enumerate(zip(sizes, counts, strict=True), len(lead)):
        if size != count:
            shape = tuple(out.shape)
            out = reshape(out, (math.prod(shape[:axis]), size, math.prod(shape[axis + 1 :])))
            out = reshape(_region_means(out, size, count), (*shape[:axis], count, *shape[axis + 1 :]))
    return out


@primitive(x=None)
def _adaptive_max_pool_indices(x: Any, /, *, counts: Sizes) -> Any:
    """(N, C, *spatial) -> (N, C, *counts): where in the spatial axes, flattened, each region has its first maximum."""
    sizes = tuple(x.shape[2:])
    dtype = numpy_dtype(x.dtype)
    lowest = iinfo(dtype).min if dtype.kind in "iu" else -math.inf
    index: Any = 0
    begins, most = [], []
    for axis, (size, count) in enumerate(zip(sizes, counts, strict=True)):
        elements, own, _ = _regions(x, size, count)
        place = 2 + 2 * axis  # an axis that is done has become two, of regions and of their elements
        shape = tuple(x.shape)
        x = reshape(take(x, reshape(elements, (-1,)), axis=place), (*shape[:place], *elements.shape, *shape[place + 1 :]))
        x = where(reshape(own, (*elements.shape, *(1,) * (len(shape) - place - 1))), x, lowest)
        begins.append(elements[:, 0])
        most.append(elements.shape[1])
    ndim = len(sizes)
    x = permute_dims(x, (0, 1, *range(2, 2 + 2 * ndim, 2), *range(3, 3 + 2 * ndim, 2)))
    best = argmax(reshape(x, (*x.shape[: 2 + ndim], math.prod(most))), axis=-1)
    for axis in range(ndim):
        place = reshape(begins[axis], (-1, *(1,) * (ndim - 1 - axis))) + best // math.prod(most[axis + 1 :]) % most[axis]
        index = index + place * math.prod(sizes[axis + 1 :])
    return astype(index, int64, copy=False)


def _adaptive_max_pool(name: str, ndim: int, input: Any, output_size: Any, return_indices: bool) -> Any:
    sizes, counts = _checked(name, ndim, input, output_size)
    real_numbers(name, input)
    if any(size % count for size, count in zip(sizes, counts, strict=True)):
        return maxima(input, ndim, lambda x: _adaptive_max_pool_indices(x, counts=counts), None, return_indices)
    kernel = tuple(size // count for size, count in zip(sizes, counts, strict=True))
    window = Window(kernel, kernel, (0,) * ndim, (1,) * ndim)
    return maxima(input, ndim, lambda x: _max_pool_indices(x, window=window, ceil_mode=False), window, return_indices)


def as_output_size(name: str, ndim: int, output_size: Any) -> OutputSize:
    """The number of regions along each axis, None for as many as elements, from one for all or a sequence of `ndim`.

    Raises as :func:`gpugrad.arrays.windows.as_sizes` does.
    """
    given = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,) * ndim
    as_sizes(name, "output_size", tuple(1 if n is None else n for n in given), ndim, 1)
    return given * ndim if len(given) == 1 else given


def _checked(name: str, ndim: int, input: Any, output_size: Any) -> tuple[Sizes, Sizes]:
    """The spatial sizes of the input, and those of the result."""
    check_input(input, name)
    shape, counts = tuple(input.shape), as_output_size(name, ndim, output_size)
    sizes = shape[len(shape) - ndim :]
    if len(shape) not in (ndim + 1, ndim + 2) or 0 in sizes:
        axes = axis_names(ndim)
        raise ShapeError(f"{name}: input {shape}, expected (N, C, {axes}) or (C, {axes}) with elements along {axes}")
    return sizes, tuple(size if count is None else count for size, count in zip(sizes, counts, strict=True))


@composite
def adaptive_avg_pool2d(input: A, output_size: Any) -> A:
    """The means of as many regions as `output_size` says, ints or None for the input's own size, one for each axis or for all.

    Region i of m along an axis of n elements goes from floor(i * n / m) up to, without, ceil((i + 1) * n / m).
    Shapes: input (N, C, H, W) or (C, H, W), result (N, C, *output_size) or without N. Dtypes: floating and complex, 16 bits
    summed in float32. Raises ShapeError for other shapes and sizes below 1, DTypeError for other dtypes.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_avg_pool2d.html
    """
    out: A = _adaptive_avg_pool("adaptive_avg_pool2d", 2, input, output_size)
    return out


@composite
def adaptive_avg_pool1d(input: A, output_size: Any) -> A:
    """:func:`adaptive_avg_pool2d` over one spatial axis: input (N, C, L) or (C, L).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_avg_pool1d.html
    """
    out: A = _adaptive_avg_pool("adaptive_avg_pool1d", 1, input, output_size)
    return out


@composite
def adaptive_avg_pool3d(input: A, output_size: Any) -> A:
    """:func:`adaptive_avg_pool2d` over three spatial axes: input (N, C, D, H, W) or (C, D, H, W).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_avg_pool3d.html
    """
    out: A = _adaptive_avg_pool("adaptive_avg_pool3d", 3, input, output_size)
    return out


@composite
def adaptive_max_pool2d(input: A, output_size: Any, return_indices: bool = False) -> Any:
    """The largest elements of the regions of :func:`adaptive_avg_pool2d`; with `return_indices` also where they are, as int64
    row * width + column.

    Shapes and errors as there; dtypes: real. The gradient goes to the first of several largest elements; a nan is the maximum.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_max_pool2d.html
    """
    return _adaptive_max_pool("adaptive_max_pool2d", 2, input, output_size, return_indices)


@composite
def adaptive_max_pool1d(input: A, output_size: Any, return_indices: bool = False) -> Any:
    """:func:`adaptive_max_pool2d` over one spatial axis: input (N, C, L) or (C, L).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_max_pool1d.html
    """
    return _adaptive_max_pool("adaptive_max_pool1d", 1, input, output_size, return_indices)


@composite
def adaptive_max_pool3d(input: A, output_size: Any, return_indices: bool = False) -> Any:
    """:func:`adaptive_max_pool2d` over three spatial axes: input (N, C, D, H, W) or (C, D, H, W).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_max_pool3d.html
    """
    return _adaptive_max_pool("adaptive_max_pool3d", 3, input, output_size, return_indices)
