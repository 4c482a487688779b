"""The QR decomposition, and its derivative.

Rule: D. Roberts and L. Roberts, "QR and LQ decomposition matrix backpropagation algorithms for square, wide, and deep matrices -
real or complex - and their software implementation" (2020).
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Literal, NamedTuple

from array_api_compat import array_namespace

from gpugrad.errors import GraphError, OptionError
from gpugrad.families import composite
from gpugrad.multi_output import multi_output
from gpugrad.ops.contraction import matmul
from gpugrad.ops.elementwise import conj
from gpugrad.ops.linalg.checks import matrices
from gpugrad.ops.linalg.matrices import adjoint, on_finite
from gpugrad.ops.linalg.solve import solve_triangular
from gpugrad.ops.linalg.spectral import determined
from gpugrad.ops.shape import concat, triu
from gpugrad.tape import raw


class QRResult(NamedTuple):
    """``x = Q @ R``."""

    Q: Any
    R: Any


def _qr_rule(g: Any, out: Any) -> Any:
    gq, gr = (None if part is None else conj(part) for part in g)
    q, r = out
    rows, columns = q.shape[-2], r.shape[-1]
    if q.shape[-1] > columns:  # complete, of a tall matrix
        gq = gq if gq is None else determined(gq, columns, "qr", "the columns of Q")
        gr = gr if gr is None else gr[..., :columns, :]
        q, r = q[..., :columns], r[..., :columns, :]
    if rows >= columns:
        return conj(_tall_rule(gq, gr, q, r))
    # Wide: x = [left, right] = Q [U, V], where V = adjoint(Q) @ right depends on left through Q.
    gu, gv = (None, None) if gr is None else (gr[..., :rows], gr[..., rows:])
    u, v = r[..., :rows], r[..., rows:]
    if gv is None:
        gright = 0 * matmul(q, v)
    else:
        gright = matmul(q, gv)
        through = matmul(matmul(q, v), adjoint(gv))
        gq = through if gq is None else gq + through
    return conj(concat([_tall_rule(gq, gu, q, u), gright], axis=-1))


def _tall_rule(gq: Any, gr: Any, q: Any, r: Any) -> Any:
    _refuse_dependent(raw(r), q.shape[-2])
    moved: Any = 0 if gr is None else matmul(gr, adjoint(r))
    moved = moved if gq is None else moved - matmul(adjoint(q), gq)
    half = (triu(moved) + triu(moved, k=1)) * 0.5
    total = matmul(q, half + adjoint(half))
    return solve_triangular(adjoint(r), total if gq is None else total + gq, upper=False, left=False)


def _refuse_dependent(r: Any, rows: int) -> None:
    """Raise GraphError where a column is a combination of those before it, up to rounding. On a GPU this waits."""
    if math.prod(r.shape) == 0:
        return
    xp = array_namespace(r)
    size = xp.abs(r)
    rounding = rows * float(xp.finfo(r.dtype).eps)
    if bool(xp.any(xp.linalg.diagonal(size) <= rounding * xp.max(size, axis=-2))):
        raise GraphError(
            "qr: the derivative does not exist where a column of the matrix (of a wide one, of its leading square part) is a "
            "combination of those before it"
        )


@multi_output(x=_qr_rule)
def _qr(x: Any, /, *, mode: str = "reduced") -> QRResult:
    matrices("qr", x)
    return QRResult(*on_finite(partial(array_namespace(x).linalg.qr, mode=mode), x))


@composite
def qr(x: Any, /, *, mode: Literal["reduced", "complete"] = "reduced") -> QRResult:
    """The decomposition ``x = Q @ R`` of each matrix into one with orthonormal columns and an upper triangular one: (Q, R).

    Shapes: x (..., M, N); with K = min(M, N), Q (..., M, K) and R (..., K, N) for mode "reduced", Q (..., M, M) and R (..., M, N)
    for "complete". Dtypes: float32, float64 or complex. The diagonal of R is real, and may be negative. A matrix that holds nan
    or inf has nan results.

    Gradient (Roberts and Roberts 2020): of tall, square and wide matrices. GraphError in the backward sweep where it does not
    exist: columns that depend on each other (of a wide matrix, of its first M), and the columns of a complete Q beyond the
    first N, if they are used. It looks for both, and on a GPU waits.
    Raises ShapeError for fewer than two dimensions, DTypeError for another dtype, OptionError for another mode.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.linalg.qr.html
    """
    if mode not in ("reduced", "complete"):
        raise OptionError(f"qr: mode is {mode!r}, expected 'reduced' or 'complete'")
    return _qr(x, mode=mode)
