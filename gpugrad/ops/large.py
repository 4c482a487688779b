"""Elementwise ops of large NumPy arrays, on several threads once a program has such arrays.

To ask whether an array is large takes a tenth of a microsecond, which an op on a small one has not to spare. So nothing asks before
gpugrad is given a large array: until then, and where there is one thread, the kernel of an op is NumPy's function itself.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from gpugrad.families import TABLES
from gpugrad.tape import Tensor, raw

SMALLEST = 1 << 18
"""Elements of a large array: from so many on several threads take less time than one even for a sum."""

THREADED: set[str] = set()
"""The ops with kernels that share large arrays among threads: none, before there are such arrays."""

_loops: Any = None  # the module, which loads what compiles


def share() -> None:
    """From now on large arrays are shared among threads, if there are several."""
    global _loops
    _loops = importlib.import_module("gpugrad.compile.loops")
    if THREADED or _loops.get_num_threads() == 1:
        return
    for name, kernels in TABLES.items():
        function = getattr(numpy, name, None)
        if isinstance(function, numpy.ufunc) and kernels[numpy.ndarray] is function:
            kernels[numpy.ndarray] = _loops.on_threads(function, SMALLEST)
            kernels.combined.clear()  # filled again from the above
            THREADED.add(name)


def threaded() -> set[str]:
    """The ops that several threads share now, after :func:`share`: none, where there is one thread."""
    return THREADED if _loops.get_num_threads() > 1 else set()


def on_threads(rule: Callable[..., Any], g: Any, residuals: Sequence[Any]) -> Any:
    """What the rule of a threaded op returns for a large array: computed by ops, in place of the operators of NumPy's arrays."""
    return raw(rule(Tensor(g), *(Tensor(x) if type(x) is numpy.ndarray else x for x in residuals)))


def add_into(x: Any, y: Any) -> None:
    """``x += y`` for NumPy's arrays of one shape and dtype, whatever exceptions of floating-point arithmetic that raises."""
    if x.size < SMALLEST or not THREADED or not _loops.add_into(x, y):
        numpy.add(x, y, out=x)


def add_at(x: Any, y: Any, where: Any = ...) -> None:
    """``x[where] += y`` likewise, for an array that owns its memory, of which y sees nothing."""
    part = x[where]
    if part.base is x:
        add_into(part, y)
    else:  # a copy: of elements chosen by a mask, or of one
        x[where] = part + y
