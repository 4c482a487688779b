"""The error function, its relatives, and the normal distribution."""

from __future__ import annotations

import math
from typing import Any

from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.arrays.special import evaluate
from gpugrad.families import A, fused
from gpugrad.ops.elementwise import abs, exp, real, where
from gpugrad.ops.special.family import special

_ROOT_PI = math.sqrt(math.pi)
_ROOT_HALF = math.sqrt(0.5)
_ROOT_TWO_PI = math.sqrt(2 * math.pi)
_FAR = 8.0
"""Where the asymptotic series takes over: nearer, the difference that it stands for loses two digits at most."""


@fused(elementwise=True, x=lambda g, x: g * (2 / _ROOT_PI * exp(-x * x)))
def erf(x: A, /) -> A:
    """The error function, elementwise: 2 / sqrt(pi) times the integral of exp(-t ** 2) from 0 to x.

    Shapes: any, and the result has the same. Dtypes: real and complex floating; integers are taken as float64, as SciPy does.
    Differentiable.

    Raises DTypeError for a dtype that it does not take.
    Source: https://docs.scipy.org/doc/scipy/reference/generated/scipy.special.erf.html
    """
    if type(x) in (float, int, bool):
        return math.erf(x)  # type: ignore[arg-type, return-value]  # without loading SciPy
    out: A = evaluate("erf", x)
    return out


def _series(t: Any) -> Any:
    """The asymptotic series t + 3 t ** 2 + 15 t ** 3 + ..., to its smallest term of about 1e-18 at abs(t) = 1 / (2 _FAR ** 2)."""
    total = t * 0 + 1
    for k in range(39, 1, -2):
        total = 1 + k * t * total
    return t * total


def _erfcx_slope(x: Any) -> Any:
    """2 x erfcx(x) - 2 / sqrt(pi), also where the two terms nearly cancel; DLMF 7.12.1 far out in the right half plane.

    To the left erfcx(x) = 2 exp(x ** 2) - erfcx(-x).
    """
    left = real(x) < 0
    right = where(left, -x, x)
    far = abs(right) > _FAR
    near = where(far, 1, right)
    distant = where(far, right, 1)
    slope = where(far, 2 / _ROOT_PI * _series(-0.5 / distant / distant), 2 * near * erfcx(near) - 2 / _ROOT_PI)
    turned = where(left, x, 0)
    return where(left, 4 * turned * exp(turned * turned) + slope, slope)


def _dawsn_slope(x: Any) -> Any:
    """1 - 2 x dawsn(x); DLMF 7.12.1 far out on the real line, where the terms nearly cancel."""
    if numpy_dtype(x.dtype).kind == "c":
        return 1 - 2 * x * dawsn(x)
    far = abs(x) > _FAR
    near, distant = where(far, 0, x), where(far, x, 1)
    return where(far, -_series(0.5 / distant / distant), 1 - 2 * near * dawsn(near))


erfc = special("erfc", "1 - erf(x), accurate for large x", complex=True, x=lambda g, x: -g * (2 / _ROOT_PI * exp(-x * x)))
erfcx = special("erfcx", "exp(x ** 2) * erfc(x)", complex=True, x=lambda g, x: g * _erfcx_slope(x))
erfi = special("erfi", "-1j * erf(1j * x)", complex=True, x=lambda g, x: g * (2 / _ROOT_PI * exp(x * x)))
dawsn = special(
    "dawsn",
    "Dawson's integral: exp(-x ** 2) times the integral of exp(t ** 2) from 0 to x",
    complex=True,
    x=lambda g, x: g * _dawsn_slope(x),
    note="The derivative at complex x of large size is that of a difference, and loses as many digits as x ** 2 has.",
)
wofz = special(
    "wofz",
    "The Faddeeva function, exp(-x ** 2) * erfc(-1j * x); its results are complex",
    complex=True,
    x=lambda g, x: g * (_erfcx_slope(-1j * x) * -1j),
)
erfinv = special("erfinv", "The inverse of erf", x=lambda g, out: g * (_ROOT_PI / 2 * exp(out * out)))
erfcinv = special("erfcinv", "The inverse of erfc", x=lambda g, out: g * (-_ROOT_PI / 2 * exp(out * out)))


# The normal distribution ------------------------------------------------------------------------------------------------


def normal_density(x: Any) -> Any:
    """exp(-x ** 2 / 2) / sqrt(2 pi)."""
    return exp(-0.5 * x * x) * (1 / _ROOT_TWO_PI)


def _left(x: Any) -> Any:
    return real(x) < 0


def _log_ndtr_rule(g: Any, x: Any, out: Any) -> Any:
    # density / ndtr: to the left both underflow, and in logarithms they would cancel; to the right erfcx overflows.
    left = _left(x)
    hazard = 2 / _ROOT_TWO_PI / erfcx(where(left, -_ROOT_HALF * x, 0))
    right = where(left, 0, x)
    return g * where(left, hazard, exp(-0.5 * right * right - where(left, 0, out)) * (1 / _ROOT_TWO_PI))


def _ndtri_exp_rule(g: Any, x: Any, out: Any) -> Any:
    # ndtr / density, likewise.
    left = _left(out)
    mills = _ROOT_TWO_PI / 2 * erfcx(where(left, -_ROOT_HALF * out, 0))
    right = where(left, 0, out)
    return g * where(left, mills, _ROOT_TWO_PI * exp(where(left, 0, x) + 0.5 * right * right))


ndtr = special(
    "ndtr",
    "The distribution function of the normal distribution: (1 + erf(x / sqrt(2))) / 2",
    complex=True,
    x=lambda g, x: g * normal_density(x),
)
log_ndtr = special("log_ndtr", "The logarithm of ndtr(x), accurate far to the left", complex=True, x=_log_ndtr_rule)
ndtri = special("ndtri", "The inverse of ndtr", x=lambda g, out: g * (_ROOT_TWO_PI * exp(0.5 * out * out)))
ndtri_exp = special("ndtri_exp", "The inverse of log_ndtr", x=_ndtri_exp_rule)
owens_t = special(
    "owens_t",
    "Owen's T: 1 / (2 pi) times the integral of exp(-h ** 2 (1 + t ** 2) / 2) / (1 + t ** 2) from 0 to a",
    h=lambda g, h, a: g * (-0.5 * normal_density(h) * erf(a * h * _ROOT_HALF)),
    a=lambda g, h, a: g * (exp(-0.5 * h * h * (1 + a * a)) / (2 * math.pi * (1 + a * a))),
    source="D. B. Owen, 1956",
)
