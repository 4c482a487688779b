"""Special functions of raw arrays: scipy.special's on the CPU, cupyx.scipy.special's on a GPU, each loaded with its first call."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import numpy
from array_api_compat import array_namespace

from gpugrad.arrays.devices import say_once
from gpugrad.arrays.dtypes import float32, numpy_dtype
from gpugrad.arrays.kernels import WEAK, is_cupy

_NUMPY = (numpy.ndarray, numpy.generic)


def evaluate(name: str, *operands: Any) -> Any:
    """``scipy.special.<name>(*operands)`` in the library of the operands: NumPy's, CuPy's or any other of the standard.

    What cupyx.scipy.special lacks, and what another library is asked for, is computed on the CPU and goes back to where the
    operands are; for CuPy that is said once. 16-bit numbers are computed in float32.
    """
    like = next((x for x in operands if type(x) not in WEAK and not isinstance(x, _NUMPY)), None)
    if like is None:
        return _narrow(_scipy(name), operands)
    if is_cupy(type(like)):
        function = _cupyx(name)
        return _on_the_cpu(name, like, operands) if function is None else _narrow(function, operands)
    xp = array_namespace(like)
    out = evaluate(name, *(numpy.from_dlpack(x, device="cpu") if hasattr(x, "__dlpack__") else x for x in operands))
    return xp.asarray(out, device=like.device)


def _narrow(function: Callable[..., Any], operands: tuple[Any, ...]) -> Any:
    """`function`, in float32 where an operand has 16 bits: SciPy has no such loops, CuPy has some."""
    dtypes = [numpy_dtype(x.dtype) for x in operands if hasattr(x, "dtype")]
    half = [dtype for dtype in dtypes if dtype.itemsize == 2 and dtype.kind not in "iu"]
    if not half:
        return function(*operands)
    wide = (x.astype(float32) if hasattr(x, "dtype") and numpy_dtype(x.dtype) in half else x for x in operands)
    out = function(*wide)
    return out.astype(half[0]) if out.dtype == float32 and all(dtype in half for dtype in dtypes) else out


def _on_the_cpu(name: str, like: Any, operands: tuple[Any, ...]) -> Any:
    say_once(f"{name}: CuPy has no kernel for it, so it is computed on the CPU, and the arrays travel there and back")
    out = evaluate(name, *(x.get() if is_cupy(type(x)) else x for x in operands))
    return _cupy().asarray(out)


@functools.cache
def _scipy(name: str) -> Any:
    return getattr(importlib.import_module("scipy.special"), name)  # slow to import, and most programs need none of it


@functools.cache
def _cupyx(name: str) -> Any:
    return getattr(importlib.import_module("cupyx.scipy.special"), name, None)  # with its first array, as CuPy itself


@functools.cache
def _cupy() -> Any:
    return importlib.import_module("cupy")
