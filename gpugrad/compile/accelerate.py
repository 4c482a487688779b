"""Functions of the library that run as kernels where that pays; the compiler itself is imported when the first of them does."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import numpy

from gpugrad.arrays.kernels import is_cupy

SMALLEST = 1024
"""Elements from which on a function of the library runs as a kernel on the CPU: below, compiling it may never pay off."""

_is_cupy: Callable[[type], bool] = functools.lru_cache(256)(is_cupy)  # bounded: it keeps the types alive


def accelerated(
    function: Callable[..., Any],
    name: str,
    otherwise: Callable[..., Any] | None = None,
    *,
    smallest: int = SMALLEST,
    small: Callable[..., Any] | None = None,
    into: dict[int, int] | None = None,
) -> Callable[..., Any]:
    """`function`, written in gpugrad's ops, as kernels for CuPy's arrays and for NumPy's from `smallest` elements on.

    The first argument tells the kind of the arrays, and one that is large is enough. All else, and what cannot be compiled, goes to
    `otherwise`, which is the function itself if it is left out; NumPy's arrays, if all are small, go to `small`, if that is given.
    `into` says which results are written over which arguments, as :class:`~gpugrad.compile.compiled.Compiled` does.
    """
    fallback = otherwise or function
    few = small or fallback
    kernels: Callable[..., Any] | None = None

    def accelerated_function(*operands: Any, **options: Any) -> Any:
        nonlocal kernels
        x = operands[0]
        kind = type(x)
        if kind is numpy.ndarray:
            if x.size < smallest:
                if x.size != 1:
                    return few(*operands, **options)
                for y in operands:  # a gradient may be one number, of a loss
                    if type(y) is numpy.ndarray and y.size >= smallest:
                        break
                else:
                    return few(*operands, **options)
        elif not _is_cupy(kind):
            return fallback(*operands, **options)
        if kernels is None:
            # Most programs that import gpugrad do not call all of its functions, and some none on large arrays.
            kernels = compiled(function, name, fallback, into)
        return kernels(*operands, **options)

    functools.update_wrapper(accelerated_function, function)
    return accelerated_function


def compiled(
    function: Callable[..., Any], name: str, otherwise: Callable[..., Any], into: dict[int, int] | None
) -> Callable[..., Any]:
    """As :func:`accelerated`, but for NumPy's or CuPy's arrays of any size alone: with the compiler at once, and a call less."""
    found: Callable[..., Any] = importlib.import_module("gpugrad.compile.compiled").Compiled(
        function, name, otherwise=otherwise, into=into
    )
    return found
