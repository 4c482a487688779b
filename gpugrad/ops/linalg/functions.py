"""Functions of a matrix: matrix_power, expm."""

from __future__ import annotations

import math
import operator
from typing import Any

from array_api_compat import array_namespace

from gpugrad.errors import DTypeError, LinAlgError
from gpugrad.families import A, composite, primitive, zero
from gpugrad.ops.contraction import matmul
from gpugrad.ops.creation import zeros_like
from gpugrad.ops.elementwise import abs, isfinite, where
from gpugrad.ops.linalg import checks
from gpugrad.ops.linalg.matrices import constant, eye_like
from gpugrad.ops.linalg.solve import inv
from gpugrad.ops.reduction import sum
from gpugrad.ops.shape import concat, matrix_transpose


@primitive(x=zero)
def _identities(x: Any, /) -> Any:
    return array_namespace(x).zeros_like(x) + eye_like(x, x.shape[-1])


@composite
def matrix_power(x: A, n: int, /) -> A:
    """The product of n factors x, for matrices (..., M, M); of the inverse if n is negative, the identity if n is 0.

    Raises LinAlgError if n is negative and a matrix singular, ShapeError if a matrix is not square, DTypeError for an n that is
    no integer, and for what is not float32, float64 or complex.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.linalg.matrix_power.html
    """
    checks.square("matrix_power", x)
    try:
        n = operator.index(n)
    except TypeError:
        raise DTypeError(f"matrix_power: n is {n!r}, expected an integer") from None
    factor: Any = x
    if n < 0:
        try:
            factor = inv(x)
        except LinAlgError as error:
            raise LinAlgError(f"matrix_power: n is {n}, and a matrix has no inverse: {error}") from None
    n = n if n >= 0 else -n
    out: Any = _identities(x) if n == 0 else None
    while n:  # by the binary digits of n
        if n & 1:
            out = factor if out is None else matmul(out, factor)
        n >>= 1
        if n:
            factor = matmul(factor, factor)
    return out


_DEGREE = 13
_PADE = [math.comb(_DEGREE, k) * math.factorial(2 * _DEGREE - k) / math.factorial(2 * _DEGREE) for k in range(_DEGREE + 1)]
"""The coefficients of the numerator; in the denominator those of odd degree are negative."""

_LARGEST = 5.371920351148152
"""Up to this 1-norm the approximation of degree 13 is exact to float64 (Higham 2005, table 2.3)."""


def _expm_rule(g: Any, x: Any) -> Any:
    # The derivative of expm at a along e is the upper right block of expm([[a, e], [0, a]]) (Higham 2008, equation 3.16). It is
    # linear in e, which is scaled so that the norm of the large matrix is about that of the small one.
    n = x.shape[-1]
    size = sum(abs(constant(g)), axis=(-2, -1), keepdims=True)
    size = where((size > 0) & isfinite(size), size, 1)
    diagonal = matrix_transpose(x)
    rows = [concat([diagonal, g / size], axis=-1), concat([zeros_like(diagonal), diagonal], axis=-1)]
    return expm(concat(rows, axis=-2))[..., :n, n:] * size


@primitive(x=_expm_rule)
def expm(x: A, /) -> A:
    """The matrix exponential, 1 + x + x @ x / 2! + ..., of each matrix of (..., M, M). nan where a matrix has nan or inf.

    By scaling and squaring of a Pade approximation (Higham 2005, The scaling and squaring method for the matrix exponential
    revisited). How often a matrix is squared depends on its norm; for that a GPU is waited for once.
    Raises ShapeError if a matrix is not square, DTypeError for what is not float32, float64 or complex.
    """
    checks.square("expm", x)
    a: Any = x
    xp = array_namespace(a)
    if 0 in a.shape:
        return xp.asarray(a, copy=True)
    norm = xp.max(xp.sum(xp.abs(a), axis=-2, keepdims=True), axis=-1, keepdims=True)
    finite = xp.isfinite(norm)
    scaled = finite & (norm > _LARGEST)
    times = xp.where(scaled, xp.ceil(xp.log2(xp.where(scaled, norm, _LARGEST) / _LARGEST)), 0.0)
    out = _pade(xp, xp.where(finite, a, 0.0) * 2.0**-times)
    most = int(xp.max(times))
    for i in range(most):  # the last ones: what is done early would overflow, what is squared in vain early would not
        out = xp.where(i >= most - times, matmul(out, out), out)
    return xp.where(finite, out, math.nan)


def _pade(xp: Any, a: Any) -> Any:
    """The approximation of exp(a) of degree 13 in numerator and denominator."""
    c = _PADE
    a2 = matmul(a, a)
    a4 = matmul(a2, a2)
    a6 = matmul(a4, a2)
    identity = eye_like(a, a.shape[-1])
    odd = matmul(a6, c[13] * a6 + c[11] * a4 + c[9] * a2) + c[7] * a6 + c[5] * a4 + c[3] * a2 + c[1] * identity
    odd = matmul(a, odd)
    even = matmul(a6, c[12] * a6 + c[10] * a4 + c[8] * a2) + c[6] * a6 + c[4] * a4 + c[2] * a2 + c[0] * identity
    return xp.linalg.solve(even - odd, even + odd)
