"""Triangular systems of NumPy's arrays, by products of matrices: NumPy itself would factorise the triangle.

SciPy's BLAS has a routine for them, but threads of its own, which wait for work at the expense of NumPy's: by turns with products of
NumPy's both take several times as long.
"""

from __future__ import annotations

from typing import Any

import numpy

_BLOCK = 24
"""Rows of the blocks on the diagonal, which are inverted."""


def solve_triangular(x: Any, y: Any, /, *, upper: bool, unitriangular: bool) -> Any:
    """The solution for triangular matrices.

    Raises LinAlgError for a zero on the diagonal.
    """
    vector = y.ndim == 1
    y = y[:, None] if vector else y
    dtype = numpy.promote_types(x.dtype, y.dtype)
    if not unitriangular and not numpy.diagonal(x, 0, -2, -1).all():
        raise numpy.linalg.LinAlgError("Singular matrix")
    n = x.shape[-1]
    blocks = [slice(start, min(start + _BLOCK, n)) for start in range(0, n, _BLOCK)]
    inverses = _inverses(x.astype(dtype, copy=False), blocks, upper, unitriangular)
    out = numpy.empty((*numpy.broadcast_shapes(x.shape[:-2], y.shape[:-2]), *y.shape[-2:]), dtype)
    for i in reversed(range(len(blocks))) if upper else range(len(blocks)):
        rows = blocks[i]
        known = slice(rows.stop, n) if upper else slice(0, rows.start)
        rest = y[..., rows, :]
        if known.start < known.stop:
            rest = rest - x[..., rows, known] @ out[..., known, :]
        size = rows.stop - rows.start
        numpy.matmul(inverses[..., i, :size, :size], rest, out=out[..., rows, :])
    return out[..., 0] if vector else out


def _inverses(x: Any, blocks: list[slice], upper: bool, unitriangular: bool) -> Any:
    """Those of the blocks on the diagonal, side by side, the last one filled up by an identity.

    The LU factorisation of an upper triangle is itself, so nothing is lost by it; lower triangles are transposed.
    """
    stacked = numpy.empty((*x.shape[:-2], len(blocks), _BLOCK, _BLOCK), x.dtype)
    stacked[...] = numpy.eye(_BLOCK, dtype=x.dtype)
    for i, rows in enumerate(blocks):
        block = x[..., rows, rows]
        size = rows.stop - rows.start
        stacked[..., i, :size, :size] = block if upper else numpy.swapaxes(block, -1, -2)
    if unitriangular:
        numpy.einsum("...ii->...i", stacked)[...] = 1
    found = numpy.linalg.inv(numpy.triu(stacked))
    return found if upper else numpy.swapaxes(found, -1, -2)
