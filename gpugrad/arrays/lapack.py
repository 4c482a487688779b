"""Triangular systems of NumPy's arrays, by trsm of the BLAS that SciPy has: NumPy itself would factorise the triangle."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

import numpy


@cache
def _trsm(dtype: numpy.dtype[Any]) -> Any:
    blas = importlib.import_module("scipy.linalg.blas")  # slow to import, and most programs need none of it
    return blas.get_blas_funcs("trsm", dtype=dtype)


def solve_triangular(x: Any, y: Any, /, *, upper: bool, unitriangular: bool) -> Any:
    """The solution for triangular matrices; those of a stack are solved one by one.

    Raises LinAlgError for a zero on the diagonal.
    """
    vector = y.ndim == 1
    y = y[:, None] if vector else y
    dtype = numpy.promote_types(x.dtype, y.dtype)
    batch = numpy.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    if batch:
        x, y = (numpy.broadcast_to(z, (*batch, *z.shape[-2:])) for z in (x, y))
    if not unitriangular and not numpy.diagonal(x, 0, -2, -1).all():
        raise numpy.linalg.LinAlgError("Singular matrix")
    if not y.size:
        out = numpy.empty(y.shape, dtype)
    elif batch:
        out = numpy.empty(y.shape, dtype)
        for i in numpy.ndindex(batch):
            out[i] = _solved(x[i], y[i], dtype, upper, unitriangular)
    else:
        out = _solved(x, y, dtype, upper, unitriangular)
    return out[..., 0] if vector else out


def _solved(x: Any, y: Any, dtype: numpy.dtype[Any], upper: bool, unitriangular: bool) -> Any:
    """The BLAS reads columns first: an array that lies by rows is its transpose there, and neither is copied to be read."""
    transposed = not x.flags.f_contiguous
    given, lower = (x.T, upper) if transposed else (x, not upper)
    if y.flags.f_contiguous:
        return _trsm(dtype)(1, given, y, lower=lower, trans_a=transposed, diag=unitriangular)
    return _trsm(dtype)(1, given, y.T, side=1, lower=lower, trans_a=not transposed, diag=unitriangular).T
