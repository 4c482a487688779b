"""Convolution on the CPU by kernels written in C, convolution.c: the plans for them, by the shapes of the operands.

The columns of all windows (im2col) have as many times the elements of an image as the kernel has taps, all to be written and to be
read again. The kernels do without. A thread copies an image, or the channels of one group, into lines, one per channel, in which
zeros lie between the rows. There the element that a tap meets in window q is at a distance from q that depends on the tap alone, so
that a tile of the result, some channels by some successive windows, is a sum of weights times shifted vectors, which stays in
registers. A stride cuts lines into phases, within which it is 1; axes, dilation and padding are all in the distances. The gradient of
the input is a sum of the same kind, over the outputs and the taps of each phase, from lines of g; the gradient of the weight is
scalar products of lines of g with shifted lines.

Windows that straddle two rows are computed too, and left out of the result; shapes for which that would be most of the work go to
the plain definition. In the gradients they meet a g of zero, which does no harm unless the other factor is not finite: where
weights, or gradients of weights, are not finite, the plain definition runs, too.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy

from gpugrad.arrays.windows import Sizes, Window
from gpugrad.compile.handwritten import handwritten, suits
from gpugrad.compile.runtime import contiguous, plan

SMALLEST = 2**12
"""Multiplications from which on a kernel runs: below, compiling it may never pay off."""

_VECTOR = 16  # elements of the widest vector
_SLACK = 64  # zeros behind a line: more than a tile is wide
_RATE = 40.0  # products in a nanosecond, to estimate times
_ITEMS = 16  # into how many the work is cut at least, if it can be, so that all threads have some; each has an image to lay out
_SHARES = 32  # most parts of a batch whose gradients of the weight are computed apart
_SUMS = 2**20  # most elements of all these gradients
_LONG = 2**11  # fewest windows of such a part, after which what each vector holds is added up
_CACHE = 2**20  # bytes of the lines of several images
_HEAD = 15  # integers before the tables, for convolution.c
_PASSES = ("convolve", "convolve_with_bias", "input_gradient", "weight_gradient")


class Layout(NamedTuple):
    """Where images lie in lines. Distances and lengths are in elements; tables are as convolution.c reads them."""

    lines: Sizes  # table of the lines of the input, of which the first number is their length
    maps: Sizes  # table of those of the result, and of its gradient
    offsets: Sizes  # of each tap, in the lines of the input
    shifts: Sizes  # of each tap within its phase
    by_phase: tuple[Sizes, ...]  # the taps of each phase
    margin: int  # in the lines of the result, before its first element
    length: int  # from the first to the last window
    rounded: int  # the same in whole vectors


@functools.lru_cache(256)
def layout_of(window: Window, sizes: Sizes, counts: Sizes) -> Layout:
    """How images of these spatial sizes are laid out, on which so many windows lie."""
    if window.is_element:  # one row
        window, sizes, counts = Window((1,), (1,), (0,), (1,)), (math.prod(sizes),), (math.prod(counts),)
    ones, zeros = (1,) * (3 - len(sizes)), (0,) * (3 - len(sizes))
    shape, count, padding = ones + sizes, ones + counts, zeros + window.padding
    kernel, stride, dilation, spans = (ones + x for x in (window.kernel, window.stride, window.dilation, window.spans))
    # The padding behind a row is the padding before the next one, too; windows may reach over its end.
    ends = [
        max(size + p, (n - 1) * s + span - p) for size, p, n, s, span in zip(shape, padding, count, stride, spans, strict=True)
    ]
    rows = [max(n, -(-end // s)) for n, end, s in zip(count, ends, stride, strict=True)]
    flat = (rows[1] * rows[2], rows[2], 1)
    length = sum((n - 1) * f for n, f in zip(count, flat, strict=True)) + 1
    along = [[(k * d % s, k * d // s * f) for k in range(n)] for n, d, s, f in zip(kernel, dilation, stride, flat, strict=True)]
    taps = [tuple(zip(*tap, strict=True)) for tap in itertools.product(*along)]  # phases and shifts of each, along each axis
    shifts = tuple(sum(shift) for _, shift in taps)
    phases = sorted({phase for phase, _ in taps})
    each = _rounded(max(math.prod(rows), length + max(shifts)) + _SLACK)
    offsets = tuple(phases.index(phase) * each + shift for (phase, _), shift in zip(taps, shifts, strict=True))
    lines = [each * len(phases), math.prod(shape), *shape[1:], *stride, *flat[:2], len(phases)]
    for number, phase in enumerate(phases):
        lines.append(number * each)
        for f, p, s, size in zip(phase, padding, stride, shape, strict=True):
            first = (f - p) % s
            lines += [first, (first + p) // s, max(0, -(-(size - first) // s))]
    margin = _rounded(max(shifts))
    pitch = margin + _rounded(max(math.prod(rows), length) + _SLACK)
    maps = [pitch, math.prod(count), *count[1:], 1, 1, 1, *flat[:2], 1, 0]
    for start, n in zip((0, 0, margin), count, strict=True):
        maps += [0, start, n]
    by_phase = tuple(tuple(t for t, (of, _) in enumerate(taps) if of == phase) for phase in phases)
    return Layout(tuple(lines), tuple(maps), offsets, shifts, by_phase, margin, length, _rounded(length))


def pays(window: Window, sizes: Sizes, outputs: int) -> bool:
    """Whether what is computed in vain takes less time than columns do, which are used as often as a group has outputs."""
    counts = window.counts(sizes)
    return min(counts) > 0 and layout_of(window, sizes, counts).rounded <= (1.1 + 64 / outputs) * math.prod(counts)


def _rounded(n: int) -> int:
    return -(-n // _VECTOR) * _VECTOR


class _Call(NamedTuple):
    """What is known of a call before its arrays are."""

    launch: Callable[..., None]
    plan: bytes
    counts: Sizes  # of windows
    shares: int  # of the batch, each with a gradient of the weight
    by_phase: tuple[Sizes, ...]


@functools.lru_cache(512)
def _call(
    name: str, kind: str, batch: int, sizes: Sizes, weight: Sizes,
    *, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int,
) -> _Call | None:  # fmt: skip
    """How the kernel of a pass is called for these shapes; None where it should not be."""
    window = Window(weight[2:], stride, padding, dilation)
    outputs, channels, taps = weight[0] // groups, weight[1], math.prod(window.kernel)
    if not outputs or not pays(window, sizes, outputs):
        return None
    counts = window.counts(sizes)
    layout = layout_of(window, sizes, counts)
    products = batch * groups * outputs * channels * taps * math.prod(counts)
    found = handwritten(__file__, kind, _PASSES) if products >= max(1, SMALLEST) else None
    if found is None:
        return None
    launch, addresses = found
    itemsize, line, map_ = numpy.dtype(kind).itemsize, layout.lines[0], layout.maps[0]
    share = together = 1  # images that one item is about, and how many of them are laid out at a time
    if name == "weight_gradient":
        share = -(-batch // max(1, min(_SHARES, _SUMS // math.prod(weight), batch * layout.length // _LONG)))
        together = max(1, min(share, _CACHE // (itemsize * (outputs * map_ + channels * line))))
    shares = -(-batch // share)
    forward = name.startswith("convolve")
    results = outputs if forward else channels
    wanted = -(-_ITEMS // (shares * groups))  # parts of the results of a group
    part = min(results, -(-results // wanted // 8) * 8)
    parts = -(-results // part)
    scratch = channels * line + part * map_ if forward else together * (outputs * map_ + part * line)
    distances = [n for members in layout.by_phase for n in (len(members), *(-layout.shifts[t] for t in members))]
    tables = [layout.lines, layout.maps, layout.offsets, distances]
    starts = itertools.accumulate(map(len, tables[:-1]), initial=_HEAD)
    integers = [
        channels, outputs, groups, parts, part, taps, layout.rounded, batch, share, together, layout.margin,
        *starts, *itertools.chain(*tables),
    ]  # fmt: skip
    cost = products / _RATE + batch * groups * (channels * line + outputs * map_) / 4
    made = plan(
        addresses[name], shares * groups * parts, int(cost), 4 if name == "convolve_with_bias" else 3, 1, 0,
        scratch * itemsize, integers=integers,
    )  # fmt: skip
    return _Call(launch, made, counts, shares, layout.by_phase)


def _found(name: str, arrays: tuple[Any, ...], batch: int, sizes: Sizes, weight: Sizes, options: Any) -> _Call | None:
    """The call for these arrays; None where there is no kernel for them."""
    return _call(name, arrays[0].dtype.char, batch, sizes, weight, **options) if suits(*arrays) else None


def convolution(otherwise: Callable[..., Any], x: Any, weight: Any, /, *bias: Any, **options: Any) -> Any:
    """The convolution of NumPy arrays, with a bias or without; what there is no kernel for goes to `otherwise`."""
    name = "convolve_with_bias" if bias else "convolve"
    call = _found(name, (x, weight, *bias), x.shape[0], x.shape[2:], weight.shape, options)
    if call is None or x.shape[1] != weight.shape[1] * options["groups"]:
        return otherwise(x, weight, *bias, **options)
    out = numpy.empty((x.shape[0], weight.shape[0], *call.counts), x.dtype)
    call.launch(call.plan, out, *map(contiguous, (x, weight, *bias)))
    return out


def input_gradient(otherwise: Callable[..., Any], g: Any, weight: Any, /, *, shape: Sizes, groups: int, **options: Any) -> Any:
    """The same for the gradient of the input."""
    options["groups"] = groups
    call = _found("input_gradient", (g, weight), g.shape[0], shape, weight.shape, options)
    if call is None or g.shape[1:] != (weight.shape[0], *call.counts) or not numpy.isfinite(weight).all():
        return otherwise(g, weight, shape=shape, **options)
    outputs, channels, *_ = weight.shape
    swapped = weight.reshape(groups, outputs // groups, channels, -1).swapaxes(1, 2)
    if len(call.by_phase) > 1:
        swapped = numpy.concatenate([swapped[..., taps].reshape(-1) for taps in call.by_phase])
    every = len(call.by_phase) == math.prod(options["stride"])  # or no tap meets what lies in other phases
    out = (numpy.empty if every else numpy.zeros)((g.shape[0], channels * groups, *shape), g.dtype)
    call.launch(call.plan, out, contiguous(g), contiguous(swapped))
    return out


def weight_gradient(otherwise: Callable[..., Any], g: Any, x: Any, /, *, shape: Sizes, groups: int, **options: Any) -> Any:
    """The same for the gradient of the weight."""
    options["groups"] = groups
    weight = (g.shape[1], x.shape[1] // groups, *shape)
    call = _found("weight_gradient", (g, x), x.shape[0], x.shape[2:], weight, options)
    if call is not None and (len(g), *g.shape[2:]) == (len(x), *call.counts):
        out = numpy.empty((call.shares, *weight), x.dtype)
        call.launch(call.plan, out, contiguous(g), contiguous(x))
        total = out[0] if call.shares == 1 else numpy.add.reduce(out, 0)
        if numpy.isfinite(total).all():
            return total
    return otherwise(g, x, shape=shape, **options)


KERNELS = {
    "convolution": convolution,
    "convolution_with_bias": convolution,
    "convolution_input_gradient": input_gradient,
    "convolution_weight_gradient": weight_gradient,
}
"""The kernel of each op for NumPy's arrays, whose first argument is the op's definition."""
