"""options: Black-Scholes prices of 1,000,000 call options and their derivatives for all five arguments, float32.

The price is S * N(d1) - K * exp(-r * T) * N(d2) with d1 = (log(S / K) + (r + sigma ** 2 / 2) * T) / (sigma * sqrt(T)) and
d2 = d1 - sigma * sqrt(T); N is the distribution function of the normal distribution, by erf. The gradient is that of the sum of
the prices, which comes with it.
"""

from __future__ import annotations

import importlib
import math
from functools import partial
from typing import Any

import numpy

from benchmarks.contest import Contest, Step, Target
from benchmarks.formulas import COLUMNS, FUSED, Formula
from benchmarks.libraries import AUTOGRAD, GPUGRAD, NUMPY, PYTORCH

SIZE = 1_000_000
TOLERANCE = 2e-2
"""Between the derivatives of single options, which are up to 150; the sum of the prices is compared as their mean."""

_ROOT_HALF = math.sqrt(0.5)
_ERF = {"gpugrad": "gpugrad.special", "jax.numpy": "jax.scipy.special", "autograd.numpy": "autograd.scipy.special"}
"""Where libraries have erf that do not have it beside exp."""


def problem(size: int = SIZE) -> Formula:
    """The sum of the prices, for spot and strike prices, years to expiry, interest rates and volatilities."""
    rng = numpy.random.default_rng(0)
    bounds = ((80, 120), (80, 120), (0.25, 2), (0.01, 0.05), (0.1, 0.5))
    return Formula([rng.uniform(low, high, size).astype(numpy.float32) for low, high in bounds], prices)


def prices(xp: Any, spot: Any, strike: Any, years: Any, rate: Any, volatility: Any) -> Any:
    """The sum of the prices, in the functions of a library."""
    erf = (importlib.import_module(_ERF[xp.__name__]) if xp.__name__ in _ERF else xp).erf
    deviation = volatility * xp.sqrt(years)
    d1 = (xp.log(spot / strike) + (rate + 0.5 * volatility * volatility) * years) / deviation
    d2 = d1 - deviation
    return xp.sum(spot * _normal(erf, d1) - strike * xp.exp(-rate * years) * _normal(erf, d2))


def _normal(erf: Any, x: Any) -> Any:
    return 0.5 + 0.5 * erf(x * _ROOT_HALF)


def by_hand(formula: Formula, device: str) -> Step:
    """The same in NumPy, with the formulas for the derivatives ("Greeks")."""
    erf = importlib.import_module("scipy.special").erf  # slow to import, and only this column needs it
    spot, strike, years, rate, volatility = formula.operands

    def step() -> Any:
        root = numpy.sqrt(years)
        deviation = volatility * root
        d1 = (numpy.log(spot / strike) + (rate + 0.5 * volatility * volatility) * years) / deviation
        d2 = d1 - deviation
        p1, p2 = _normal(erf, d1), _normal(erf, d2)
        discounted = strike * numpy.exp(-rate * years)
        density = spot * (numpy.exp(-0.5 * d1 * d1) * numpy.float32(1 / math.sqrt(2 * math.pi)))
        of_strike = discounted * p2
        total = numpy.sum(spot * p1 - of_strike)
        of_years = density * volatility / (2 * root) + rate * of_strike
        return total, (p1, -of_strike / strike, of_years, years * of_strike, density * root)

    return step


def compared(found: Any) -> Any:
    """The mean price, where a step gives the sum, and the gradients."""
    total, gradients = found
    return [total / math.prod(gradients[0].shape), *gradients]


CONTESTS = (
    Contest(
        "options", f"Black-Scholes and its 5 gradients, {SIZE:,} options", problem, {**FUSED, NUMPY: by_hand},
        targets=(Target(1.0),), tolerance=TOLERANCE, compared=compared, memory_limit=1.0, small=partial(problem, 4096), threads=(1, 2),
    ),
    Contest(
        "options", f"Black-Scholes and its 5 gradients, op by op, {SIZE:,} options", problem,
        {library: COLUMNS[library] for library in (GPUGRAD, PYTORCH, AUTOGRAD)},
        tolerance=TOLERANCE, compared=compared, threads=(1, 2),
    ),
)  # fmt: skip
