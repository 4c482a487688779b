"""The Cholesky factorisation."""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace

from gpugrad.arrays.kernels import Kernels
from gpugrad.families import A, composite, primitive
from gpugrad.ops.contraction import matmul
from gpugrad.ops.elementwise import conj
from gpugrad.ops.linalg import checks
from gpugrad.ops.linalg.matrices import adjoint, eye_like, on_finite
from gpugrad.ops.linalg.solve import solve_triangular
from gpugrad.ops.shape import concat, tril


def _cholesky_rule(g: Any, out: Any) -> Any:
    return conj(_of_factored(conj(g), out))


_BLOCK = 128
"""Up to this size a triangle is not divided."""


def _of_factored(g: Any, out: Any) -> Any:
    """The Hermitian gradient of ``x == out @ out^H`` from g, that of its triangle (Murray 2016, arXiv:1602.07527).

    With ``x == [[., .], [x21, x22]]`` and ``out == [[d, 0], [c, e]]`` it is that of ``e e^H == x22 - c c^H``, then of ``c d^H == x21``,
    then of the block that d is the triangle of: a fifth of the operations that the formula for the whole takes, in larger products.
    """
    n = out.shape[-1]
    if n <= _BLOCK:
        return _of_small(g, out)
    half = n // 2
    d, c, e = out[..., :half, :half], out[..., half:, :half], out[..., half:, half:]
    g22 = _of_factored(g[..., half:, half:], e)
    g21 = solve_triangular(d, g[..., half:, :half] - 2 * matmul(g22, c), upper=False, left=False)
    g11 = _of_factored(g[..., :half, :half] - matmul(adjoint(g21), c), d)
    g21 = g21 * 0.5  # the other half is in its mirror image
    return concat([concat([g11, adjoint(g21)], axis=-1), concat([g21, g22], axis=-1)], axis=-2)


def _of_small(g: Any, out: Any) -> Any:
    """The same by the formula: with phi, which takes the lower triangle and half the diagonal, of out^H g, s = out^-H phi out^-1,
    and of it the Hermitian part, as only Hermitian x occur.
    """
    upper = adjoint(out)
    phi = tril(matmul(upper, g)) * (1 - 0.5 * eye_like(out, out.shape[-1]))
    left = solve_triangular(upper, phi, upper=True)
    s = adjoint(solve_triangular(upper, adjoint(left), upper=True))
    return (s + adjoint(s)) * 0.5


_TRIANGLE = Kernels("cholesky_triangle", lambda x: array_namespace(x).linalg.cholesky(x), standard=False)


@primitive(x=_cholesky_rule)
def _cholesky(x: Any, /) -> Any:
    return on_finite(_TRIANGLE[type(x)], x)


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
