"""interpolate: the spatial axes of an array resized. Each axis on its own: every mode is a product of maps along one axis."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from gpugrad.arrays.dtypes import is_inexact
from gpugrad.arrays.explain import describe
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.families import A, composite
from gpugrad.nn.functional.linear import check_input
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.nn.functional.resample import Map, known, resample
from gpugrad.tape import raw

Table = tuple[Any, Any]
"""Numbers and weights, (taps, size of the result): see :mod:`~gpugrad.nn.functional.resample`."""


# The tables of the modes. `scale` is the distance of neighbouring results in elements. ------------------------------------


def _nearest(size: int, count: int, scale: float, corners: bool, shift: float = 0.0) -> Table:
    # In float32, as PyTorch does: which of two elements is nearest hangs on the rounding.
    places = (numpy.arange(count, dtype=numpy.float32) + numpy.float32(shift)) * numpy.float32(scale)
    return numpy.minimum(places.astype(numpy.int64), size - 1)[None], None


def _nearest_exact(size: int, count: int, scale: float, corners: bool) -> Table:
    return _nearest(size, count, scale, corners, 0.5)


def _places(count: int, scale: float, corners: bool) -> Any:
    """Where the results lie, in elements: centre on centre of the first and last, or edge on edge."""
    return numpy.arange(count) * scale if corners else (numpy.arange(count) + 0.5) * scale - 0.5


def _linear(size: int, count: int, scale: float, corners: bool) -> Table:
    places = numpy.maximum(_places(count, scale, corners), 0)
    first = numpy.minimum(places.astype(numpy.int64), size - 1)
    rest = numpy.clip(places - first, 0, 1)
    return numpy.stack([first, numpy.minimum(first + 1, size - 1)]), numpy.stack([1 - rest, rest])


def _cubic(size: int, count: int, scale: float, corners: bool) -> Table:
    places = _places(count, scale, corners)
    first = numpy.floor(places).astype(numpy.int64)
    taps = numpy.arange(-1, 3)[:, None]
    return numpy.clip(first + taps, 0, size - 1), _keys(places - first - taps, -0.75)


def _area(size: int, count: int, scale: float, corners: bool) -> Table:
    first = numpy.arange(count) * size // count
    length = -(-(numpy.arange(1, count + 1) * size) // count) - first
    taps = numpy.arange(max(length))[:, None]
    return numpy.minimum(first + taps, size - 1), (taps < length) / length


def _antialiased(size: int, count: int, scale: float, corners: bool, reach: int) -> Table:
    """Filters as wide as `scale`, if that is more than 1, so that every element has its part in the result."""
    width = max(scale, 1.0)
    centre = (numpy.arange(count) + 0.5) * scale
    first = numpy.maximum((centre - reach * width + 0.5).astype(numpy.int64), 0)
    length = numpy.minimum((centre + reach * width + 0.5).astype(numpy.int64), size) - first
    taps = numpy.arange(max(length))[:, None]
    distance = (taps + first - centre + 0.5) / width
    weights = numpy.where(taps < length, _tent(distance) if reach == 1 else _keys(distance, -0.5), 0.0)
    return numpy.minimum(first + taps, size - 1), weights / weights.sum(axis=0)


def _tent(x: Any) -> Any:
    return numpy.maximum(1 - numpy.abs(x), 0)


def _keys(x: Any, a: float) -> Any:
    """R. Keys, "Cubic convolution interpolation for digital image processing", 1981: the kernel of parameter a at x."""
    x = numpy.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = a * (((x - 5) * x + 8) * x - 4)
    return numpy.where(x < 1, near, numpy.where(x < 2, far, 0.0))


_MODES: dict[str, tuple[Callable[..., Table], tuple[int, ...]]] = {
    "nearest": (_nearest, (1, 2, 3)),
    "nearest-exact": (_nearest_exact, (1, 2, 3)),
    "linear": (_linear, (1,)),
    "bilinear": (_linear, (2,)),
    "trilinear": (_linear, (3,)),
    "bicubic": (_cubic, (2,)),
    "area": (_area, (1, 2, 3)),
}
"""The table of each mode, and for how many spatial axes it is."""

_REACH = {"bilinear": 1, "bicubic": 2}
"""How far the filters of antialias reach, in elements, before they are widened."""

_SMOOTH = ("linear", "bilinear", "trilinear", "bicubic")


@composite
def interpolate(
    input: A,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> A:
    """The input with its spatial axes resized to `size`, or to `scale_factor` times their sizes, rounded down.

    Modes: "nearest", where result i is element floor(i * input size / size), "nearest-exact", the one nearest to its centre; "linear",
    "bilinear" and "trilinear", over one, two and three spatial axes; "bicubic" over two, with the kernel of Keys for a = -0.75;
    "area", the mean of the elements that a result covers (adaptive average pooling).
    With `align_corners` the centres of the first and last elements stay where they are, otherwise the outer edges do. A
    `scale_factor` that is given is also the distance of the results, unless `recompute_scale_factor` says that it is input size /
    size. An axis that keeps its size stays as it is, whatever the factor. With `antialias`, for "bilinear" and "bicubic", the
    filters of results that are fewer than the elements are wider.

    Shapes: input (N, C, *spatial) with one to three spatial axes, result (N, C, *size). Dtypes: floating and complex, 16 bits
    computed in float32; with the nearest modes any.
    Raises ShapeError for another number of axes and sizes below 1, OptionError for an unknown mode and options that do not
    go together, DTypeError for numbers that the mode has no means of.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html
    """
    check_input(input, "interpolate")
    shape = tuple(input.shape)  # type: ignore[attr-defined]
    known("interpolate", shape)
    check_options("interpolate", size, scale_factor, mode, align_corners, recompute_scale_factor, antialias)
    make, axes = _MODES[mode]
    ndim = len(shape) - 2
    if ndim not in axes:
        expected = " or ".join(str(n + 2) for n in axes)
        raise ShapeError(f"interpolate: input {shape}, expected {expected} axes, (N, C, *spatial), for mode {mode!r}")
    if not mode.startswith("nearest") and not is_inexact(raw(input).dtype):
        raise DTypeError(f"interpolate: got {describe(raw(input))}, expected floating-point numbers for mode {mode!r}")
    sizes, factors = _sizes(shape, size, scale_factor)
    if recompute_scale_factor:
        factors = (None,) * ndim
    out: Any = wide(input)
    # What makes the array smaller comes first: less is left to do.
    for i in sorted(range(ndim), key=lambda i: sizes[i] / max(1, shape[2 + i])):
        before, after, factor = shape[2 + i], sizes[i], factors[i]
        if before == after:
            continue
        scale = before / after if factor is None else 1 / factor
        if align_corners:
            scale = (before - 1) / (after - 1) if after > 1 else 0.0
        options = (before, after, scale, bool(align_corners))
        table = Map(_antialiased, before, (*options, _REACH[mode])) if antialias else Map(make, before, options)
        out = resample(out, 2 + i, table)
    found: A = narrow(out, input)
    return found


def check_options(
    name: str, size: Any, scale_factor: Any, mode: str, align_corners: Any, recompute_scale_factor: Any, antialias: bool
) -> None:
    """Raise OptionError for an unknown mode and for options that do not go together."""
    if mode not in _MODES:
        raise OptionError(f"{name}: mode is {mode!r}, expected one of {', '.join(map(repr, _MODES))}")
    if (size is None) == (scale_factor is None):
        raise OptionError(f"{name}: got size {size!r} and scale_factor {scale_factor!r}, expected one of the two")
    if align_corners is not None and mode not in _SMOOTH:
        raise OptionError(
            f"{name}: align_corners is {align_corners!r} for mode {mode!r}, expected it with {', '.join(_SMOOTH)} alone"
        )
    if recompute_scale_factor and scale_factor is None:
        raise OptionError(f"{name}: recompute_scale_factor is True, expected a scale_factor with it")
    if antialias and mode not in _REACH:
        raise OptionError(f"{name}: antialias is True for mode {mode!r}, expected it with bilinear or bicubic alone")


def _sizes(shape: tuple[int, ...], size: Any, scale_factor: Any) -> tuple[tuple[int, ...], tuple[float | None, ...]]:
    """The spatial sizes of the result, and the factors that were given."""
    ndim, given = len(shape) - 2, scale_factor if size is None else size
    what = "scale_factor" if size is None else "size"
    several = tuple(given) if isinstance(given, (tuple, list)) else (given,) * ndim
    if len(several) != ndim:
        raise ShapeError(f"interpolate: {what} is {given!r} for input {shape}, expected one number or {ndim} of them")
    try:
        factors = tuple(map(float, several)) if size is None else ()
        sizes = tuple(math.floor(n * f) for n, f in zip(shape[2:], factors, strict=True)) if factors else ()
        sizes = sizes or tuple(map(operator.index, several))
    except (TypeError, ValueError, OverflowError):
        expected = "finite numbers" if size is None else "ints"
        raise DTypeError(f"interpolate: {what} is {given!r}, expected {expected}") from None
    if min((*sizes, *shape[2:])) < 1:
        raise ShapeError(f"interpolate: of input {shape} with {what} {given!r} come sizes {sizes}, expected 1 or more")
    return sizes, factors or (None,) * ndim
