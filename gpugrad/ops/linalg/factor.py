"""The Cholesky factorisation."""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace

from gpugrad.families import A, composite, primitive
from gpugrad.ops.contraction import matmul
from gpugrad.ops.elementwise import conj
from gpugrad.ops.linalg import checks
from gpugrad.ops.linalg.matrices import adjoint, eye_like, on_finite
from gpugrad.ops.linalg.solve import solve_triangular
from gpugrad.ops.shape import tril


def _cholesky_rule(g: Any, out: Any) -> Any:
    # With phi, which takes the lower triangle and half the diagonal, of out^H g: s = out^-H phi out^-1, and of it the Hermitian
    # part, as only Hermitian x occur (Murray 2016, Differentiation of the Cholesky decomposition, arXiv:1602.07527).
    upper = adjoint(out)
    phi = tril(matmul(upper, conj(g))) * (1 - 0.5 * eye_like(out, out.shape[-1]))
    left = solve_triangular(upper, phi, upper=True)
    s = adjoint(solve_triangular(upper, adjoint(left), upper=True))
    return conj(s + adjoint(s)) * 0.5


@primitive(x=_cholesky_rule)
def _cholesky(x: Any, /) -> Any:
    return on_finite(array_namespace(x).linalg.cholesky, x)


@composite
def cholesky(x: A, /, *, upper: bool = False) -> A:
    """The triangle L of each Hermitian positive definite matrix ``x == L @ L^H`` of (..., M, M); ``L^H`` if `upper`.

    Only the lower triangle of x is read; the gradient is Hermitian, that of both triangles together. A matrix that holds nan or
    inf has a triangle of nan.
    Raises LinAlgError if a matrix is not positive definite, ShapeError if it is not square, DTypeError for what is not
    float32, float64 or complex.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.linalg.cholesky.html
    """
    checks.square("cholesky", x)
    out: A = _cholesky(x)
    return adjoint(out) if upper else out
