"""Flat buffers: the parameters of one device and dtype, and the optimizer's state for them, each in one array.

A parameter is then a view of its stretch of the buffer, and one kernel updates all of them in place, unless somebody else
still holds that memory: a graph that was recorded before, a detached copy, the user. Then the buffer is copied first, so that
what they hold stays as it was.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy

from gpugrad.arrays.devices import device_of, on
from gpugrad.arrays.kernels import is_cupy
from gpugrad.ops.aliasing import refresh
from gpugrad.ops.creation import raw_full
from gpugrad.ops.shape import concat, reshape
from gpugrad.ops.transfer import copy
from gpugrad.tape import Leaf, Tensor

# On the CPU the gradients of small parameters are joined for one update, which costs a copy; larger ones are updated where they
# are, for a call each. On a GPU a launch costs more than to copy all gradients.
_JOINED = 1 << 14

Piece = tuple[slice, tuple[int, ...]]
"""A stretch of the buffer and the parameters that it holds."""


class FlatBuffer:
    """Parameters of one array type, device and dtype in one array, and arrays of the same length for the state of each.

    Arrays of other libraries than NumPy and CuPy need not have views: there every parameter is a buffer of its own. The parameters
    stay where they are until :meth:`take_over`, so that running out of memory while buffers are made changes nothing.
    """

    def __init__(self, parameters: Sequence[Tensor], state_names: Sequence[str]) -> None:
        self.parameters = list(parameters)
        self.shapes = [tuple(p.array.shape) for p in parameters]
        self.starts = list(accumulate(map(math.prod, self.shapes), initial=0))
        self.steps = [0] * len(self.shapes)
        self._pieces: dict[tuple[int, ...], list[Piece]] = {}
        # Whether a kernel updates it without taking memory: a guess, until one has run. For complex dtypes there are none.
        self.in_place = parameters[0].dtype.kind != "c" and _has_views(parameters[0].array)
        self._lay_out(concat([reshape(p.array, (-1,)) for p in parameters]))
        self.state = {name: raw_full(self.data, (self.starts[-1],), 0, self.data.dtype) for name in state_names}

    def _lay_out(self, data: Any) -> None:
        self.data = data
        self.views = [reshape(self.of(data, i), shape) for i, shape in enumerate(self.shapes)]

    def take_over(self) -> None:
        """Make the parameters views of the buffer, which nobody else holds."""
        self._place()
        self._alone = self._holders()

    def _place(self) -> None:
        # Not within take_over: there the last view would be held by the loop's variable while references are counted.
        for parameter, view in zip(self.parameters, self.views, strict=True):
            parameter.array = view

    def _holders(self) -> list[int]:
        """How many references there are to the buffer (every view of it, a view of a view included, is one) and to each view."""
        return [sys.getrefcount(self.data), *map(sys.getrefcount, self.views)]

    def release(self) -> None:
        """Go to a copy of the memory if anybody else holds it, which other libraries than NumPy and CuPy do not tell."""
        if not _has_views(self.data) or self._holders() != self._alone:
            self._lay_out(copy(self.data))
            self.take_over()

    def of(self, flat: Any, i: int) -> Any:
        """The stretch of a flat array that belongs to parameter i."""
        return flat[self.starts[i] : self.starts[i + 1]]

    def write(self, flat: Any, i: int, value: Any) -> None:
        """Write a raw array or a number into the stretch of a flat array that belongs to parameter i."""
        with on(device_of(flat)):  # CuPy writes on its current device
            self.of(flat, i)[...] = value

    def intact(self) -> bool:
        """Whether every parameter still is the view that it was made: not moved to another device or given a new array."""
        return all(p.array is view for p, view in zip(self.parameters, self.views, strict=True))

    def updates(self, chosen: Sequence[int]) -> Iterator[tuple[tuple[int, ...], list[Any]]]:
        """Flat pieces that cover the chosen parameters, which all have gradients: which they are, and [values, gradients, *state]."""
        key = tuple(chosen)
        if key not in self._pieces:
            limit = _JOINED if isinstance(self.data, numpy.ndarray) else self.starts[-1]
            self._pieces[key] = list(_pieces(key, self.starts, limit))
        for where, members in self._pieces[key]:
            gradients = [_flat(self.parameters[i].grad) for i in members]
            gradient = gradients[0] if len(gradients) == 1 else concat(gradients)
            yield members, [self.data[where], gradient, *(array[where] for array in self.state.values())]

    def updated(self, members: Sequence[int]) -> None:
        """Count a step of these parameters, whose values are others now."""
        for i in members:
            self.steps[i] += 1
            node = self.parameters[i].node
            if isinstance(node, Leaf):
                node.mark_changed()
            refresh(self.parameters[i])


def _has_views(array: Any) -> bool:
    """Whether slices of an array are views that count as references to it: NumPy's and CuPy's do, others need not."""
    return array_kind(array) is numpy.ndarray or is_cupy(type(array))


def _flat(gradient: Tensor | None) -> Any:
    assert gradient is not None
    flat: Any = reshape(gradient.array, (-1,))
    return flat


def _pieces(chosen: tuple[int, ...], starts: list[int], limit: int) -> Iterator[Piece]:
    """Cover the chosen parameters with stretches: neighbours together as long as they have at most `limit` elements."""
    together: list[int] = []
    for i in chosen:
        fits = together and together[-1] == i - 1 and starts[i + 1] - starts[together[0]] <= limit
        if together and not fits:
            yield slice(starts[together[0]], starts[together[-1] + 1]), tuple(together)
            together = []
        together.append(i)
    if together:
        yield slice(starts[together[0]], starts[together[-1] + 1]), tuple(together)


def buffer_key(parameter: Tensor) -> tuple[Any, ...]:
    """What parameters must share to stand in one buffer; on other libraries than NumPy and CuPy, nothing may be shared."""
    kind = array_kind(parameter.array)
    own = () if _has_views(parameter.array) else (id(parameter),)
    return (kind, str(getattr(parameter.array, "device", "cpu")), str(parameter.array.dtype), *own)


def array_kind(array: Any) -> type:
    """The type of an array; a NumPy scalar, which NumPy makes of a 0-d result, counts as an array of NumPy."""
    return numpy.ndarray if isinstance(array, (numpy.ndarray, numpy.generic)) else type(array)
