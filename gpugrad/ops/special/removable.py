"""Quotients with a removable singularity, such as sin(x) / x at 0: a power series near it and the quotient elsewhere.

Both are written in ops, so derivatives of every order are right at 0, too, and neither branch gives nan or a warning where it is
not taken. The quotient begins where its derivatives have lost no more than a digit to cancellation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from gpugrad.ops.elementwise import abs, cos, exp, expm1, log, sin, sinh, where

Formula = Callable[[Any], Any]

_TERMS = range(14)  # 1 / 28! is below the rounding of float64, and so is it times its degree, squared


def near_zero(x: Any, radius: float, series: Formula, quotient: Formula) -> Any:
    """series(x) where abs(x) < radius, quotient(x) elsewhere."""
    near = abs(x) < radius
    return where(near, series(where(near, x, 0)), quotient(where(near, 1, x)))


def polynomial(coefficients: Sequence[float], x: Any) -> Any:
    """The sum of coefficients[k] * x ** k, by Horner's rule."""
    out = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        out = out * x + c
    return out


def _of_square(coefficients: Sequence[float]) -> Formula:
    return lambda x: polynomial(coefficients, x * x)


def _times_x(coefficients: Sequence[float]) -> Formula:
    return lambda x: x * polynomial(coefficients, x * x)


_SINE = [(-1) ** k / math.factorial(2 * k + 1) for k in _TERMS]
_SINH = [1 / math.factorial(2 * k + 1) for k in _TERMS]
_SINE_SLOPE = [(-1) ** (k + 1) * (2 * k + 2) / math.factorial(2 * k + 3) for k in _TERMS]
_EXPREL_SLOPE = [(k + 1) / math.factorial(k + 2) for k in range(24)]
_ARTANH = [1 / (2 * k + 1) for k in range(22)]


def sin_over(x: Any) -> Any:
    """sin(x) / x."""
    return near_zero(x, 1, _of_square(_SINE), lambda x: sin(x) / x)


def sin_over_slope(x: Any) -> Any:
    """The derivative of sin(x) / x."""
    return near_zero(x, 1, _times_x(_SINE_SLOPE), lambda x: (cos(x) - sin(x) / x) / x)


def sinh_over(x: Any) -> Any:
    """sinh(x) / x."""
    return near_zero(x, 1, _of_square(_SINH), lambda x: sinh(x) / x)


def log_over(x: Any) -> Any:
    """log(x) / (x - 1). Near 1 as 2 / (x + 1) * artanh(s) / s with s = (x - 1) / (x + 1), which converges faster than in x - 1."""
    near = abs(x - 1) < 0.5
    inside, outside = where(near, x, 1), where(near, 2, x)
    s = (inside - 1) / (inside + 1)
    return where(near, polynomial(_ARTANH, s * s) * 2 / (inside + 1), log(outside) / (outside - 1))


def exprel_slope(x: Any) -> Any:
    """The derivative of (exp(x) - 1) / x, for real x: (exp(x) (x - 1) + 1) / x ** 2."""

    def quotient(x: Any) -> Any:
        # For negative x exp(x) is small beside the rest; for positive x it may overflow, and y = expm1(x) / x may not be met by -y.
        below = where(x < 0, x, -1)
        above = where(x > 0, x, 1)
        y = expm1(above) / above
        return where(x > 0, y - (y - 1) / above, (exp(below) - expm1(below) / below) / below)

    return near_zero(x, 1, lambda x: polynomial(_EXPREL_SLOPE, x), quotient)
