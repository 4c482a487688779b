"""Determinants, and their logarithms."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from array_api_compat import array_namespace

from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.families import A, primitive
from gpugrad.multi_output import multi_output
from gpugrad.ops.contraction import matmul
from gpugrad.ops.creation import ones_like, zeros_like
from gpugrad.ops.dtypes import finfo
from gpugrad.ops.elementwise import astype_like, imag, isfinite, logical_not, where
from gpugrad.ops.linalg import checks
from gpugrad.ops.linalg.matrices import constant, eye_like, on_finite
from gpugrad.ops.linalg.solve import inv
from gpugrad.ops.linalg.svd import svd
from gpugrad.ops.reduction import all
from gpugrad.ops.shape import matrix_transpose


def cofactors(x: Any) -> Any:
    """The gradient of det, ``det(x) * inv(x).mT`` where that exists, finite for every x.

    Let p and q be the left and right singular vectors of the two smallest singular values, held constant. Where these count as
    0, they are lifted: ``b = x + p t q`` is as regular as x is without those two, and by the matrix determinant lemma
    ``det(x) = det(b) det(k)`` with the 2 x 2 matrix ``k = 1 - t q inv(b) p``. Both factors can be differentiated as often as one
    likes; where x is regular, b is x, and k is 1. Where the rank is M - 3 or less, the cofactors and their derivatives are 0,
    and only those are right here: third derivatives of det, which need not vanish there, come out as 0.
    """
    n = x.shape[-1]
    if n < 2:
        return ones_like(x)
    finite = all(isfinite(x), axis=(-2, -1), keepdims=True)
    identity = eye_like(x, n)
    u, s, vh = svd(constant(x), full_matrices=False)
    largest = s[..., :1, None]
    negligible = s[..., None] <= largest * (n * finfo(x).eps)
    p = u[..., -2:]
    q = where(negligible[..., -2:, :], where(largest > 0, largest, 1), 0) * vh[..., -2:, :]  # t q
    deficient = negligible[..., -3:-2, :] if n > 2 else ~finite  # of two singular values there is no third
    b = where(finite & ~deficient, x + matmul(p, q), identity)
    inverse = inv(b)
    k = eye_like(x, 2) - matmul(matmul(q, inverse), p)
    k00, k11 = k[..., :1, :1], k[..., 1:, 1:]
    determinant = k00 * k11 - k[..., :1, 1:] * k[..., 1:, :1]
    adjugate = (k00 + k11) * eye_like(x, 2) - k
    inner = determinant * inverse + matmul(matmul(matmul(inverse, p), adjugate), matmul(q, inverse))
    out = matrix_transpose(det(b)[..., None, None] * inner)
    return where(finite, where(deficient, 0, out), math.nan)


@primitive(x=lambda g, x: g[..., None, None] * cofactors(x))
def det(x: A, /) -> A:
    """The determinant of each matrix of (..., M, M).

    The gradient, the matrix of cofactors, is finite for singular matrices too, as are derivatives of every order. They are
    right for every matrix up to the second order, and at ranks of M - 2 or more to any. A matrix that holds nan or inf has the
    determinant nan.
    Raises ShapeError if a matrix is not square, DTypeError for what is not float32, float64 or complex.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.linalg.det.html
    """
    checks.square("det", x)
    out: A = on_finite(array_namespace(x).linalg.det, x)
    return out


class SlogdetResult(NamedTuple):
    """``det == sign * exp(logabsdet)``."""

    sign: Any
    logabsdet: Any


def _slogdet_rule(g: Any, x: Any, out: Any) -> Any:
    # With t = tr(inv(x) dx): d logabsdet = real(t), and d sign = sign * 1j * imag(t), which is 0 for real x.
    g_sign, g_log = g
    sign, logabsdet = out
    factor = g_log
    if g_sign is not None and numpy_dtype(x.dtype).kind == "c":
        turning = astype_like(imag(g_sign * sign), complex=True) * 1j
        factor = turning if g_log is None else g_log + turning
    if factor is None:
        return zeros_like(x)
    singular = logical_not(isfinite(logabsdet))[..., None, None]
    regular = where(singular, eye_like(x, x.shape[-1]), x)
    return where(singular, math.nan, factor[..., None, None] * matrix_transpose(inv(regular)))


@multi_output(x=_slogdet_rule)
def slogdet(x: Any, /) -> SlogdetResult:
    """The determinant of each matrix of (..., M, M) as its sign and the logarithm of its absolute value: (sign, logabsdet).

    For complex x the sign is a complex number of size 1, and differentiable. Of a singular matrix the sign is 0, the logarithm
    -inf, and the gradient nan. A matrix that holds nan or inf has nan for both.
    Raises ShapeError if a matrix is not square, DTypeError for what is not float32, float64 or complex.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.linalg.slogdet.html
    """
    checks.square("slogdet", x)
    return SlogdetResult(*on_finite(array_namespace(x).linalg.slogdet, x))
