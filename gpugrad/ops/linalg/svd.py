"""The singular value decomposition, and its derivative.

Rule: J. Townsend, "Differentiating the singular value decomposition" (2016); for complex matrices Z.-Q. Wan and S.-X. Zhang,
"Automatic differentiation for complex valued SVD" (2019).
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from array_api_compat import array_namespace

from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.families import A, composite, primitive
from gpugrad.multi_output import multi_output
from gpugrad.ops.contraction import matmul
from gpugrad.ops.elementwise import conj
from gpugrad.ops.linalg.checks import matrices
from gpugrad.ops.linalg.matrices import adjoint, on_finite
from gpugrad.ops.linalg.spectral import determined, gaps, is_recorded, off_diagonal_quotient, quotient
from gpugrad.ops.reduction import sum
from gpugrad.ops.shape import expand_dims
from gpugrad.tape import raw


class SVDResult(NamedTuple):
    """``x = (U * S) @ Vh``, with U and Vh cut to as many columns and rows as S has elements."""

    U: Any
    S: Any
    Vh: Any


def _svd_rule(g: Any, out: Any) -> Any:
    gu, gs, gvh = (None if part is None else conj(part) for part in g)
    u, s, vh = out
    k = s.shape[-1]
    gu = gu if gu is None or gu.shape[-1] == k else determined(gu, k, "svd", "the columns of U")
    gv = None if gvh is None else adjoint(gvh)
    gv = gv if gv is None or gv.shape[-1] == k else determined(gv, k, "svd", "the rows of Vh")
    u, v = u[..., :k], adjoint(vh)[..., :k]
    row, column = expand_dims(s, -2), expand_dims(s, -1)
    squares = gaps(s) * (row + column)  # s_j ** 2 - s_i ** 2, without cancellation

    total: Any = 0 if gs is None else u * expand_dims(gs, -2)
    phase: Any = 0
    if gu is not None:
        mixed = _mixed(u, gu, squares)
        total = total + matmul(u, mixed * row) + _outside(u, gu, row)
        phase = sum(conj(u) * gu, axis=-2)
    if gv is not None:
        mixed = _mixed(v, gv, squares)
        total = total + matmul(u, column * mixed)
        phase = phase - sum(conj(v) * gv, axis=-2)
    if numpy_dtype(raw(u).dtype).kind == "c" and (gu is not None or gv is not None):
        # u_i and v_i share one free phase; the part of the gradient that depends on it is left out, evenly from both.
        total = total + u * expand_dims(quotient(phase - conj(phase), 4 * s), -2)
    gx = matmul(total, adjoint(v))
    if gv is not None and v.shape[-2] > k:
        gx = gx + matmul(u, adjoint(_outside(v, gv, row)))
    return conj(gx)


def _mixed(u: Any, gu: Any, squares: Any) -> Any:
    """How the gradient of u mixes each pair of singular vectors, over the difference of the squares of their singular values."""
    part = off_diagonal_quotient(matmul(adjoint(u), gu), squares)
    return part + adjoint(part)


def _outside(u: Any, gu: Any, s: Any) -> Any:
    """The part of the gradient of u that is orthogonal to its columns, each over its singular value; none for a square u."""
    return quotient(gu - matmul(u, matmul(adjoint(u), gu)), s) if u.shape[-2] > u.shape[-1] else 0


@multi_output(x=_svd_rule)
def svd(x: Any, /, *, full_matrices: bool = True) -> SVDResult:
    """The singular value decomposition ``x = (U * S) @ Vh`` of each matrix: (U, S, Vh), S descending.

    Shapes: x (..., M, N); with K = min(M, N), S (..., K), U (..., M, K), Vh (..., K, N); if `full_matrices`, U (..., M, M) and
    Vh (..., N, N). Dtypes: float32, float64 or complex, and S real. A matrix that holds nan or inf has nan results.

    Gradient (Townsend 2016; Wan and Zhang 2019). That of S alone divides by nothing. That of the vectors divides by
    ``S_j**2 - S_i**2`` for each pair, and by S where M and N differ: where these are zero the derivative does not exist, and the
    gradient is inf or nan unless it does not ask for it, as when only other vectors are used. Each pair of vectors is free up
    to a sign or, if complex, a phase: the gradient is that of a function that does not depend on these; of another one, the
    part that depends on the phase is left out. So are that of the columns of a full U and the rows of a full Vh beyond the
    first K, which have no derivative: GraphError in the backward sweep if they are used. It looks for that, and on a GPU waits.
    Raises ShapeError for fewer than two dimensions, DTypeError for another dtype, LinAlgError if it does not converge.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.linalg.svd.html
    """
    matrices("svd", x)
    return SVDResult(*on_finite(partial(array_namespace(x).linalg.svd, full_matrices=full_matrices), x))


@primitive(x=None)
def _svdvals(x: Any, /) -> Any:
    return on_finite(array_namespace(x).linalg.svdvals, x)


@composite
def svdvals(x: A, /) -> A:
    """The singular values of each matrix, descending: (..., M, N) -> (..., min(M, N)), real.

    The gradient is ``U @ diag(g) @ Vh``; for equal values that of a function that treats them alike, and one of several at 0.
    The second derivative goes through U and Vh, and does not exist there. A matrix that holds nan or inf has nan values.
    Raises ShapeError for fewer than two dimensions, DTypeError for another dtype than float32, float64 and complex ones,
    LinAlgError if it does not converge.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.linalg.svdvals.html
    """
    matrices("svdvals", x)
    out: A = svd(x, full_matrices=False).S if is_recorded(x) else _svdvals(x)
    return out
