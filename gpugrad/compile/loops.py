"""NumPy's ufuncs on large arrays, on several threads: the very loops of a ufunc, each on part of the elements (``loops.c``).

NumPy runs a ufunc on one thread. Its loops are plain functions in C, which numpy/ufuncobject.h names, so the results are the same to
the last bit. Whatever is not plain (broadcasting along an axis, arrays with gaps, other dtypes) is left to NumPy, and so is what raises
an exception of floating-point arithmetic that it has to tell of: then NumPy computes it again, and warns or raises as it does.
"""

from __future__ import annotations

import ctypes
import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
from numpy import ndarray

from gpugrad.compile import build
from gpugrad.compile.handwritten import to_be_told
from gpugrad.compile.runtime import get_num_threads, launcher, plan

__all__ = ["add_into", "get_num_threads", "on_threads"]

_GRAIN = 64  # elements: a thread's part of the result begins on a cache line, or nearly so
_NANOSECONDS = 1.0  # for an element


class _UFunc(ctypes.Structure):
    """What follows the object's header in a PyUFuncObject, as far as it is needed."""

    _fields_ = (
        ("nin", ctypes.c_int), ("nout", ctypes.c_int), ("nargs", ctypes.c_int), ("identity", ctypes.c_int),
        ("functions", ctypes.POINTER(ctypes.c_void_p)), ("data", ctypes.POINTER(ctypes.c_void_p)),
        ("ntypes", ctypes.c_int), ("reserved", ctypes.c_int),
        ("name", ctypes.c_char_p), ("types", ctypes.POINTER(ctypes.c_char)),
    )  # fmt: skip


def on_threads(ufunc: numpy.ufunc, smallest: int) -> Callable[..., Any]:
    """`ufunc`, of operands and no options, with arrays of `smallest` elements or more on several threads."""

    def threaded(*operands: Any) -> Any:
        for x in operands:
            if type(x) is ndarray and x.size >= smallest:
                out = _computed(ufunc, operands)
                return ufunc(*operands) if out is None else out
        return ufunc(*operands)

    return threaded


def add_into(x: Any, y: Any) -> bool:
    """``x += y`` without exceptions of floating-point arithmetic; False where NumPy has to do it."""
    return x.shape == y.shape and _computed(numpy.add, (x, y), x) is not None


def _computed(ufunc: numpy.ufunc, operands: tuple[Any, ...], out: Any = None) -> Any:
    """The result, in `out` if that is given; None if NumPy has to compute it."""
    whole = max([x for x in operands if type(x) is ndarray], key=_size)
    shape, dtype = whole.shape, whole.dtype
    if dtype.char not in "fd" or not dtype.isnative or (out is not None and not _plain(out)):
        return None
    given, strides = [], []
    for x in operands:
        if type(x) is float or type(x) is int:
            if not -1e30 < x < 1e30:  # not to be converted with a warning
                return None
            x = numpy.asarray(x, dtype)
        elif isinstance(x, numpy.generic) and x.dtype is dtype:
            x = numpy.asarray(x)
        elif type(x) is not ndarray or x.dtype is not dtype:
            return None
        if x.shape == shape and _plain(x):
            strides.append(dtype.itemsize)
        elif x.ndim == 0 or (x.shape == shape and not any(x.strides)):  # as the gradient of a sum
            strides.append(0)
        else:
            return None
        given.append(x)
    found = _plan(ufunc, dtype.char, math.prod(shape), tuple(strides))
    if found is None:
        return None
    launch, made, kind = found
    raised = numpy.zeros(1, numpy.int64)
    result = numpy.empty(shape, kind) if out is None else out
    launch(made, result, raised, *given)
    return None if out is None and to_be_told(int(raised[0])) else result


def _size(x: Any) -> int:
    return int(x.size)


def _plain(x: Any) -> bool:
    return bool(x.flags.c_contiguous and x.flags.aligned)


@functools.lru_cache(1024)
def _plan(ufunc: numpy.ufunc, kind: str, size: int, strides: tuple[int, ...]) -> tuple[Any, bytes, str] | None:
    """The launcher, the plan for operands with these strides, and the character of the result's dtype; None if there is no loop."""
    loops, address = _loops(ufunc), _address()
    if address is None or kind * ufunc.nin not in loops:
        return None
    loop, data, result = loops[kind * ufunc.nin]
    integers = (loop, data, ufunc.nin, numpy.dtype(result).itemsize, *strides)
    arrays = 2 + ufunc.nin
    return address[0], plan(address[1], size, int(size * _NANOSECONDS), arrays, 2, 0, 0, _GRAIN, integers), result


@functools.cache
def _address() -> tuple[Any, int] | None:
    """The launcher, and the address of the kernel; None where there is no compiler."""
    library = build.load(Path(__file__).with_suffix(".c").read_text(encoding="utf-8"), "loops")
    launch = launcher() if library is not None else None
    if library is None or launch is None:
        return None
    return launch, ctypes.cast(library.loop, ctypes.c_void_p).value or 0


@functools.cache
def _loops(ufunc: numpy.ufunc) -> dict[str, tuple[int, int, str]]:
    """For the characters of the operands: the address of a loop, its data, and the character of its result. None at all where the
    object does not look as it should."""
    found: dict[str, tuple[int, int, str]] = {}
    inner = _UFunc.from_address(id(ufunc) + object.__basicsize__)
    counts = inner.nin, inner.nout, inner.nargs, inner.ntypes
    if counts != (ufunc.nin, ufunc.nout, ufunc.nargs, ufunc.ntypes) or ufunc.nout != 1 or ufunc.signature is not None:
        return found
    if inner.name != ufunc.__name__.encode():
        return found
    characters = inner.types[: ufunc.ntypes * ufunc.nargs]
    for i, (loop, types) in enumerate(zip(inner.functions[: ufunc.ntypes], ufunc.types, strict=True)):
        kinds, _, result = types.partition("->")
        numbers = bytes(characters[i * ufunc.nargs : (i + 1) * ufunc.nargs])
        if bytes(numpy.dtype(c).num for c in kinds + result) != numbers:
            return {}
        if loop and result in "fd?":
            found.setdefault(kinds, (loop, inner.data[i] or 0 if inner.data else 0, result))
    return found
