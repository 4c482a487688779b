"""In which precision functions compute: numbers of 16 bits in float32, since float16 ends at 65504 and adds up to 2048 at most."""

from __future__ import annotations

from typing import Any

from gpugrad.arrays.dtypes import float32, is_inexact, numpy_dtype
from gpugrad.ops.dtypes import astype


def wide(x: Any) -> Any:
    """x in a dtype to compute in: float32 instead of a floating one of 16 bits; any other x as it is."""
    return astype(x, float32) if is_inexact(x.dtype) and numpy_dtype(x.dtype).itemsize == 2 else x


def narrow(out: Any, like: Any) -> Any:
    """What was computed from ``wide(like)`` in the dtype of `like`, if it was another."""
    return astype(out, like.dtype) if wide(like) is not like else out
