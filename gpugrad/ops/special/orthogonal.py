"""Orthogonal polynomials of degree n, with derivatives in x; none in the degree and the parameters.

The derivative of a polynomial of a classical family is one of degree n - 1 of another (DLMF 18.9).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gpugrad.ops.elementwise import where
from gpugrad.ops.special.family import no_rule, special


def _of_degree(name: str, formula: str, slope: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Declare f(n, x), whose derivative for n > 0 is slope(n, x); a constant has none."""
    return special(name, formula, complex=True, n=no_rule(name, "n"), x=lambda g, n, x: g * _unless_constant(n, x, slope(n, x)))


def _unless_constant(n: Any, x: Any, slope: Any) -> Any:
    return where(n == 0, 0, slope)


eval_jacobi = special(
    "eval_jacobi",
    "The Jacobi polynomial of degree n and parameters alpha, beta at x",
    complex=True,
    n=no_rule("eval_jacobi", "n"),
    alpha=no_rule("eval_jacobi", "alpha"),
    beta=no_rule("eval_jacobi", "beta"),
    x=lambda g, n, alpha, beta, x: (
        g * _unless_constant(n, x, eval_jacobi(n - 1, alpha + 1, beta + 1, x) * ((n + alpha + beta + 1) * 0.5))
    ),
)
eval_gegenbauer = special(
    "eval_gegenbauer",
    "The Gegenbauer polynomial of degree n and parameter alpha at x",
    complex=True,
    n=no_rule("eval_gegenbauer", "n"),
    alpha=no_rule("eval_gegenbauer", "alpha"),
    x=lambda g, n, alpha, x: g * _unless_constant(n, x, eval_gegenbauer(n - 1, alpha + 1, x) * (alpha * 2)),
)
eval_genlaguerre = special(
    "eval_genlaguerre",
    "The generalized Laguerre polynomial of degree n and parameter alpha at x",
    complex=True,
    n=no_rule("eval_genlaguerre", "n"),
    alpha=no_rule("eval_genlaguerre", "alpha"),
    x=lambda g, n, alpha, x: g * _unless_constant(n, x, -eval_genlaguerre(n - 1, alpha + 1, x)),
)
eval_legendre = _of_degree(
    "eval_legendre", "The Legendre polynomial of degree n at x", lambda n, x: eval_gegenbauer(n - 1, 1.5, x)
)
eval_chebyt = _of_degree(
    "eval_chebyt", "The Chebyshev polynomial of the first kind of degree n at x", lambda n, x: eval_chebyu(n - 1, x) * n
)
eval_chebyu = _of_degree(
    "eval_chebyu",
    "The Chebyshev polynomial of the second kind of degree n at x",
    lambda n, x: eval_gegenbauer(n - 1, 2.0, x) * 2,
)
eval_laguerre = _of_degree(
    "eval_laguerre", "The Laguerre polynomial of degree n at x", lambda n, x: -eval_genlaguerre(n - 1, 1.0, x)
)
eval_hermite = special(
    "eval_hermite",
    "The physicists' Hermite polynomial of degree n at x",
    n=no_rule("eval_hermite", "n"),
    x=lambda g, n, x: g * _unless_constant(n, x, eval_hermite(n - 1, x) * (n * 2)),
)
eval_hermitenorm = special(
    "eval_hermitenorm",
    "The probabilists' Hermite polynomial of degree n at x",
    n=no_rule("eval_hermitenorm", "n"),
    x=lambda g, n, x: g * _unless_constant(n, x, eval_hermitenorm(n - 1, x) * n),
)
