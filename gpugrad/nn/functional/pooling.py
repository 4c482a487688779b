"""Pooling: the largest element or the mean of each window that slides over the input."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy
from array_api_compat import array_namespace

from gpugrad.arrays.dtypes import float32, float64, int64, is_inexact, native_dtype, numpy_dtype
from gpugrad.arrays.explain import describe
from gpugrad.arrays.windows import Sizes, Window, as_window, fitting
from gpugrad.derived import derived
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.families import A, composite, fused, primitive
from gpugrad.nn.functional.conv import axis_names, extended, on_numpy
from gpugrad.nn.functional.fold import _im2col, over_batch
from gpugrad.nn.functional.linear import check_input
from gpugrad.nn.functional.precision import narrow, wide, wide_dtype
from gpugrad.ops.creation import raw_full
from gpugrad.ops.dtypes import astype, iinfo
from gpugrad.ops.elementwise import divide, where
from gpugrad.ops.indexing import take_along_axis
from gpugrad.ops.reduction import sum
from gpugrad.ops.shape import broadcast_to, expand_dims, reshape, squeeze
from gpugrad.tape import raw

_ALL = (slice(None), slice(None))  # images and channels
_VIEWS = 8
"""How many taps one kernel compares: enough for a window of 3 x 3, and little to compile."""


def _places(like: Any, sizes: Sizes) -> Any:
    """The number of each element of an array of these spatial sizes, in row-major order."""
    xp = array_namespace(like)
    numbers = xp.arange(math.prod(sizes), dtype=native_dtype(like, int64), device=getattr(like, "device", None))
    return xp.reshape(numbers, sizes)


def _over_windows(like: Any, counts: Sizes, function: Callable[[int, Any], Any]) -> Any:
    """An array with an axis for each of `counts`: the sums of `function` of an axis and of the numbers of its windows."""
    xp = array_namespace(like)
    total: Any = 0
    for axis, count in enumerate(counts):
        numbers = xp.arange(count, dtype=native_dtype(like, int64), device=getattr(like, "device", None))
        total = total + xp.reshape(function(axis, numbers), (-1, *(1,) * (len(counts) - 1 - axis)))
    return total


def _first_tap(windows: Any, axis: int, window: Window) -> Any:
    """The first tap of each of these windows that lies on an element, or behind the last."""
    begin = windows * window.stride[axis] - window.padding[axis]
    return -(where(begin < 0, begin, 0) // window.dilation[axis])


def _with_lowest(x: Any, window: Window, counts: Sizes) -> Any:
    """(N, C, *spatial) with the lowest number on the padding and on what windows reach over behind it."""
    sizes = tuple(x.shape[2:])
    reached = [(count - 1) * s + span for count, s, span in zip(counts, window.stride, window.spans, strict=True)]
    padded = tuple(max(p + size, reach) for p, size, reach in zip(window.padding, sizes, reached, strict=True))
    if padded == sizes:
        return x
    dtype = numpy_dtype(x.dtype)
    out = raw_full(x, (*x.shape[:2], *padded), iinfo(dtype).min if dtype.kind in "iu" else -math.inf, x.dtype)
    out[(*_ALL, *(slice(p, p + size) for p, size in zip(window.padding, sizes, strict=True)))] = x
    return out


@derived
def _larger(best: Any, shift: Any, *rest: Any) -> tuple[Any, Any]:
    """The larger ones of `best` and of the first half of `rest`, and the shifts of these, the other half of `rest`.

    Of several the first; but a nan is larger than anything, and the last of them is chosen.
    """
    half = len(rest) // 2
    for value, there in zip(rest[:half], rest[half:], strict=True):
        better = (value > best) | (value != value)
        best, shift = where(better, value, best), where(better, there, shift)
    return best, shift


@primitive(x=None)
def _max_pool_indices(x: Any, /, *, window: Window, ceil_mode: bool) -> Any:
    """(N, C, *spatial) -> (N, C, *windows): where in the spatial axes, flattened, each window has its maximum.

    The first of several; but a nan is larger than anything, and the last of them is chosen, as in PyTorch.
    """
    sizes = tuple(x.shape[2:])
    counts = window.counts(sizes, ceil_mode)
    steps = [math.prod(sizes[i + 1 :]) for i in range(len(sizes))]
    padded = _with_lowest(x, window, counts)
    views, shifts = [], []  # what each tap lies on, and how many elements after tap 0 that is
    for taps in itertools.product(*map(range, window.kernel)):
        begins = [tap * d for tap, d in zip(taps, window.dilation, strict=True)]
        ends = [begin + (count - 1) * s + 1 for begin, count, s in zip(begins, counts, window.stride, strict=True)]
        views.append(padded[(*_ALL, *map(slice, begins, ends, window.stride))])
        shifts.append(float(numpy.dot(begins, steps)))
    # Where tap 0 lies, and the shift of the first tap that does not lie on the padding, which counts if all are -inf. Shifts are
    # whole numbers in a floating-point dtype that holds them, as wide as the elements if it can be: so compilers vectorize.
    base = _over_windows(x, counts, lambda i, o: (o * window.stride[i] - window.padding[i]) * steps[i])
    first = _over_windows(x, counts, lambda i, o: _first_tap(o, i, window) * window.dilation[i] * steps[i])
    narrow_enough = numpy_dtype(x.dtype).itemsize <= 4 and shifts[-1] < 2**24
    best, shift = views[0], astype(first, float32 if narrow_enough else float64)
    for i in range(1, len(views), _VIEWS):
        part = slice(i, i + _VIEWS)
        best, shift = _larger(best, shift, *views[part], *shifts[part])
    indices = broadcast_to(base + astype(shift, int64), (*x.shape[:2], *counts))
    return astype(indices, int64, copy=len(views) == 1)  # of one tap, nothing was compared for each image


@derived
def _taken(rows: Any, places: Any) -> Any:
    return take_along_axis(rows, places, axis=1)


# Each of the two is linear, and the other one's rule.
@fused(
    compiles=False,
    x=lambda g, indices, x_shape, window: _pool_put(g, indices, shape=tuple(x_shape[2:]), window=window),
    indices=None,
)
def _pool_take(x: Any, indices: Any, /, *, window: Window) -> Any:
    """x (N, C, *spatial) at the flat spatial indices (N, C, *windows) that :func:`_max_pool_indices` found with this window."""
    planes = math.prod(x.shape[:2])
    rows, places = (reshape(y, (planes, math.prod(y.shape[2:]))) for y in (x, indices))
    return reshape(_taken(rows, places), tuple(indices.shape))


@fused(compiles=False, g=lambda h, indices, window: _pool_take(h, indices, window=window), indices=None)
def _pool_put(g: Any, indices: Any, /, *, shape: Sizes, window: Window) -> Any:
    """(N, C, *windows) -> (N, C, *shape): each element the sum over the windows that took it, in a fixed order."""
    places = _places(g, shape)
    out = raw_full(g, (*g.shape[:2], *shape), 0, wide_dtype(g.dtype))
    for _, elements, windows in window.meetings(shape, tuple(g.shape[2:])):
        taken = indices[(*_ALL, *windows)] == places[elements]
        out[(*_ALL, *elements)] += where(taken, wide(g[(*_ALL, *windows)]), 0)
    return astype(out, g.dtype, copy=False)


on_numpy("pooling", "max_pool_indices", "pool_take", "pool_put")


def pool_window(name: str, ndim: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any) -> Window:
    """The window of a pooling function or layer. Raises as ``as_window`` does, and for more padding than half a kernel."""
    window = as_window(name, ndim, kernel_size, kernel_size if stride is None else stride, padding, dilation)
    if any(2 * p > k for p, k in zip(window.padding, window.kernel, strict=True)):
        raise ShapeError(f"{name}: padding is {window.padding}, expected at most half of kernel_size {window.kernel}")
    return window


def _window(
    name: str, ndim: int, x: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> Window:
    """The window of a pooling function, its arguments and the input checked."""
    check_input(x, name)
    shape = tuple(x.shape)
    if len(shape) not in (ndim + 1, ndim + 2):
        axes = axis_names(ndim)
        raise ShapeError(f"{name}: got input {shape}, expected (N, C, {axes}) or (C, {axes})")
    window = pool_window(name, ndim, kernel_size, stride, padding, dilation)
    fitting(name, shape, window, ceil_mode)
    return window


def real_numbers(name: str, x: Any) -> None:
    """Raise DTypeError for numbers that have no order."""
    if numpy_dtype(x.dtype).kind in "cb":
        raise DTypeError(f"{name}: got {describe(raw(x))}, expected real numbers")


def maxima(x: Any, ndim: int, find: Callable[[Any], Any], window: Window | None, return_indices: bool) -> Any:
    """The elements of x, (N, C, *spatial) or without N, at the indices that `find` finds, in windows or in other regions."""
    batched = len(x.shape) == ndim + 2
    batch = x if batched else expand_dims(x, 0)
    indices = find(batch)
    if window is not None:
        out = _pool_take(batch, indices, window=window)
    else:
        planes = math.prod(batch.shape[:2])
        rows, places = (reshape(y, (planes, math.prod(y.shape[2:]))) for y in (batch, indices))
        out = reshape(take_along_axis(rows, places, axis=1), tuple(indices.shape))
    if not batched:
        out, indices = squeeze(out, 0), squeeze(indices, 0)
    return (out, indices) if return_indices else out


def _max_pool(
    name: str,
    ndim: int,
    x: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    window = _window(name, ndim, x, kernel_size, stride, padding, dilation, ceil_mode)
    real_numbers(name, x)
    if window.some_empty(tuple(x.shape[-ndim:]), ceil_mode):
        raise ShapeError(
            f"{name}: of input {tuple(x.shape)}, some windows lie on nothing but padding, with kernel_size {window.kernel}, "
            f"padding {window.padding} and dilation {window.dilation}; they have no maximum"
        )
    return maxima(x, ndim, lambda x: _max_pool_indices(x, window=window, ceil_mode=ceil_mode), window, return_indices)


def average(
    name: str,
    ndim: int,
    x: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: Any,
) -> Any:
    """Average pooling over `ndim` axes, its arguments checked."""
    window = _window(name, ndim, x, kernel_size, stride, padding, 1, ceil_mode)
    if not is_inexact(x.dtype):
        raise DTypeError(f"{name}: got {describe(raw(x))}, expected floating-point numbers")
    check_divisor(name, divisor)
    sizes = tuple(x.shape[-ndim:])
    counts = window.counts(sizes, ceil_mode)
    # How far the last window reaches over the end of the padding: there is nothing to count there.
    extra = tuple(
        max(0, (count - 1) * s + k - size - 2 * p)
        for count, s, k, size, p in zip(counts, window.stride, window.kernel, sizes, window.padding, strict=True)
    )
    if divisor is None:
        divisor = math.prod(window.kernel)
        if any(extra) or (any(window.padding) and not count_include_pad):
            divisor = _elements(raw(x), window, sizes, extra, count_include_pad)

    def mean(x: Any) -> Any:
        return narrow(divide(_sums(wide(x), window, extra), divisor), x)

    return over_batch(mean, x, ndim + 2)


def check_divisor(name: str, divisor: float | None) -> None:
    """Raise OptionError for a divisor_override of 0."""
    if divisor == 0:
        raise OptionError(f"{name}: divisor_override is 0, expected another number")


def _sums(x: Any, window: Window, extra: Sizes) -> Any:
    """(N, C, *spatial) -> (N, C, *windows), where `extra` zeros follow behind the input: the sums of the windows."""
    x = extended(x, extra)
    counts = window.counts(tuple(x.shape[2:]))
    columns = reshape(_im2col(x, window=window), (*x.shape[:2], math.prod(window.kernel), *counts))
    return sum(columns, axis=2)


def _elements(like: Any, window: Window, sizes: Sizes, extra: Sizes, with_padding: bool) -> Any:
    """(1, 1, *windows): how many elements each window has, counted where `like` is so that nothing has to be sent there."""
    if with_padding:
        sizes = tuple(size + 2 * p for size, p in zip(sizes, window.padding, strict=True))
        window = window._replace(padding=(0,) * len(sizes))
    return _sums(wide(raw_full(like, (1, 1, *sizes), 1, like.dtype)), window, extra)


@composite
def max_pool2d(
    input: A,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest element of each window; with `return_indices` also where it is, as int64 row * width + column.

    Shapes: input (N, C, H, W) or (C, H, W), result (N, C, H', W') or without N, where
    H' = floor((H + 2 * padding - dilation * (kernel height - 1) - 1) / stride) + 1. With `ceil_mode` a last window may reach over the end if
    it begins on an element or in the padding before the first. The options are ints or pairs of ints; `stride` is the kernel
    size if left out; the padding, at most half a kernel, is never the largest. Dtypes: real.
    The gradient goes to the first of several largest elements. A nan in a window is its maximum.
    Raises ShapeError for shapes that do not fit, DTypeError for complex numbers and for what is no array or int.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_pool2d.html
    """
    return _max_pool("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@composite
def max_pool1d(
    input: A,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """:func:`max_pool2d` over one spatial axis: input (N, C, L) or (C, L), result (N, C, L') or without N.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_pool1d.html
    """
    return _max_pool("max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@composite
def max_pool3d(
    input: A,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """:func:`max_pool2d` over three spatial axes: input (N, C, D, H, W) or (C, D, H, W); indices are of the flattened volume.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_pool3d.html
    """
    return _max_pool("max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@composite
def avg_pool2d(
    input: A,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> A:
    """The mean of each window, of which the zeros of the padding are a part if `count_include_pad`.

    What `ceil_mode` lets a window reach beyond the padding never counts. `divisor_override` divides the sums instead of the
    number of elements. Shapes, options and errors as in :func:`max_pool2d`; dtypes: floating and complex, 16 bits summed
    in float32.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.avg_pool2d.html
    """
    out: A = average("avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    return out


@composite
def avg_pool1d(
    input: A, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, count_include_pad: bool = True
) -> A:
    """:func:`avg_pool2d` over one spatial axis: input (N, C, L) or (C, L), result (N, C, L') or without N.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.avg_pool1d.html
    """
    out: A = average("avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)
    return out


@composite
def avg_pool3d(
    input: A,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> A:
    """:func:`avg_pool2d` over three spatial axes: input (N, C, D, H, W) or (C, D, H, W), result (N, C, D', H', W') or without N.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.avg_pool3d.html
    """
    out: A = average("avg_pool3d", 3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    return out
