"""Triangular systems of NumPy's matrices: by substitution in a kernel, or by products with the inverses of blocks where there is none.

NumPy itself would factorise the triangle. SciPy's BLAS has a routine for such systems, but threads of its own, which wait for work
at the expense of ours: by turns with products on our threads both take several times as long.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy

from gpugrad.arrays.products import SPELLINGS, kernels

_matmul = SPELLINGS["matmul"]

_SMALLEST = 1024
"""Elements of the triangles from which on there is a kernel: below, compiling it may never pay off."""

_ROWS, _ELEMENTS = 256, 2**16
"""Of what a kernel solves before the others hear of it: rows, if that is not more, elements."""

_INVERTED = 32
"""Rows of the blocks on the diagonal that are inverted. Where triangles are ill-conditioned, larger ones cost accuracy."""


@numpy.errstate(all="ignore")  # LAPACK says nothing, either
def solve_triangular(x: Any, y: Any, /, *, upper: bool, unitriangular: bool) -> Any:
    """The solution for triangular matrices.

    Raises LinAlgError for a zero on the diagonal.
    """
    vector = y.ndim == 1
    y = y[:, None] if vector else y
    dtype = numpy.promote_types(x.dtype, y.dtype)
    if not unitriangular and not numpy.diagonal(x, 0, -2, -1).all():
        raise numpy.linalg.LinAlgError("Singular matrix")
    x = x.astype(dtype, copy=False)
    out = numpy.empty((*numpy.broadcast_shapes(x.shape[:-2], y.shape[:-2]), *y.shape[-2:]), dtype)
    out[...] = y
    if x.size < _SMALLEST or not _substituted(x, out, upper, unitriangular):
        _divide(x, out, upper, unitriangular)
    return out[..., 0] if vector else out


def _parts(x: Any, y: Any, size: int, upper: bool) -> Iterator[tuple[int, int, Any]]:
    """Blocks of rows, in the order in which they are solved for, and what their right sides are then, in y. The first is as large as any."""
    n = x.shape[-1]
    for done in range(0, n, size):
        start, stop = (max(n - done - size, 0), n - done) if upper else (done, min(done + size, n))
        part, known = y[..., start:stop, :], slice(stop, n) if upper else slice(0, start)
        if done:
            part -= _matmul(x[..., start:stop, known], y[..., known, :])
        yield start, stop, part


def _substituted(x: Any, y: Any, upper: bool, unitriangular: bool) -> bool:
    """Make y the solution by the kernel; False where there is none for these operands, and nothing was done."""
    substitute = kernels().substitute
    for start, stop, part in _parts(x, y, max(_ROWS, _ELEMENTS // max(y.shape[-1], 1)), upper):
        if not substitute(x[..., start:stop, start:stop], part, upper, unitriangular):
            return False  # of the first block, as of all
    return True


def _divide(x: Any, y: Any, upper: bool, unitriangular: bool) -> None:
    """Make y the solution by the blocks on the diagonal and their inverses."""
    lower = x[..., ::-1, ::-1] if upper else x  # from its last element on
    inverses = inverses_of_blocks(lower, _INVERTED, unitriangular)
    triangles = numpy.tril(_on_diagonal_of(lower, _INVERTED, _INVERTED))
    if unitriangular:
        numpy.einsum("...ii->...i", triangles)[...] = 1
    for i, (_, _, part) in enumerate(_parts(x, y, _INVERTED, upper)):
        rows = part.shape[-2]
        inverse, triangle = (blocks[..., i, :rows, :rows] for blocks in (inverses, triangles))
        if upper:
            inverse, triangle = inverse[..., ::-1, ::-1], triangle[..., ::-1, ::-1]
        solution = _matmul(inverse, part)
        # What is left over, divided once more: without it a solution would not be as good as that of substitution.
        part -= _matmul(triangle, solution)
        solution += _matmul(inverse, part)
        part[...] = solution


def _on_diagonal_of(x: Any, size: int, whole: int) -> Any:
    """The blocks of `size` rows on the diagonal of matrices, side by side, filled up with zeros: (..., blocks, whole, whole)."""
    n = x.shape[-1]
    out = numpy.zeros((*x.shape[:-2], -(-n // size), whole, whole), x.dtype)
    for i, start in enumerate(range(0, n, size)):
        rows = slice(start, min(start + size, n))
        out[..., i, : rows.stop - start, : rows.stop - start] = x[..., rows, rows]
    return out


def inverses_of_blocks(x: Any, size: int, unitriangular: bool = False) -> Any:
    """The inverses of the blocks of `size` rows on the diagonal of lower triangles (..., M, M), side by side.

    (..., blocks, S, S) with a power of 2 for S; the blocks are filled up by an identity. Only the triangles are read. That of
    ``[[a, 0], [c, b]]`` is ``[[a', 0], [-b' c a', b']]`` with the inverses of a and b: so from those of 1, 2, 4, ... rows come
    those of twice as many, of all blocks at once.
    """
    n, whole = x.shape[-1], 1 << (size - 1).bit_length()
    if n <= min(size, _INVERTED):
        # One call of LAPACK takes less: an upper triangle is its own LU factorisation, nothing is lost.
        upper = numpy.triu(x.mT, 1) + numpy.eye(n, dtype=x.dtype) if unitriangular else numpy.triu(x.mT)
        return numpy.linalg.inv(upper).mT[..., None, :, :]
    blocks = _on_diagonal_of(x, size, whole)
    inverses = numpy.zeros_like(blocks)
    diagonal, given = (_on_diagonal(z, 1)[..., 0, 0] for z in (inverses, blocks))
    diagonal[...] = 1
    with numpy.errstate(all="ignore"):
        if not unitriangular:
            numpy.divide(1, given, out=diagonal, where=given != 0)
        half = 1
        while half < whole:
            pairs = _on_diagonal(inverses, 2 * half)
            a, b, c = pairs[..., :half, :half], pairs[..., half:, half:], _on_diagonal(blocks, 2 * half)[..., half:, :half]
            numpy.negative(b * c * a if half == 1 else b @ (c @ a), out=pairs[..., half:, :half])
            half *= 2
    return inverses


def _on_diagonal(x: Any, size: int) -> Any:
    """A view of the blocks (size, size) on the diagonal of each matrix of a contiguous array."""
    *outer, step, across = x.strides
    shape = (*x.shape[:-2], x.shape[-1] // size, size, size)
    return numpy.ndarray(shape, x.dtype, x, 0, (*outer, size * (step + across), step, across))
