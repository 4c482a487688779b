"""Records of gpugrad/nn/functional/: resample, interpolate, pad and pixel_shuffle. The references make one element after the other."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy

from gpugrad.check.records.case import Case, call, integers, real
from gpugrad.nn import functional as F
from gpugrad.nn.functional.resample import Map, resample

# resample -----------------------------------------------------------------------------------------------------------

NUMBERS = numpy.asarray([[0, 2, 1, 2], [1, 2, 3, 0]])
WEIGHTS = numpy.asarray([[0.5, 1, -2, 0.25], [1.5, 1, 3, 2]])


def _matrix(numbers: Any, weights: Any, size: int) -> Any:
    """(size of the result, size)."""
    matrix = numpy.zeros((numbers.shape[1], size))
    for t, i in numpy.ndindex(*numbers.shape):
        matrix[i, numbers[t, i]] += 1 if weights is None else weights[t, i]
    return matrix


def _table(weighted: bool) -> tuple[Any, Any]:
    return (NUMBERS, WEIGHTS) if weighted else (NUMBERS[1:], None)


def _resample(x: Any, axis: int, table: Map) -> Any:
    matrix = _matrix(*table.make(*table.options), table.size).astype(x.dtype)
    return numpy.moveaxis(numpy.tensordot(matrix, x, axes=(1, axis)), 0, axis)


# interpolate --------------------------------------------------------------------------------------------------------


def _keys(x: float, a: float) -> float:
    x = abs(x)
    if x < 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def _row(mode: str, i: int, size: int, count: int, scale: float, corners: bool, antialias: bool) -> Any:
    """What element i of the result is made of: a number for each element."""
    row = numpy.zeros(size)
    if mode.startswith("nearest"):
        row[min(math.floor((i + 0.5 * (mode != "nearest")) * scale), size - 1)] = 1
        return row
    if mode == "area":
        row[i * size // count : -(-(i + 1) * size // count)] = 1
        return row / row.sum()
    cubic = mode == "bicubic"
    if antialias:
        wide, reach = max(scale, 1), 2 if cubic else 1
        for j in range(size):
            away = (j + 0.5 - (i + 0.5) * scale) / wide
            row[j] = (_keys(away, -0.5) if cubic else max(0, 1 - abs(away))) if abs(away) < reach else 0
        return row / row.sum()
    place = i * scale if corners else (i + 0.5) * scale - 0.5
    if not cubic:
        place = min(max(place, 0), size - 1)
    for j in range(math.floor(place) - 1, math.floor(place) + 3):
        row[min(max(j, 0), size - 1)] += _keys(place - j, -0.75) if cubic else max(0, 1 - abs(place - j))
    return row


def _interpolate(
    x: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: Any = None,
    recompute_scale_factor: Any = None, antialias: bool = False,
) -> Any:  # fmt: skip
    sizes, factors = (v if isinstance(v, tuple) else (v,) * (x.ndim - 2) for v in (size, scale_factor))
    for i, (n, asked, factor) in enumerate(zip(x.shape[2:], sizes, factors, strict=True)):
        count = math.floor(n * factor) if asked is None else asked
        if count == n:
            continue
        scale = n / count if factor is None or recompute_scale_factor else 1 / factor
        if align_corners:
            scale = (n - 1) / (count - 1) if count > 1 else 0
        rows = [_row(mode, j, n, count, scale, bool(align_corners), antialias) for j in range(count)]
        matrix = numpy.asarray(rows).astype(x.dtype)
        x = numpy.moveaxis(numpy.tensordot(matrix, x, axes=(1, 2 + i)), 0, 2 + i)
    return x


# pad ----------------------------------------------------------------------------------------------------------------


def _source(i: int, size: int, mode: str, first: int, count: int) -> int:
    """The element that place i, counted from the first element, shows."""
    if mode == "replicate":
        return min(max(i, 0), size - 1)
    if mode == "reflect":
        return abs(i) if i < size else 2 * (size - 1) - i
    return first + (i - first) % count  # of the elements that are left


def _pad(x: Any, pad: Any, mode: str = "constant", value: Any = None) -> Any:
    for i in range(len(pad) // 2):
        before, after = pad[2 * i : 2 * i + 2]
        moved = numpy.moveaxis(x, -1 - i, 0)
        size = len(moved)
        first = max(0, -before)
        places: Iterator[int] = iter(range(-before, size + after))
        if mode == "constant":
            empty = numpy.full_like(moved[0], 0 if value is None else value)
            rows = [moved[j] if 0 <= j < size else empty for j in places]
        else:
            rows = [moved[_source(j, size, mode, first, size - first + min(0, after))] for j in places]
        x = numpy.moveaxis(numpy.stack(rows), 0, -1 - i)
    return x


def _pad_constant(x: Any, shape: Any, inside: Any, value: Any) -> Any:
    out = numpy.full(shape, value, x.dtype)
    out[inside] = x
    return out


# pixel_shuffle ------------------------------------------------------------------------------------------------------


def _pixel_shuffle(x: Any, r: int) -> Any:
    *lead, channels, h, w = x.shape
    out = numpy.empty((*lead, channels // r**2, h * r, w * r), x.dtype)
    for c, i, j in itertools.product(range(channels // r**2), range(r), range(r)):
        out[..., c, i::r, j::r] = x[..., c * r**2 + i * r + j, :, :]
    return out


def _pixel_unshuffle(x: Any, r: int) -> Any:
    return numpy.concatenate(
        [x[..., c : c + 1, i::r, j::r] for c, i, j in itertools.product(range(x.shape[-3]), range(r), range(r))], axis=-3
    )


def _channel_shuffle(x: Any, groups: int) -> Any:
    each = x.shape[1] // groups
    return x[:, [g * each + i for i in range(each) for g in range(groups)]]


CASES = [
    Case(
        "resample",
        [
            call(real(2, 4), 1, Map(_table, 4, (True,))),
            call(real(2, 4, 3), 1, Map(_table, 4, (True,))),
            call(real(2, 4, 3), 1, Map(_table, 4, (False,))),
        ],
        _resample,
        complex=True,
        function=resample,
    ),
    Case(
        "interpolate",
        [
            call(real(2, 2, 3), scale_factor=2),
            call(real(1, 2, 3, 4), (5, 2), mode="nearest-exact"),
            call(real(2, 2, 3), scale_factor=1.7, mode="linear"),
            call(real(1, 2, 3, 4), scale_factor=(1.7, 0.5), mode="bilinear", recompute_scale_factor=True),
            call(real(1, 2, 3, 4), (5, 3), mode="bilinear", align_corners=True),
            call(real(1, 2, 5, 4), (2, 3), mode="bilinear", antialias=True),
            call(real(1, 1, 2, 3, 2), (3, 2, 5), mode="trilinear"),
            call(real(1, 2, 3, 4), scale_factor=2, mode="bicubic"),
            call(real(1, 2, 5, 4), (2, 6), mode="bicubic", antialias=True),
            call(real(1, 2, 5, 4), (3, 6), mode="area"),
        ],
        _interpolate,
        complex=True,
        function=F.interpolate,
    ),
    Case("interpolate", [call(integers(1, 2, 3), 5)], _interpolate, label="integers", order=None, function=F.interpolate),
    Case(
        "pad",
        [
            call(real(2, 3), (1, 2)),
            call(real(2, 3, 2), (-1, 2, 0, 1, 1, 0), value=0.5),
            call(real(2, 3, 4), (1, 2, 2, 0), "reflect"),
            call(real(2, 4), (-2, 3), "reflect"),
            call(real(2, 3, 4), (3, -1, 0, 2), "replicate"),
            call(real(2, 3, 4), (-1, 2, 1, 1), "circular"),
        ],
        _pad,
        complex=True,
        function=F.pad,
    ),
    Case("pad", [call(integers(2, 3), (1, 1)), call(integers(2, 3), (1, 1), "reflect")], _pad, label="integers", order=None, function=F.pad),
    Case(
        "pad_constant",
        [call(real(2, 3), shape=(2, 5), inside=(slice(None), slice(1, 4)), value=2)],
        _pad_constant,
        complex=True,
    ),
    Case("pixel_shuffle", [call(real(2, 4, 1, 2), 2), call(real(9, 1, 2), 3)], _pixel_shuffle, complex=True, function=F.pixel_shuffle),
    Case("pixel_unshuffle", [call(real(2, 1, 2, 4), 2), call(real(2, 3, 3), 3)], _pixel_unshuffle, complex=True, function=F.pixel_unshuffle),
    Case("channel_shuffle", [call(real(1, 6, 2), 2), call(real(1, 6, 1, 2), 3)], _channel_shuffle, complex=True, function=F.channel_shuffle),
]  # fmt: skip
