"""Windows that slide over the spatial axes of an array, in convolution and in pooling: how many there are, and what they meet."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterator
from typing import Any, NamedTuple

from gpugrad.errors import DTypeError, ShapeError

Sizes = tuple[int, ...]
Slices = tuple[slice, ...]


class Window(NamedTuple):
    """A window of ``kernel`` taps. Tap k of window o lies on element ``o * stride - padding + k * dilation``, along each axis."""

    kernel: Sizes
    stride: Sizes
    padding: Sizes
    dilation: Sizes

    @property
    def spans(self) -> Sizes:
        """How many elements a window reaches over: ``(kernel - 1) * dilation + 1``."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    @property
    def is_element(self) -> bool:
        """Whether the windows are the elements themselves, one each: the kernel of size 1 that needs no windows."""
        return math.prod(self.kernel) * math.prod(self.stride) == 1 and not any(self.padding)

    def counts(self, sizes: Sizes, ceil_mode: bool = False) -> Sizes:
        """How many windows fit into an array of these spatial sizes; negative or 0 where none does.

        With `ceil_mode` a last one may reach over the end, if it begins on an element or in the padding before the first.
        """
        found = []
        for size, span, stride, padding in zip(sizes, self.spans, self.stride, self.padding, strict=True):
            room = size + 2 * padding - span
            count = (-(-room // stride) if ceil_mode else room // stride) + 1
            found.append(count - (ceil_mode and (count - 1) * stride >= size + padding))
        return tuple(found)

    def sizes(self, counts: Sizes) -> Sizes:
        """The smallest spatial sizes that so many windows fit into, which may be negative or 0."""
        axes = zip(counts, self.spans, self.stride, self.padding, strict=True)
        return tuple((count - 1) * stride + span - 2 * padding for count, span, stride, padding in axes)

    def some_empty(self, sizes: Sizes, ceil_mode: bool = False) -> bool:
        """Whether a window that :meth:`counts` counts lies on nothing but padding, if that is at most half a kernel wide.

        A window that begins in the padding has its first tap after that within the first `dilation` elements.
        """
        axes = zip(*self, sizes, self.counts(sizes, ceil_mode), strict=True)
        return any(
            not any(0 <= o * stride - padding + k * dilation < size for k in range(kernel))
            for kernel, stride, padding, dilation, size, count in axes
            if padding and size < dilation
            for o in range(count)
        )

    def meetings(self, sizes: Sizes, counts: Sizes) -> Iterator[tuple[Sizes, Slices, Slices]]:
        """For each tap: the tap, the elements it lies on, and the windows for which it does, in the same order.

        The other windows have it on the padding. Taps that only ever lie there are left out.
        """
        axes = [
            [
                m
                for k in range(self.kernel[i])
                if (m := _meeting(k, k * self.dilation[i] - self.padding[i], self.stride[i], *ends))
            ]
            for i, ends in enumerate(zip(sizes, counts, strict=True))
        ]
        for combination in itertools.product(*axes):
            taps, elements, windows = zip(*combination, strict=True)
            yield taps, elements, windows


def _meeting(tap: int, shift: int, stride: int, size: int, count: int) -> tuple[int, slice, slice] | None:
    """The tap, and the slices of the elements and of the windows where it lies on an element, ``o * stride + shift``."""
    first, last = max(0, -(shift // stride)), min(count - 1, (size - 1 - shift) // stride)
    if first > last:
        return None
    return tap, slice(first * stride + shift, last * stride + shift + 1, stride), slice(first, last + 1)


def as_sizes(name: str, argument: str, value: Any, ndim: int, least: int) -> Sizes:
    """An argument such as ``stride`` as `ndim` ints, one for each axis, from an int or a sequence of 1 or `ndim` of them.

    Raises DTypeError for what is no int, ShapeError for another number of them or one below `least`.
    """
    expected = "an int" if ndim == 1 else f"an int or a tuple of {ndim} of them"
    try:
        sizes = tuple(map(operator.index, value)) if isinstance(value, (tuple, list)) else (operator.index(value),)
    except TypeError:
        raise DTypeError(f"{name}: {argument} is {value!r}, expected {expected}") from None
    sizes = sizes * ndim if len(sizes) == 1 else sizes
    if len(sizes) != ndim or min(sizes) < least:
        raise ShapeError(f"{name}: {argument} is {value!r}, expected {expected}, {least} or more")
    return sizes


def as_window(name: str, ndim: int, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Window:
    """A window from the arguments of a function; raises as :func:`as_sizes` does."""
    return Window(
        as_sizes(name, "kernel_size", kernel, ndim, 1), as_sizes(name, "stride", stride, ndim, 1),
        as_sizes(name, "padding", padding, ndim, 0), as_sizes(name, "dilation", dilation, ndim, 1),
    )  # fmt: skip


def fitting(name: str, shape: Sizes, window: Window, ceil_mode: bool = False) -> Sizes:
    """How many windows fit into an input of this shape. Raises ShapeError if none does."""
    counts = window.counts(shape[-len(window.kernel) :], ceil_mode)
    if min(counts) < 1:
        raise ShapeError(
            f"{name}: the kernel {window.kernel} with dilation {window.dilation} spans {window.spans}, more than input {shape} "
            f"with padding {window.padding} on both sides"
        )
    return counts
