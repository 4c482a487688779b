"""Exponential, logarithmic and trigonometric integrals: their derivatives are elementary."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from gpugrad.ops.elementwise import cos, cosh, exp, maximum, sin, where
from gpugrad.ops.special.family import no_rule, several, special, sum_of_terms
from gpugrad.ops.special.removable import log_over, sin_over, sinh_over


def _expn(g: Any, n: Any, x: Any, out: Any) -> Any:
    # E_n' = -E_(n - 1); SciPy has none of order -1, and E_0 = exp(-x) / x.
    return -g * where(n == 0, out + out / x, expn(maximum(n - 1, 0), x))


def _expi_slope(x: Any) -> Any:
    root = exp(0.5 * x)  # exp(x) may overflow where the quotient does not
    return root / x * root


exp1 = special(
    "exp1",
    "The exponential integral E1(z), of exp(-t) / t from z to infinity",
    complex=True,
    z=lambda g, z: -g * exp(-z) / z,
)
expi = special("expi", "The exponential integral Ei(x)", complex=True, x=lambda g, x: g * _expi_slope(x))
expn = special(
    "expn",
    "The exponential integral E_n(x), of exp(-x t) / t ** n from 1 to infinity",
    n=no_rule("expn", "n"),
    x=_expn,
)
spence = special(
    "spence",
    "Spence's function, the integral of log(t) / (1 - t) from 1 to z, which is the dilogarithm of 1 - z",
    complex=True,
    z=lambda g, z: -g * log_over(z),
)


class SiciResult(NamedTuple):
    """The sine and the cosine integral."""

    si: Any
    ci: Any


class ShichiResult(NamedTuple):
    """The hyperbolic sine and cosine integral."""

    shi: Any
    chi: Any


class FresnelResult(NamedTuple):
    """The Fresnel sine and cosine integral."""

    s: Any
    c: Any


def _sici(g: tuple[Any, Any], x: Any) -> Any:
    return sum_of_terms(g, lambda: sin_over(x), lambda: cos(x) / x)


def _shichi(g: tuple[Any, Any], x: Any) -> Any:
    return sum_of_terms(g, lambda: sinh_over(x), lambda: cosh(x) / x)


def _fresnel(g: tuple[Any, Any], x: Any) -> Any:
    return sum_of_terms(g, lambda: sin(x * x * (math.pi / 2)), lambda: cos(x * x * (math.pi / 2)))


sici = several(
    "sici",
    "The sine and cosine integrals (si, ci): of sin(t) / t from 0 to x, and gamma + log(x) + that of (cos(t) - 1) / t",
    SiciResult,
    _sici,
    note="The derivative of ci at 0 is inf.",
)
shichi = several(
    "shichi",
    "The hyperbolic sine and cosine integrals (shi, chi): with sinh and cosh for the sin and cos of sici",
    ShichiResult,
    _shichi,
    note="The derivative of chi at 0 is inf.",
)
fresnel = several(
    "fresnel",
    "The Fresnel integrals (s, c): of sin(pi t ** 2 / 2) and of cos(pi t ** 2 / 2) from 0 to x",
    FresnelResult,
    _fresnel,
)
