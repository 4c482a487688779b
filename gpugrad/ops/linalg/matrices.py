"""Small building blocks: the adjoint, identity matrices, and matrices that hold nan set aside."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy
from array_api_compat import array_namespace

from gpugrad.arrays.dtypes import native_dtype
from gpugrad.ops.elementwise import conj
from gpugrad.ops.shape import matrix_transpose
from gpugrad.tape import Tensor, raw


def adjoint(x: Any) -> Any:
    """The conjugate transpose of each matrix."""
    return conj(matrix_transpose(x))


def eye_like(x: Any, rows: int, columns: int | None = None, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """An identity matrix of the library, device and dtype of x, a Tensor if x is one; with the ones on diagonal `offset`."""
    like = raw(x)
    xp = array_namespace(like)
    dtype = like.dtype if dtype is None else native_dtype(like, dtype)
    out = xp.eye(rows, columns, k=offset, dtype=dtype, device=getattr(like, "device", None))
    return Tensor(out) if isinstance(x, Tensor) else out


def constant(x: Any) -> Any:
    """x without its history."""
    return Tensor(x.array) if isinstance(x, Tensor) else x


def on_finite(function: Callable[[Any], Any], x: Any) -> Any:
    """``function(x)`` of a raw stack of matrices, (..., M, N), but nan for each matrix that holds nan or inf.

    The function gives an array for each matrix, of two dimensions or fewer, or a tuple of them, which becomes a list. Libraries
    disagree on a matrix that holds nan: an error for the whole stack, a singular one, whatever an iteration ends with. So the
    identity takes its place. NumPy's numbers are looked at beforehand, which is quicker; a GPU would have to be waited for.
    """
    if type(x) is numpy.ndarray and numpy.isfinite(x).all():
        found = function(x)
        return list(found) if isinstance(found, tuple) else found
    xp = array_namespace(x)
    finite = xp.all(xp.isfinite(x), axis=(-2, -1), keepdims=True)
    found = function(xp.where(finite, x, eye_like(x, *x.shape[-2:])))

    def masked(part: Any) -> Any:
        return xp.where(finite[(..., *(0,) * (x.ndim - part.ndim))], part, math.nan)

    return list(map(masked, found)) if isinstance(found, tuple) else masked(found)
