"""Hypergeometric functions and Wright's Bessel function, with derivatives in their argument; none in their parameters."""

from __future__ import annotations

from typing import Any

from gpugrad.ops.elementwise import exp
from gpugrad.ops.special.family import no_rule, special

_SERIES = "The confluent hypergeometric "


def _parameters(name: str, *operands: str) -> dict[str, Any]:
    return {operand: no_rule(name, operand) for operand in operands}


hyp0f1 = special(
    "hyp0f1",
    f"{_SERIES}limit function 0F1(v; z)",
    complex=True,
    **_parameters("hyp0f1", "v"),
    z=lambda g, v, z: g * (hyp0f1(v + 1, z) / v),
)
hyp1f1 = special(
    "hyp1f1",
    f"{_SERIES}function 1F1(a; b; x), of Kummer",
    complex=True,
    **_parameters("hyp1f1", "a", "b"),
    x=lambda g, a, b, x: g * (hyp1f1(a + 1, b + 1, x) * (a / b)),
)
hyp2f1 = special(
    "hyp2f1",
    "The hypergeometric function 2F1(a, b; c; z), of Gauss",
    complex=True,
    **_parameters("hyp2f1", "a", "b", "c"),
    z=lambda g, a, b, c, z: g * (hyp2f1(a + 1, b + 1, c + 1, z) * (a * b / c)),
)
hyperu = special(
    "hyperu",
    f"{_SERIES}function U(a, b, x), of Tricomi",
    **_parameters("hyperu", "a", "b"),
    x=lambda g, a, b, x: -g * (hyperu(a + 1, b + 1, x) * a),
)
wright_bessel = special(
    "wright_bessel",
    "Wright's generalized Bessel function, the sum of x ** k / (k! gamma(a k + b))",
    **_parameters("wright_bessel", "a", "b"),
    x=lambda g, a, b, x: g * wright_bessel(a, a + b, x),
)
log_wright_bessel = special(
    "log_wright_bessel",
    "log(wright_bessel(a, b, x)), without overflow",
    **_parameters("log_wright_bessel", "a", "b"),
    x=lambda g, a, b, x, out: g * exp(log_wright_bessel(a, a + b, x) - out),
)
