"""Flat buffers: the parameters of one device and dtype, and the optimizer's state for them, each in one array.

A parameter is then a view of its stretch of the buffer, and one kernel updates all of them in place, unless somebody else
still holds that memory: a graph that was recorded before, a detached copy, the user. Then the buffer is copied first, so that
what they hold stays as it was.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy

from gpugrad.arrays.devices import device_of, on
from gpugrad.arrays.dtypes import DType
from gpugrad.arrays.kernels import is_cupy
from gpugrad.compile.pieces import Pieces
from gpugrad.compile.runtime import contiguous
from gpugrad.nn.functional.precision import wide, wide_dtype
from gpugrad.ops.aliasing import refresh
from gpugrad.ops.creation import raw_full
from gpugrad.ops.shape import concat, reshape
from gpugrad.ops.transfer import copy
from gpugrad.tape import Leaf, Tensor, next_number

Stretch = tuple[slice, tuple[int, ...]]
"""A part of the buffer and the parameters that it holds."""

Chosen = tuple[int, ...]

_MUCH = 1 << 20
"""Bytes from which on the system is asked to take memory back that was freed."""


class FlatBuffer:
    """Parameters of one array type, device and dtype in one array, and arrays of the same length for the state of each.

    Arrays of other libraries than NumPy and CuPy need not have views: there every parameter is a buffer of its own. The parameters
    stay where they are until :meth:`take_over`, so that running out of memory while buffers are made changes nothing.

    To the rules, complex parameters are their real and imaginary parts, which are numbers of their own: what :meth:`joined` yields is
    then real, and twice as long.

    ``numbers[i]`` is what is kept on the host for parameter i: None before its first step. `places` says which of those of its group,
    `params`, the parameters are.
    """

    def __init__(self, params: Sequence[Tensor], places: Sequence[int]) -> None:
        self.parameters = parameters = [params[place] for place in places]
        self.places = list(places)
        self._size_of_group = len(params)
        self.shapes = [tuple(p.array.shape) for p in parameters]
        self.starts = list(accumulate(map(math.prod, self.shapes), initial=0))
        self.numbers: list[dict[str, float] | None] = [None] * len(self.shapes)
        self._stretches: dict[Chosen, list[Stretch]] = {}
        self.is_complex = parameters[0].dtype.kind == "c"
        self._has_views = has_views(parameters[0].array)
        # Whether a kernel updates it without taking memory: a guess, until one has run.
        self.in_place = self._has_views
        self._lay_out(concat([reshape(p.array, (-1,)) for p in parameters]))
        self.state: dict[str, Any] = {}
        self.master = False

    def _lay_out(self, data: Any) -> None:
        self.data = data
        self.views = [reshape(self.of(data, i), shape) for i, shape in enumerate(self.shapes)]

    def allocate(self, arrays: Mapping[str, float], master: bool) -> None:
        """Make the state: arrays of these names, and what they start with.

        With `master`, parameters of 16 bits have a copy in float32, the first array, "master", and the others are in float32 too.
        """
        dtype = self.data.dtype
        self.master = self._has_master(master)
        state = {"master": wide(self.data)} if self.master else {}
        for name, value in arrays.items():
            start = complex(value, value) if self.is_complex else value
            state[name] = raw_full(self.data, (self.starts[-1],), start, wide_dtype(dtype) if self.master else dtype)
        self.state = state

    def fits(self, arrays: Mapping[str, float], master: bool) -> bool:
        """Whether it has this state."""
        return tuple(self.state) == (("master", *arrays) if self._has_master(master) else tuple(arrays))

    def _has_master(self, master: bool) -> bool:
        return master and wide_dtype(self.data.dtype) is not self.data.dtype

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
        if not self._has_views or self._holders() != self._alone:
            self._lay_out(copy(self.data))
            self.take_over()

    def of(self, flat: Any, i: int) -> Any:
        """The stretch of a flat array that belongs to parameter i."""
        return flat[self.starts[i] : self.starts[i + 1]]

    def write(self, flat: Any, i: int, value: Any) -> None:
        """Write a raw array or a number into the stretch of a flat array that belongs to parameter i."""
        with on(device_of(flat)):  # CuPy writes on its current device
            self.of(flat, i)[...] = value

    def intact(self, params: Sequence[Tensor]) -> bool:
        """Whether every parameter still stands in its place of the group, whose parameters these are, no more and no fewer than before,
        and still is the view that it was made: not moved to another device or given a new array."""
        if len(params) != self._size_of_group:
            return False
        for place, parameter, view in zip(self.places, self.parameters, self.views, strict=True):
            if params[place] is not parameter or parameter.array is not view:
                return False
        return True

    def joined(self, chosen: Chosen, gradients: Sequence[Any]) -> Iterator[tuple[Chosen, list[Any]]]:
        """Flat parts that cover the chosen parameters, which all have gradients: which they are, and [values, gradients, *state].

        `gradients` are those of all parameters.

        On the CPU it is one, which leaves the gradients where they are. On a GPU each stretch of neighbours is a part, whose gradients
        are copied side by side: so few launches do for all parameters.
        """
        if isinstance(self.data, numpy.ndarray):
            arrays = [self.data, *self.state.values()]
            data, *state = map(self._real, arrays) if self.is_complex else arrays
            yield chosen, [data, self._pieces(chosen, gradients, data.dtype), *state]
            return
        if chosen not in self._stretches:
            self._stretches[chosen] = list(_stretches(chosen, self.starts))
        for where, members in self._stretches[chosen]:
            flat = [reshape(gradients[i], (-1,)) for i in members]
            gradient = flat[0] if len(flat) == 1 else concat(flat)
            yield members, [*map(self._real, (self.data[where], gradient, *(array[where] for array in self.state.values())))]

    def _pieces(self, chosen: Chosen, gradients: Sequence[Any], dtype: DType) -> Pieces:
        parts = [x if x.flags.carray else contiguous(x) for x in map(gradients.__getitem__, chosen)]
        each = 1
        if self.is_complex:
            parts, each = list(map(self._real, parts)), 2
        if len(chosen) < len(self.parameters):
            parts = self._with_gaps(parts, chosen, each)
        return Pieces.of(parts, each * self.starts[-1], dtype)

    def _with_gaps(self, gradients: list[Any], chosen: Chosen, each: int) -> list[Any]:
        """The gradients of the chosen parameters, and how many elements the others have, times `each`, in between."""
        parts: list[Any] = []
        end = 0
        for i, gradient in zip(chosen, gradients, strict=True):
            if self.starts[i] > end:
                parts.append(each * (self.starts[i] - end))
            parts.append(gradient)
            end = self.starts[i + 1]
        if self.starts[-1] > end:
            parts.append(each * (self.starts[-1] - end))
        return parts

    def _real(self, array: Any) -> Any:
        """A flat view of the real and imaginary parts, side by side, of a contiguous array; of real parameters, the array itself."""
        return array.reshape(-1).view(array.real.dtype) if self.is_complex else array

    def apart(self, chosen: Chosen, gradients: Sequence[Any]) -> Iterator[tuple[Chosen, list[Any]]]:
        """The same, each parameter alone and in its shape."""
        for i in chosen:
            shaped = (reshape(self.of(array, i), self.shapes[i]) for array in self.state.values())
            yield (i,), [reshape(self.of(self.data, i), self.shapes[i]), gradients[i], *shaped]

    def updated(self, members: Chosen, numbers: dict[str, float]) -> None:
        """Keep these numbers of parameters whose values are others now."""
        now = next_number()
        for i in members:
            self.numbers[i] = numbers
            parameter = self.parameters[i]
            node = parameter.node
            if type(node) is Leaf:
                node.changed = now
            if parameter.aliases is not None:
                refresh(parameter)


def return_freed(buffers: Sequence[FlatBuffer]) -> None:
    """Let the system have what the parameters of these buffers were in before.

    The C library keeps arrays of some 100 kB that are freed, for others as small, while a buffer and its state come from the system.
    """
    if sum(buffer.data.nbytes for buffer in buffers if isinstance(buffer.data, numpy.ndarray)) >= _MUCH:
        with contextlib.suppress(AttributeError, OSError, TypeError):  # only glibc has it
            ctypes.CDLL(None).malloc_trim(0)


def has_views(array: Any) -> bool:
    """Whether slices of an array are views that count as references to it: NumPy's and CuPy's do, others need not."""
    return array_kind(array) is numpy.ndarray or is_cupy(type(array))


def _stretches(chosen: Chosen, starts: list[int]) -> Iterator[Stretch]:
    """Cover the chosen parameters with stretches of neighbours."""
    together: list[int] = []
    for i in (*chosen, -1):
        if together and together[-1] != i - 1:
            yield slice(starts[together[0]], starts[together[-1] + 1]), tuple(together)
            together = []
        together.append(i)


def buffer_key(parameter: Tensor) -> tuple[Any, ...]:
    """What parameters must share to stand in one buffer; on other libraries than NumPy and CuPy, nothing may be shared."""
    kind = array_kind(parameter.array)
    own = () if has_views(parameter.array) else (id(parameter),)
    return (kind, str(getattr(parameter.array, "device", "cpu")), str(parameter.array.dtype), *own)


def array_kind(array: Any) -> type:
    """The type of an array; a NumPy scalar, which NumPy makes of a 0-d result, counts as an array of NumPy."""
    return numpy.ndarray if isinstance(array, (numpy.ndarray, numpy.generic)) else type(array)
