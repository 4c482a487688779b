"""pad: more elements around an array, or fewer."""

from __future__ import annotations

import numbers
import operator
from typing import Any

import numpy

from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.families import A, composite, fused
from gpugrad.nn.functional.linear import check_input
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.nn.functional.resample import Map, known, resample
from gpugrad.ops.creation import raw_full
from gpugrad.ops.dtypes import refuse_complex
from gpugrad.ops.indexing import getitem

_NUMPY_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
Slices = tuple[slice, ...]


@fused(compiles=False, x=lambda g, inside: getitem(g, inside))
def _pad_constant(x: Any, /, *, shape: tuple[int, ...], inside: Slices, value: Any) -> Any:
    """An array of `shape` full of `value` with x at `inside`."""
    out = raw_full(x, shape, value, x.dtype)
    out[inside] = x
    return out


def _indices(size: int, before: int, after: int, mode: str) -> tuple[Any, None]:
    """The table of :mod:`~gpugrad.nn.functional.resample` that lengthens or shortens an axis, of the numbers of elements."""
    taken = numpy.arange(size)
    end = size + min(0, after)
    if mode == "circular":  # of what is left, the others of what there was
        taken = taken[max(0, -before) : end]
    taken = numpy.pad(taken, (max(0, before), max(0, after)), mode=_NUMPY_MODES[mode])  # type: ignore[call-overload]
    if mode != "circular":
        taken = taken[max(0, -before) : len(taken) + min(0, after)]
    return taken[None], None


@composite
def pad(input: A, pad: Any, mode: str = "constant", value: Any = None) -> A:
    """The input with more elements before and after those of its last axes, or with fewer where a number is negative.

    `pad` is (before, after) for the last axis, then the same for the axis before it, and so on: (left, right, top, bottom) for images.
    "constant" adds `value`, which is 0 if left out; "reflect" the elements seen in a mirror on the first and on the last one, which are
    not repeated; "replicate" the first and the last one again; "circular" those of the other end.

    Shapes: input (..., a, b), result (..., pad[2] + a + pad[3], pad[0] + b + pad[1]). Dtypes: any, and the result has the same.
    Raises ShapeError for a `pad` that is not of pairs, has more of them than the input axes, takes away more than there is, or adds
    more than there is to mirror (size - 1) or to repeat (size); OptionError for an unknown mode or a `value` that it has no use for;
    DTypeError for what is no array or int, and for a `value` that is no number, or complex where the input is not.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pad.html
    """
    check_input(input, "pad")
    shape = tuple(input.shape)  # type: ignore[attr-defined]
    known("pad", shape)
    around = _pairs(shape, pad)
    if mode == "constant":
        value = 0 if value is None else value
        if not isinstance(value, numbers.Number):
            raise DTypeError(f"pad: value is {value!r}, expected a number")
        refuse_complex("pad", value, input.dtype)  # type: ignore[attr-defined]
        return _constant(input, shape, around, value)
    if mode not in _NUMPY_MODES:
        raise OptionError(f"pad: mode is {mode!r}, expected 'constant', 'reflect', 'replicate' or 'circular'")
    if value:
        raise OptionError(f"pad: value is {value!r} and mode {mode!r}, expected a value with mode 'constant' alone")
    out = wide(input)
    for axis, (before, after) in enumerate(around, len(shape) - len(around)):
        size, most = shape[axis], max(before, after)
        room = {"reflect": size - 1, "circular": size + min(0, before, after), "replicate": most if size else 0}[mode]
        if most > room:
            raise ShapeError(
                f"pad: pad is {tuple(pad)} and mode {mode!r} for input {shape}, expected {room} or less for axis {axis} of size {size}"
            )
        if before or after:
            out = resample(out, axis, Map(_indices, size, (size, before, after, mode)))
    found: A = narrow(out, input)
    return found


def _pairs(shape: tuple[int, ...], pad: Any) -> list[tuple[int, int]]:
    """(before, after) for each of the last axes, in their order."""
    try:
        given = tuple(map(operator.index, pad))
    except TypeError:
        raise DTypeError(f"pad: pad is {pad!r}, expected a tuple of ints, two for each axis from the last one on") from None
    if len(given) % 2 or len(given) > 2 * len(shape):
        raise ShapeError(
            f"pad: pad is {given} for input {shape}, expected pairs of ints, one for each axis from the last one on, at most {len(shape)}"
        )
    around = list(zip(given[::2], given[1::2], strict=True))[::-1]
    sizes = shape[len(shape) - len(around) :]
    if any(
        size + before + after < 0 or -min(before, after) > size for size, (before, after) in zip(sizes, around, strict=True)
    ):
        raise ShapeError(f"pad: pad is {given} for input {shape}, expected to take away no more than there is")
    return around


def _constant(x: Any, shape: tuple[int, ...], around: list[tuple[int, int]], value: Any) -> Any:
    lead = (slice(None),) * (len(shape) - len(around))
    sizes = shape[len(lead) :]
    if any(min(pair) < 0 for pair in around):
        x = x[(*lead, *(slice(max(0, -b), n + min(0, a)) for n, (b, a) in zip(sizes, around, strict=True)))]
    if not any(max(pair) > 0 for pair in around):
        return x
    inside = tuple(slice(max(0, b), max(0, b) + n) for n, (b, _) in zip(x.shape[len(lead) :], around, strict=True))
    full = tuple(n + b + a for n, (b, a) in zip(sizes, around, strict=True))
    return _pad_constant(x, shape=(*shape[: len(lead)], *full), inside=(*lead, *inside), value=value)
