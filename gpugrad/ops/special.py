"""Special functions, each with its derivative. The public names are in ``gpugrad/special.py``."""

from __future__ import annotations

import functools
import importlib
import math
from typing import Any

import numpy
from array_api_compat import array_namespace

from gpugrad.arrays.dtypes import float32, is_inexact, numpy_dtype
from gpugrad.arrays.kernels import is_cupy
from gpugrad.errors import DTypeError
from gpugrad.families import A, fused
from gpugrad.ops.elementwise import exp

_TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)


@fused(elementwise=True, x=lambda g, x: g * (_TWO_OVER_ROOT_PI * exp(-x * x)))
def erf(x: A, /) -> A:
    """The error function, elementwise: 2 / sqrt(pi) times the integral of exp(-t ** 2) from 0 to x.

    Shapes: any, and the result has the same. Dtypes: real floating.
    Raises DTypeError for any other dtype.
    Source: https://docs.scipy.org/doc/scipy/reference/generated/scipy.special.erf.html
    """
    if not hasattr(x, "dtype"):
        return math.erf(x)  # type: ignore[arg-type, return-value]  # a Python number
    dtype = numpy_dtype(x.dtype)
    if dtype.kind == "c" or not is_inexact(dtype):
        raise DTypeError(f"erf: got dtype {x.dtype}, expected real floating-point; convert it with .astype(gg.float32)")
    own = getattr(type(x), "__gpugrad_kernels__", {}).get("erf")  # of arrays that are traced
    out: A = (own or _erf)(x)
    return out


def _erf(x: Any) -> Any:
    """erf where no kernel was compiled: SciPy's on the CPU, a small kernel on CuPy."""
    kind = type(x)
    if not is_cupy(kind) and not issubclass(kind, (numpy.ndarray, numpy.generic)):
        # The standard has no erf: to NumPy and back, to the dtype and the device that it came from.
        return array_namespace(x).asarray(_erf(numpy.from_dlpack(x, device="cpu")), device=x.device)
    function = _cupy_erf() if is_cupy(kind) else _scipy_erf()
    if numpy_dtype(x.dtype).itemsize > 2:
        return function(x)
    return function(x.astype(float32)).astype(x.dtype)  # neither has a loop of its own for 16 bits


@functools.cache
def _scipy_erf() -> Any:
    return importlib.import_module("scipy.special").erf  # slow to import, and most programs need none of it


@functools.cache
def _cupy_erf() -> Any:
    # CuPy is imported with its first array, never before. cupyx.scipy.special has this kernel too, among many.
    return importlib.import_module("cupy").ElementwiseKernel("T x", "T y", "y = erf(x)", "gpugrad_erf")
