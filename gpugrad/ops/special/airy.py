"""Airy functions and the functions of Struve."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from gpugrad.ops.elementwise import pow
from gpugrad.ops.special.family import no_rule, several, special, sum_of_terms
from gpugrad.ops.special.gamma import rgamma


class AiryResult(NamedTuple):
    """The Airy functions and their derivatives."""

    ai: Any
    aip: Any
    bi: Any
    bip: Any


def _airy(g: tuple[Any, ...], x: Any, out: tuple[Any, ...]) -> Any:
    ai, aip, bi, bip = out
    return sum_of_terms(g, lambda: aip, lambda: x * ai, lambda: bip, lambda: x * bi)


airy = several(
    "airy", "The Airy functions and their derivatives (ai, aip, bi, bip): the solutions of w'' = x w", AiryResult, _airy
)


def _struve(name: str, formula: str, above: float) -> Callable[..., Any]:
    """Declare a function of Struve with its derivative in x (DLMF 11.4.29, 11.4.30)."""

    def rule(g: Any, v: Any, x: Any) -> Any:
        rest = pow(x * 0.5, v) * rgamma(v + 1.5) * (1 / math.sqrt(math.pi))
        return g * ((itself(v - 1, x) + itself(v + 1, x) * above + rest) * 0.5)

    itself = special(name, formula, v=no_rule(name, "v"), x=rule)
    return itself


struve = _struve("struve", "Struve's function H of order v", -1)
modstruve = _struve("modstruve", "The modified function L of Struve of order v", 1)
