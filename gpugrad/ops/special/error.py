"""The error function and its relatives."""

from __future__ import annotations

import math
from typing import Any

from gpugrad.arrays.dtypes import is_inexact, numpy_dtype
from gpugrad.arrays.special import evaluate
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
    """erf where no kernel was compiled."""
    return evaluate("erf", x)
