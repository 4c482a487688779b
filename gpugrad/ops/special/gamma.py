"""The gamma function, its logarithm and derivatives, and the incomplete gamma functions."""

from __future__ import annotations

import math
from typing import Any, SupportsIndex

from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.errors import DTypeError, OptionError
from gpugrad.families import A, composite, zero
from gpugrad.ops.elementwise import abs, cos, exp, imag, log, log1p, minimum, multiply, pow, real, round, sin, sqrt, where
from gpugrad.ops.special.family import inexact, no_rule, special
from gpugrad.ops.special.hurwitz import hurwitz


def sin_cos_pi(x: Any) -> tuple[Any, Any]:
    """sin(pi x) and cos(pi x), for large x and near their zeros, too."""
    turns = round(real(x))
    sign = 1 - 2 * abs(turns - 2 * round(0.5 * turns))
    angle = math.pi * (x - turns)
    return sign * sin(angle), sign * cos(angle)


def _trigamma(x: Any) -> Any:
    """The derivative of digamma, by reflection in the left half plane, DLMF 5.15.6."""
    left = real(x) < 0
    right = where(left, 1 - x, x)
    is_complex = numpy_dtype(x.dtype).kind == "c"
    there = _complex_trigamma(right) if is_complex else hurwitz(2.0, right)
    mirrored = where(left, x, 0.5)
    if is_complex:  # far from the real line the sine overflows, in single precision from 28 on, and its inverse does not count
        far = abs(imag(mirrored)) > 15
        mirrored = where(far, 0.5, mirrored)
    ratio = math.pi / sin_cos_pi(mirrored)[0]
    reflected = where(far, 0, ratio * ratio) if is_complex else ratio * ratio
    return where(left, reflected - there, there)


_TRIGAMMA = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)
"""The Bernoulli numbers B2, B4, ..., B14."""


def _complex_trigamma(x: Any) -> Any:
    """DLMF 5.15.5 and 5.15.8, for real(x) >= 0: ten steps to the right, and the asymptotic series there."""
    total = 0.0
    for k in range(10):
        total = total + 1 / (x + k) / (x + k)
    step = 1 / (x + 10)
    square = step * step
    series = square * 0
    for number in reversed(_TRIGAMMA):
        series = (series + number) * square
    return total + step + 0.5 * square + series * step


def rgamma_slope(x: Any) -> Any:
    """The derivative of 1 / gamma, by reflection to the left, where digamma has poles and 1 / gamma zeros."""
    left = real(x) < 0.5
    if numpy_dtype(x.dtype).kind == "c":  # far from the real line the sine overflows
        left = left & (abs(imag(x)) < 1)
    right = where(left, 0.5, x)
    mirrored = where(left, 1 - x, 0.5)
    sine, cosine = sin_cos_pi(where(left, x, 0.5))
    reflected = gamma(mirrored) * (cosine - sine / math.pi * digamma(mirrored))
    return where(left, reflected, -rgamma(right) * digamma(right))


_AT_POLES = "At the poles 0, -1, -2, ... the derivative is nan or infinite."

digamma = special(
    "digamma",
    "The derivative of gammaln; of loggamma for complex x",
    complex=True,
    x=lambda g, x: g * _trigamma(x),
    note=_AT_POLES,
)
psi = digamma
gamma = special("gamma", "The gamma function", complex=True, x=lambda g, x, out: g * out * digamma(x), note=_AT_POLES)
gammaln = special("gammaln", "The logarithm of abs(gamma(x))", x=lambda g, x: g * digamma(x), note=_AT_POLES)
loggamma = special(
    "loggamma",
    "The principal branch of the logarithm of gamma(x); nan for real x < 0",
    complex=True,
    x=lambda g, x: g * digamma(x),
    note=_AT_POLES,
)
rgamma = special(
    "rgamma",
    "1 / gamma(x), with zeros at 0, -1, -2, ...",
    complex=True,
    x=lambda g, x: g * rgamma_slope(x),
    note="At -n the derivative is (-1) ** n * n!.",
)
gammasgn = special("gammasgn", "The sign of gamma(x)", x=zero)


@composite
def polygamma(n: Any, x: A) -> A:
    """The n-th derivative of digamma, elementwise: (-1) ** (n + 1) * n! * zeta(n + 1, x), and digamma(x) for n = 0.

    Shapes: n, which is integers, and x broadcast. Dtypes: real floating; integers are taken as float64, but a Python number n widens
    nothing. Differentiable in x.

    Raises DTypeError for complex x, ShapeError if the shapes do not broadcast, DeviceError if the devices differ.
    Source: DLMF 5.15, https://docs.scipy.org/doc/scipy/reference/generated/scipy.special.polygamma.html
    """
    if hasattr(x, "dtype") and numpy_dtype(x.dtype).kind == "c":
        raise DTypeError(f"polygamma: got {x.dtype}, expected real floating-point")
    order = inexact(n)
    if not hasattr(order, "dtype"):
        sign = -1.0 if order % 2 == 0 else 1.0
        out: A = digamma(x) if order == 0 else sign * gamma(order + 1) * hurwitz(order + 1, x)
        return out
    factor = pow(-1.0, order + 1) * gamma(order + 1)
    out = where(order == 0, digamma(x), multiply(factor, hurwitz(order + 1, x)))  # one may be a Tensor, the other another array
    return out


@composite
def multigammaln(a: A, d: SupportsIndex) -> A:
    """The logarithm of the multivariate gamma function, elementwise: d (d - 1) / 4 * log(pi) + the sum over j < d of gammaln(a - j / 2).

    Shapes: any, and the result has the same. `d` is a positive integer. Dtypes: real floating; integers are taken as float64.
    Differentiable in a. Where a <= (d - 1) / 2, for which SciPy raises ValueError, the result is nan: nothing waits for a GPU.

    Raises OptionError for another `d`, DTypeError for complex a.
    Source: R. J. Muirhead, Aspects of multivariate statistical theory, 1982,
    https://docs.scipy.org/doc/scipy/reference/generated/scipy.special.multigammaln.html
    """
    if type(d) is bool or not isinstance(d, SupportsIndex) or d.__index__() < 1:
        raise OptionError(f"multigammaln: d is {d!r}, expected a positive integer")
    d = d.__index__()
    x: Any = inexact(a)
    total = sum((gammaln(x - 0.5 * j) for j in range(1, d)), start=gammaln(x)) + d * (d - 1) / 4 * math.log(math.pi)
    out: A = where(x > (d - 1) / 2, total, math.nan) if d > 1 and hasattr(x, "dtype") else total
    return out


# Incomplete gamma functions -----------------------------------------------------------------------------------------------

_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)


def stirling_error(x: Any) -> Any:
    """gammaln(x + 1) minus its approximation (x + 1/2) log(x) - x + log(2 pi) / 2, for x >= 9; DLMF 5.11.1."""
    step = 1 / x
    square = step * step
    series = square * 0
    for coefficient in reversed(_STIRLING):
        series = series * square + coefficient
    return series * step


def deviance(x: Any, mean: Any) -> Any:
    """x log(x / mean) + mean - x, for x > 0: how far from the mean a saddle point is."""
    excess = (mean - x) / x
    near = abs(excess) < 0.5
    logarithm = where(near, log1p(where(near, excess, 0)), log(where(near, 1, mean / x)))
    return x * (excess - logarithm)


def poisson(k: Any, m: Any) -> Any:
    """m ** k * exp(-m) / gamma(k + 1), the density of the incomplete gamma functions.

    For large k by the saddle point: k log(m) - m - gammaln(k + 1) would cancel.
    Source: C. Loader, "Fast and accurate computation of binomial probabilities", 2000.
    """
    large = k > 9
    few, many = where(large, 0, k), where(large, k, 9)
    # Both are 0 before the bounds, which keep what is multiplied by 0, or subtracted, finite.
    saddle = exp(-deviance(many, minimum(m, 1e30)) - stirling_error(many)) / sqrt(2 * math.pi * many)
    return where(large, saddle, pow(minimum(m, 2000), few) * exp(-m) * rgamma(few + 1))


_IN_A = "The derivative in a has no closed form."

gammainc = special(
    "gammainc",
    "The regularized lower incomplete gamma function: the integral of t ** (a - 1) * exp(-t) from 0 to x, over gamma(a)",
    a=no_rule("gammainc", "a"),
    x=lambda g, a, x: g * poisson(a - 1, x),
    note=_IN_A,
)
gammaincc = special(
    "gammaincc",
    "The regularized upper incomplete gamma function, 1 - gammainc(a, x)",
    a=no_rule("gammaincc", "a"),
    x=lambda g, a, x: -g * poisson(a - 1, x),
    note=_IN_A,
)
gammaincinv = special(
    "gammaincinv",
    "The inverse of gammainc(a, x) in x",
    a=no_rule("gammaincinv", "a"),
    y=lambda g, a, out: g / poisson(a - 1, out),
    note=_IN_A,
)
gammainccinv = special(
    "gammainccinv",
    "The inverse of gammaincc(a, x) in x",
    a=no_rule("gammainccinv", "a"),
    y=lambda g, a, out: -g / poisson(a - 1, out),
    note=_IN_A,
)
