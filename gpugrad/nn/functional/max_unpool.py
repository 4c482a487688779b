"""max_unpool: maxima back where max pooling found them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from array_api_compat import array_namespace

from gpugrad.arrays.devices import device_of
from gpugrad.arrays.dtypes import int64, native_dtype, numpy_dtype
from gpugrad.arrays.windows import Sizes, Window
from gpugrad.errors import DTypeError, ShapeError
from gpugrad.families import A, composite
from gpugrad.nn.functional.conv import axis_names
from gpugrad.nn.functional.linear import check_input
from gpugrad.nn.functional.pooling import pool_window
from gpugrad.ops.creation import raw_full
from gpugrad.ops.indexing import put
from gpugrad.ops.shape import reshape
from gpugrad.tape import raw


def _output_size(name: str, shape: Sizes, window: Window, given: Sequence[int] | None) -> Sizes:
    """The spatial sizes of the result: as asked for, or the smallest that pooling makes this input of."""
    counts, ndim = shape[-len(window.kernel) :], len(window.kernel)
    smallest = window.sizes(counts)
    if given is None:
        return smallest
    sizes = tuple(given)
    sizes = sizes[-ndim:] if len(sizes) in (ndim + 1, ndim + 2) else sizes
    if len(sizes) != ndim or any(abs(n - m) >= s for n, m, s in zip(sizes, smallest, window.stride, strict=True)):
        raise ShapeError(
            f"{name}: output_size is {tuple(given)}, expected {ndim} sizes that pooling makes {counts} of: {smallest}, or each less "
            f"than the stride {window.stride} away from it"
        )
    return sizes


def _max_unpool(
    ndim: int, input: Any, indices: Any, kernel_size: Any, stride: Any, padding: Any, output_size: Sequence[int] | None
) -> Any:
    name = f"max_unpool{ndim}d"
    check_input(input, name)
    check_input(indices, name, "indices")
    shape = tuple(input.shape)
    if len(shape) not in (ndim + 1, ndim + 2) or tuple(indices.shape) != shape:
        axes = axis_names(ndim)
        raise ShapeError(
            f"{name}: got input {shape} and indices {tuple(indices.shape)}, expected both (N, C, {axes}) or (C, {axes}), the same"
        )
    if numpy_dtype(indices.dtype).kind not in "iu":
        raise DTypeError(f"{name}: the indices have dtype {indices.dtype}, expected integers, those of max_pool{ndim}d")
    sizes = _output_size(name, shape, pool_window(name, ndim, kernel_size, stride, padding, 1), output_size)
    planes, elements = math.prod(shape[:-ndim]), math.prod(sizes)
    like, places = raw(input), reshape(raw(indices), (planes, math.prod(shape[-ndim:])))
    xp, dtype = array_namespace(places), native_dtype(places, int64)
    rows = xp.reshape(xp.arange(planes, dtype=dtype, device=device_of(places)), (-1, 1))
    out = put(raw_full(like, (planes, elements), 0, like.dtype), reshape(input, tuple(places.shape)), (rows, places))
    return reshape(out, (*shape[:-ndim], *sizes))


@composite
def max_unpool2d(
    input: A, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Sequence[int] | None = None
) -> A:
    """Zeros, with each element of `input` where its index says: the maxima of :func:`max_pool2d` back in their places.

    Shapes: input and indices (N, C, H, W) or (C, H, W), result (N, C, H', W') or without N, where
    H' = (H - 1) * stride - 2 * padding + kernel height, or `output_size`, since pooling makes the same size of several. The
    indices are those of ``max_pool2d(..., return_indices=True)``: row * width + column in the result. Where several elements have
    one index, one is stored (on the CPU the last), and has the gradient. Dtypes: any.
    Raises ShapeError for other shapes and sizes, DTypeError for indices that are no integers, and on the CPU IndexingError for one
    out of range.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_unpool2d.html
    """
    out: A = _max_unpool(2, input, indices, kernel_size, stride, padding, output_size)
    return out


@composite
def max_unpool1d(
    input: A, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Sequence[int] | None = None
) -> A:
    """:func:`max_unpool2d` over one spatial axis: input (N, C, L) or (C, L).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_unpool1d.html
    """
    out: A = _max_unpool(1, input, indices, kernel_size, stride, padding, output_size)
    return out


@composite
def max_unpool3d(
    input: A, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Sequence[int] | None = None
) -> A:
    """:func:`max_unpool2d` over three spatial axes: input (N, C, D, H, W) or (C, D, H, W).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_unpool3d.html
    """
    out: A = _max_unpool(3, input, indices, kernel_size, stride, padding, output_size)
    return out
