"""In which precision functions compute: numbers of 16 bits in float32, since float16 ends at 65504 and adds up to 2048 at most."""

from __future__ import annotations

from typing import Any

from gpugrad.arrays.dtypes import float32, is_inexact, numpy_dtype
from gpugrad.ops.dtypes import astype


def wide_dtype(dtype: Any) -> Any:
    """The dtype to compute in: float32 instead of a floating one of 16 bits; any other as it is."""
    if getattr(dtype, "itemsize", 2) != 2:  # at once for what NumPy and CuPy mostly have
        return dtype
    return float32 if is_inexact(dtype) and numpy_dtype(dtype).itemsize == 2 else dtype


def wide(x: Any) -> Any:
    """x in the dtype to compute in; x itself if that is its own."""
    dtype = x.dtype
    target = wide_dtype(dtype)
    return x if target is dtype else astype(x, target)


def narrow(out: Any, like: Any) -> Any:
    """What was computed from ``wide(like)`` in the dtype of `like`, if it was another."""
    dtype = like.dtype
    return out if wide_dtype(dtype) is dtype else astype(out, dtype)
