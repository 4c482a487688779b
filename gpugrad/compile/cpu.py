"""Kernels on NumPy arrays: C, built by the system's compiler, run by the launcher."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy

from gpugrad.arrays import numpy as numpy_backend
from gpugrad.arrays.dtypes import DType
from gpugrad.compile import build, c
from gpugrad.compile.c import Function, Items
from gpugrad.compile.runtime import launcher, plan
from gpugrad.compile.schedule import Kernel
from gpugrad.compile.sizes import evaluator

HEAD = '#include "prelude.h"\n#include "maths.h"\n\n'
_CHUNK = 8000.0
"""Nanoseconds of work that a thread takes at once."""

Binder: TypeAlias = Callable[[tuple[int, ...], dict[int, tuple[int, ...]]], bytes]
"""From the values of the sizes and the strides to the launcher's plan."""

beside = True  # elementwise results are computed in the loops of full reductions
empty = numpy.empty


def generate(kernel: Kernel, name: str, stored: set[int], strided: set[int]) -> c.Source:
    return c.generate(kernel, name, stored, strided)


class Library:
    """The functions of one source, built and loaded. `launch` is None where there is no compiler."""

    def __init__(self, source: str, name: str) -> None:
        self.name = name
        self.library = build.load(HEAD + source, name)
        self.launch: Callable[..., None] | None = launcher() if self.library is not None else None

    def binder(self, function: Function) -> Binder:
        """A function from the values of the sizes and strides to the launcher's plan."""
        usual, short = _binder(self.library, function), function.short
        if short is None:
            return usual

        @functools.cache
        def for_short_rows() -> Binder:
            found = short.write()
            library = build.load(HEAD + found[0], f"{self.name}_short") if found else None
            return _binder(library, found[1]) if found and library is not None else usual

        extents = evaluator([short.length, short.width])

        def bind(sizes: tuple[int, ...], strides: dict[int, tuple[int, ...]]) -> bytes:
            length, width = extents(sizes)
            return (for_short_rows() if length <= short.most and width >= c.SIDE_BY_SIDE else usual)(sizes, strides)

        return bind


def _binder(library: Any, function: Function) -> Binder:
    address = ctypes.cast(getattr(library, function.name), ctypes.c_void_p).value
    assert address is not None
    items_of = count(function.items)
    buffers, length = function.scratch
    evaluate = evaluator([function.elements, length])

    def bind(sizes: tuple[int, ...], strides: dict[int, tuple[int, ...]]) -> bytes:
        items, (elements, each) = items_of(sizes), evaluate(sizes)
        cost = function.cost * elements
        grain = max(1, int(items * _CHUNK / max(cost, 1.0)))
        integers = [sizes[v] for v in function.sizes] + [strides[number][axis] for number, axis in function.strides]
        return plan(
            address, items, int(cost), len(function.arrays), function.outputs, len(function.scalars),
            buffers * ((8 * each + 127) // 64 * 64), grain, integers,  # each buffer begins on a cache line
        )  # fmt: skip

    return bind


def count(items: Items) -> Callable[[tuple[int, ...]], int]:
    """A function from the values of the sizes to the number of work items."""
    evaluate = evaluator([items.rows, items.size])

    def evaluated(sizes: tuple[int, ...]) -> int:
        rows, size = evaluate(sizes)
        return rows * -(-size // items.block)

    return evaluated


def function(name: str) -> Callable[..., Any] | None:
    """The NumPy function behind a call between kernels."""
    return numpy_backend.spelling(name, True)


def placed(run: Callable[..., Any]) -> Callable[..., Any]:
    """`run`, which runs where its arrays are."""
    return run


def supported(dtype: DType) -> bool:
    return dtype.kind in "biuf" and dtype.itemsize <= 8 and dtype.isnative


def as_contiguous(array: Any) -> Any:
    return numpy.asarray(array, order="C")


def uploaded(array: Any) -> Any:
    """A NumPy array where kernels can read it."""
    return array
