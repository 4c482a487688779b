"""Exponential, logarithmic and trigonometric integrals: their derivatives are elementary."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from gpugrad.arrays.special import evaluate
from gpugrad.multi_output import multi_output
from gpugrad.ops.elementwise import cos, cosh, exp, maximum, sin, where
from gpugrad.ops.special.family import no_rule, special
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


def evaluate_several(name: str, x: Any) -> Any:
    """The results of a function of SciPy that has several, which come in one array where they were computed elsewhere."""
    found = evaluate(name, x)
    return found if isinstance(found, tuple) else (found[i, ...] for i in range(found.shape[0]))


def sum_of_terms(gradients: tuple[Any, ...], *slopes: Callable[[], Any]) -> Any:
    """The gradients of several results times their derivatives, added; a derivative is computed only where one arrived."""
    terms = [g * slope() for g, slope in zip(gradients, slopes, strict=True) if g is not None]
    return sum(terms[1:], terms[0])


def _sici(g: tuple[Any, Any], x: Any) -> Any:
    return sum_of_terms(g, lambda: sin_over(x), lambda: cos(x) / x)


def _shichi(g: tuple[Any, Any], x: Any) -> Any:
    return sum_of_terms(g, lambda: sinh_over(x), lambda: cosh(x) / x)


def _fresnel(g: tuple[Any, Any], x: Any) -> Any:
    return sum_of_terms(g, lambda: sin(x * x * (math.pi / 2)), lambda: cos(x * x * (math.pi / 2)))


@multi_output(x=_sici, elementwise=True)
def sici(x: Any, /) -> Any:
    """The sine and cosine integrals (si, ci), elementwise: of sin(t) / t from 0 to x, and gamma + log(x) + that of (cos(t) - 1) / t.

    Shapes: any, and the results have the same. Dtypes: real and complex floating; integers are taken as float64.
    Differentiable; the derivative of ci at 0 is inf. Raises DTypeError for a dtype that it does not take.
    Source: https://docs.scipy.org/doc/scipy/reference/generated/scipy.special.sici.html
    """
    return SiciResult(*evaluate_several("sici", x))


@multi_output(x=_shichi, elementwise=True)
def shichi(x: Any, /) -> Any:
    """The hyperbolic sine and cosine integrals (shi, chi), elementwise: with sinh and cosh for the sin and cos of :func:`sici`.

    Shapes: any, and the results have the same. Dtypes: real and complex floating; integers are taken as float64.
    Differentiable; the derivative of chi at 0 is inf. Raises DTypeError for a dtype that it does not take.
    Source: https://docs.scipy.org/doc/scipy/reference/generated/scipy.special.shichi.html
    """
    return ShichiResult(*evaluate_several("shichi", x))


@multi_output(x=_fresnel, elementwise=True)
def fresnel(x: Any, /) -> Any:
    """The Fresnel integrals (s, c), elementwise: of sin(pi t ** 2 / 2) and of cos(pi t ** 2 / 2) from 0 to x.

    Shapes: any, and the results have the same. Dtypes: real and complex floating; integers are taken as float64.
    Differentiable. Raises DTypeError for a dtype that it does not take.
    Source: https://docs.scipy.org/doc/scipy/reference/generated/scipy.special.fresnel.html
    """
    return FresnelResult(*evaluate_several("fresnel", x))
