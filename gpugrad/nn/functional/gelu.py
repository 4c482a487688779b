"""gelu: x times the probability that a normal variable is below x."""

from __future__ import annotations

import math
from typing import Any

from gpugrad.errors import OptionError
from gpugrad.families import A, composite
from gpugrad.nn.functional.pointwise import pointwise
from gpugrad.nn.functional.sigmoid import sigmoid
from gpugrad.ops.elementwise import exp
from gpugrad.ops.special.error import erf

_ROOT_HALF = math.sqrt(0.5)
_DENSITY = 1 / math.sqrt(2 * math.pi)  # of the normal distribution, at 0
_SLOPE = 2 * math.sqrt(2 / math.pi)
_CUBIC = 0.044715


def _probability(x: Any, approximate: str) -> Any:
    # The approximation, (1 + tanh(u)) / 2, is sigmoid(2 u), which is accurate also where it is nearly 0.
    return sigmoid(_SLOPE * (x + _CUBIC * x * x * x)) if approximate == "tanh" else 0.5 + 0.5 * erf(x * _ROOT_HALF)


def _gelu_rule(g: Any, x: Any, approximate: str) -> Any:
    p = _probability(x, approximate)
    if approximate == "tanh":
        density = p * (1 - p) * (_SLOPE * (1 + 3 * _CUBIC * x * x))
    else:
        density = _DENSITY * exp(-0.5 * x * x)
    return g * (p + x * density)


_gelu = pointwise("gelu", lambda x, approximate: x * _probability(x, approximate), _gelu_rule)


@composite
def gelu(input: A, approximate: str = "none") -> A:
    """x * P(x), elementwise, with P the distribution function of the normal distribution: (1 + erf(x / sqrt(2))) / 2.

    With `approximate` "tanh", P(x) is (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3))) / 2, which differs by less than 5e-4.
    Shapes: any, and the result has the same. Dtypes: real floating; 16 bits are computed with in float32.
    Raises OptionError for another `approximate`, DTypeError for another dtype.
    Source: D. Hendrycks, K. Gimpel, "Gaussian error linear units (GELUs)", 2016.
    """
    check_approximate(approximate)
    out: A = _gelu(input, approximate)
    return out


def check_approximate(approximate: str) -> None:
    """Raise OptionError unless it is one of the two ways to compute gelu."""
    if approximate not in ("none", "tanh"):
        raise OptionError(f"gelu: approximate is {approximate!r}, expected 'none' (the exact function) or 'tanh'")
