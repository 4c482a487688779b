"""unfold and fold: what windows see, as columns (im2col), and its transpose, columns added up where they came from (col2im)."""

from __future__ import annotations

import math
from typing import Any

from gpugrad.arrays.windows import Sizes, Window, as_sizes, as_window, fitting
from gpugrad.errors import ShapeError
from gpugrad.families import A, composite, fused
from gpugrad.nn.functional.linear import check_input
from gpugrad.nn.functional.precision import wide, wide_dtype
from gpugrad.ops.creation import raw_full
from gpugrad.ops.dtypes import astype
from gpugrad.ops.shape import expand_dims, reshape, squeeze


# Each of the two is linear, and the other one's rule.
@fused(compiles=False, x=lambda g, x_shape, window: _col2im(g, shape=tuple(x_shape[2:]), window=window))
def _im2col(x: Any, /, *, window: Window) -> Any:
    """(N, C, *spatial) -> (N, C * taps, windows): zero where a tap lies on the padding."""
    sizes = tuple(x.shape[2:])
    counts = window.counts(sizes)
    columns = raw_full(x, (*x.shape[:2], *window.kernel, *counts), 0, x.dtype)
    for taps, elements, windows in window.meetings(sizes, counts):
        columns[(slice(None), slice(None), *taps, *windows)] = x[(slice(None), slice(None), *elements)]
    return reshape(columns, (x.shape[0], x.shape[1] * math.prod(window.kernel), math.prod(counts)))


@fused(compiles=False, columns=lambda g, window: _im2col(g, window=window))
def _col2im(columns: Any, /, *, shape: Sizes, window: Window) -> Any:
    """(N, C * taps, windows) -> (N, C, *shape): the sums over the taps that lie on each element, in the order of the taps."""
    counts = window.counts(shape)
    n, rows = columns.shape[:2]
    channels = rows // math.prod(window.kernel)
    columns = reshape(columns, (n, channels, *window.kernel, *counts))
    out = raw_full(columns, (n, channels, *shape), 0, wide_dtype(columns.dtype))
    for taps, elements, windows in window.meetings(shape, counts):
        out[(slice(None), slice(None), *elements)] += wide(columns[(slice(None), slice(None), *taps, *windows)])
    return astype(out, columns.dtype, copy=False)


@composite
def unfold(input: A, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> A:
    """The windows that a kernel of this size slides over, as columns (im2col).

    Shapes: input (N, C, H, W) or (C, H, W), result (N, C * kernel height * kernel width, L) or without N,
    with the L windows in row-major order. The options are ints or pairs of ints; the padding is of zeros. Dtypes: any.
    Raises ShapeError for another number of dimensions and if the kernel is larger than the padded input.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.unfold.html
    """
    check_input(input, "unfold")
    shape = tuple(input.shape)  # type: ignore[attr-defined]
    if len(shape) not in (3, 4):
        raise ShapeError(f"unfold: got input {shape}, expected (N, C, H, W) or (C, H, W)")
    window = as_window("unfold", 2, kernel_size, stride, padding, dilation)
    fitting("unfold", shape, window)
    out: A = over_batch(lambda x: _im2col(x, window=window), input, 4)
    return out


@composite
def fold(input: A, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> A:
    """Columns added up where :func:`unfold` took them from (col2im): its transpose, not its inverse, where windows overlap.

    Shapes: input (N, C * kernel height * kernel width, L) or without N, with a column for each of the L windows of an image
    of `output_size`; result (N, C, *output_size) or without N. The options are ints or pairs of ints. Dtypes: any; numbers of
    16 bits are summed in float32.
    Raises ShapeError if the numbers of rows or columns are not those of such an image.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.fold.html
    """
    check_input(input, "fold")
    shape = tuple(input.shape)  # type: ignore[attr-defined]
    if len(shape) not in (2, 3):
        raise ShapeError(f"fold: got input {shape}, expected (N, C * kernel height * kernel width, L) or without N")
    sizes = as_sizes("fold", "output_size", output_size, 2, 1)
    window = as_window("fold", 2, kernel_size, stride, padding, dilation)
    counts = fitting("fold", sizes, window)
    if shape[-2] % math.prod(window.kernel) or shape[-1] != math.prod(counts):
        raise ShapeError(
            f"fold: got input {shape}, expected rows in multiples of {math.prod(window.kernel)} for kernel {window.kernel}, and "
            f"{math.prod(counts)} columns, one for each of {' x '.join(map(str, counts))} windows in output {sizes}"
        )
    out: A = over_batch(lambda x: _col2im(x, shape=sizes, window=window), input, 3)
    return out


def over_batch(function: Any, x: Any, ndim: int) -> Any:
    """`function` of x, whose first axis is the batch; of x as a batch of one if it has one dimension less than `ndim`."""
    return function(x) if len(x.shape) == ndim else squeeze(function(expand_dims(x, 0)), 0)
