"""The Cholesky factorisation of NumPy's matrices and its gradient, block by block, by products of matrices on our own threads.

LAPACK's factorisation is as quick on one thread. But OpenBLAS shares it among threads of its own (see ``compile/product.py``) unless
the matrix is small, as blocks are.
"""

from __future__ import annotations

from typing import Any

import numpy

from gpugrad.arrays.products import SPELLINGS
from gpugrad.arrays.triangular import inverses_of_blocks, solve_triangular

_matmul = SPELLINGS["matmul"]

_FACTORED = 127
"""Rows of a block, at most, that LAPACK factorises: OpenBLAS shares matrices of 128 rows and more among its threads."""

_BLOCK = 32
"""Rows of a block, at most, of the gradient. Inverses of blocks are as good as the triangle, whose condition is the root of its matrix's."""


@numpy.errstate(all="ignore")  # LAPACK says nothing, either
def cholesky_triangle(x: Any) -> Any:
    """The triangles of Hermitian positive definite matrices (..., M, M), of which only the lower triangle is read.

    Raises LinAlgError if a matrix is not positive definite.
    """
    n = x.shape[-1]
    if n <= _FACTORED:
        return numpy.linalg.cholesky(x)
    size = _even(n, _FACTORED)
    out = numpy.zeros(x.shape, x.dtype)
    for start in range(0, n, size):
        rows, after = slice(start, start + size), slice(start + size, n)
        panel = x[..., start:, rows]
        if start:
            panel = panel - _matmul(out[..., start:, :start], _adjoint(out[..., rows, :start]))
        triangle = out[..., rows, rows]
        triangle[...] = numpy.linalg.cholesky(panel[..., :size, :])
        if not numpy.isfinite(numpy.diagonal(triangle, 0, -2, -1)).all():  # what was taken off overflowed; x itself is finite
            raise numpy.linalg.LinAlgError("Matrix is not positive definite")
        if after.start < n:
            below = solve_triangular(triangle, _adjoint(panel[..., size:, :]), upper=False, unitriangular=False)
            out[..., after, rows] = _adjoint(below)
    return out


@numpy.errstate(all="ignore")
def cholesky_dx(g: Any, out: Any) -> Any:
    """The Hermitian gradient of ``x == out @ out^H`` from g, that of its triangle, of which only the triangle is read.

    The factorisation by blocks, backwards (Murray 2016, arXiv:1602.07527, section 4.2): for each block d on the diagonal, from the
    last to the first, and c below it, first twice the gradient of what c is made of, which has a mirror image, then that for d.
    """
    n = out.shape[-1]
    size = _even(n, _BLOCK)
    g = numpy.array(_conj(g), numpy.result_type(g, out), order="C")
    inverses = inverses_of_blocks(out, size)
    lower = numpy.tri(size, dtype=bool)
    for start in reversed(range(0, n, size)):
        rows, after = slice(start, start + size), slice(start + size, n)
        d, c = out[..., rows, rows], out[..., after, rows]
        of_d, of_c = g[..., rows, rows], g[..., after, rows]
        m = d.shape[-1]
        inverse = inverses[..., start // size, :m, :m]
        if after.start < n:
            of_c[...] = _matmul(of_c - _matmul(g[..., after, after], c), inverse)
            g[..., rows, after] = _adjoint(of_c)
            of_d -= _matmul(g[..., rows, after], c)
        of_d[...] = _of_block(of_d, d, inverse, lower[:m, :m])
    g *= 0.5
    return _conj(g)


def _of_block(g: Any, out: Any, inverse: Any, lower: Any) -> Any:
    """For a block: the Hermitian part of ``out^-H s out^-1``, s the lower triangle of ``out^H g``, mirrored."""
    s = _matmul(_adjoint(out), g)
    s = _matmul(_adjoint(inverse), _matmul(numpy.where(lower, s, _adjoint(s)), inverse))
    return (s + _adjoint(s)) * 0.5


def _even(n: int, most: int) -> int:
    """The size of as few blocks as there can be of n rows, none of which has more than `most`."""
    return -(-n // -(-n // most)) if n else 1


def _adjoint(x: Any) -> Any:
    return _conj(x.mT)


def _conj(x: Any) -> Any:
    return numpy.conj(x) if x.dtype.kind == "c" else x
