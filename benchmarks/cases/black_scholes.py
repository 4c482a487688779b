"""options: Black-Scholes prices of 1,000,000 call options and their derivatives for all five arguments, float32.

The price is S * N(d1) - K * exp(-r * T) * N(d2) with d1 = (log(S / K) + (r + sigma ** 2 / 2) * T) / (sigma * sqrt(T)) and
d2 = d1 - sigma * sqrt(T); N is the distribution function of the normal distribution, by erf. The gradient is that of the sum of
the prices, which comes with it.
"""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Callable
from typing import Any

import numpy

import gpugrad as gg
from benchmarks import machine, peers
from benchmarks.apart import apart
from benchmarks.side_by_side import side_by_side
from gpugrad.bench.method import Row, not_run

SIZE = 1_000_000
ARGUMENTS = (0, 1, 2, 3, 4)
TOLERANCE = 2e-2
"""Between the derivatives of single options, which are up to 150; the sum of the prices is compared as their mean."""

LIMITS = {"JAX jit": 1.0}
_ROOT_HALF = math.sqrt(0.5)


def run(device: str, rounds: int) -> list[Row]:
    """On one thread and, where there are as many cores, on two."""
    if device != "cpu":
        return [not_run("options", "it compares kernels for the CPU; run it with --device cpu")]
    return apart("cases.black_scholes", rounds, (1, 2)[: machine.cores()])


def rows(rounds: int) -> list[Row]:
    """gpugrad fused and op by op, JAX, PyTorch, NumPy by hand."""
    arrays = options(SIZE)
    steps = {"gpugrad": with_gpugrad(arrays), "gpugrad unfused": with_gpugrad(arrays, fused=False)}
    jax = peers.jax()
    if jax is not None:
        steps["JAX jit"] = with_jax(jax, arrays)
    torch = peers.torch()
    if torch is not None:
        steps["PyTorch eager"] = with_torch(torch, arrays)
    steps["NumPy by hand"] = functools.partial(by_hand, *arrays)
    work = f"Black-Scholes and its 5 gradients, {SIZE:,} options"
    return [side_by_side("options", work, steps, LIMITS, rounds=rounds, tolerance=TOLERANCE, compared=_means)]


def _means(found: Any) -> Any:
    """The mean price, where a step gives the sum, and the gradients."""
    total, gradients = found
    return [total / SIZE, *gradients]


def options(size: int) -> list[Any]:
    """Spot and strike prices, years to expiry, interest rates and volatilities."""
    rng = numpy.random.default_rng(0)
    bounds = ((80, 120), (80, 120), (0.25, 2), (0.01, 0.05), (0.1, 0.5))
    return [rng.uniform(low, high, size).astype(numpy.float32) for low, high in bounds]


def price(xp: Any, erf: Callable[[Any], Any], spot: Any, strike: Any, years: Any, rate: Any, volatility: Any) -> Any:
    """The price, in the functions of a library."""
    deviation = volatility * xp.sqrt(years)
    d1 = (xp.log(spot / strike) + (rate + 0.5 * volatility * volatility) * years) / deviation
    d2 = d1 - deviation
    return spot * _normal(erf, d1) - strike * xp.exp(-rate * years) * _normal(erf, d2)


def _normal(erf: Callable[[Any], Any], x: Any) -> Any:
    return 0.5 + 0.5 * erf(x * _ROOT_HALF)


def with_gpugrad(arrays: list[Any], fused: bool = True) -> Callable[[], Any]:
    """The mean price and the gradients with gpugrad."""
    product = gg.value_and_grad(lambda *a: gg.sum(price(gg, gg.special.erf, *a)), argnums=ARGUMENTS)
    if fused:
        product = gg.fuse(product)
    return lambda: product(*arrays)


def with_jax(jax: Any, arrays: list[Any]) -> Callable[[], Any]:
    """The same with JAX; what it computes is waited for."""
    np, erf = importlib.import_module("jax.numpy"), importlib.import_module("jax.scipy.special").erf
    product = jax.jit(jax.value_and_grad(lambda *a: np.sum(price(np, erf, *a)), argnums=ARGUMENTS))
    given = [jax.device_put(a) for a in arrays]
    return lambda: jax.block_until_ready(product(*given))


def with_torch(torch: Any, arrays: list[Any]) -> Callable[[], Any]:
    """The same with PyTorch, op by op."""
    given = [torch.tensor(a, requires_grad=True) for a in arrays]

    def step() -> Any:
        total = torch.sum(price(torch, torch.erf, *given))
        return total, torch.autograd.grad(total, given)

    return step


def by_hand(spot: Any, strike: Any, years: Any, rate: Any, volatility: Any) -> Any:
    """The same in NumPy, with the formulas for the derivatives ("Greeks")."""
    from scipy.special import erf  # slow to import, and only this column needs it

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
