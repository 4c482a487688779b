"""What the NumPy and the CuPy backend share: a table of kernels by the name of the op, and those that are methods in both."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy

Kernel = Callable[..., Any]


def registrar(table: dict[str, Kernel]) -> Callable[[str], Callable[[Kernel], Kernel]]:
    """A decorator ``@spells(name)`` that enters a kernel into `table`."""

    def spells(name: str) -> Callable[[Kernel], Kernel]:
        def register(kernel: Kernel) -> Kernel:
            table[name] = kernel
            return kernel

        return register

    return spells


def typed(x: Any, dtype: Any) -> Any:
    """A Python float as a number of `dtype`, all else as it is: for bfloat16, which NumPy and CuPy let a Python float widen."""
    return dtype.type(x) if type(x) is float else x


def cumulative(find: Callable[[], Kernel]) -> Kernel:
    """The cumulative sum or product that `find` returns, but that of bfloat16 numbers computed in float32 and rounded once."""

    def kernel(x: Any, /, *, dtype: Any = None, **options: Any) -> Any:
        if x.dtype.kind == "V" and (dtype is None or numpy.dtype(dtype) == x.dtype):
            return find()(x, dtype=numpy.float32, **options).astype(x.dtype)
        return find()(x, dtype=dtype, **options)

    return kernel


METHODS: dict[str, Kernel] = {}
"""Kernels that are spelled alike for numpy.ndarray and cupy.ndarray."""

_spells = registrar(METHODS)


@_spells("squeeze")
def _squeeze(x: Any, /, axis: Any) -> Any:
    return x.squeeze(axis)


@_spells("astype")
def _astype(x: Any, dtype: Any, /, *, copy: bool = True) -> Any:
    return x.astype(dtype, copy=copy)


@_spells("copy")
def _copy(x: Any, /) -> Any:
    return x.copy()


@_spells("view")
def _view(x: Any, /, dtype: Any) -> Any:
    return (x if x.flags.c_contiguous else x.copy("C")).view(dtype)


@_spells("getitem")
def _getitem(x: Any, /, key: Any) -> Any:
    return x[key]


def moving(module: Any) -> dict[str, Kernel]:
    """Spellings of take and roll, of which those of NumPy and CuPy would cut 1.5 down to 1."""

    def take(x: Any, indices: Any, /, *, axis: Any = None) -> Any:
        return x.take(indices if isinstance(indices, module.ndarray) else operator.index(indices), axis)

    def roll(x: Any, shift: Any, /, *, axis: Any = None) -> Any:
        whole = tuple(map(operator.index, shift)) if isinstance(shift, tuple) else operator.index(shift)
        return module.roll(x, whole, axis)

    return {"take": take, "roll": roll}
