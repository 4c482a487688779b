"""Functions of the library as one op each, with a gradient that is derived from the definition."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, ParamSpec, TypeVar

import numpy

from gpugrad.arrays.devices import device_of, on, several_gpus
from gpugrad.arrays.kernels import is_cupy
from gpugrad.compile.accelerate import SMALLEST
from gpugrad.modes import AUTOCAST, flags, not_autocasting
from gpugrad.tape import raw

P = ParamSpec("P")
R = TypeVar("R")


def derived(function: Callable[P, R]) -> Callable[P, R]:
    """`function` as :func:`gpugrad.fuse` makes it. On NumPy arrays of few elements it runs op by op; the first argument decides."""
    fused: Callable[..., Any] | None = None

    @functools.wraps(function)
    def derived_function(*args: P.args, **kwargs: P.kwargs) -> R:
        nonlocal fused
        if flags() & AUTOCAST:
            with not_autocasting():
                return derived_function(*args, **kwargs)
        array = raw(args[0])
        if isinstance(array, (numpy.ndarray, numpy.generic)) and array.size < SMALLEST:
            return function(*args, **kwargs)
        if fused is None:
            # With the compiler, which programs that do not come here do without.
            fused = importlib.import_module("gpugrad.fusion").fuse(function, name=function.__name__.lstrip("_"))
        # Raw arrays have CuPy's operators, which compute on its current device.
        with on(device_of(array)) if is_cupy(type(array)) and several_gpus() else nullcontext():
            out: R = fused(*args, **kwargs)
        return out

    return derived_function
