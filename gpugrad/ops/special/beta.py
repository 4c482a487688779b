"""The beta function, the incomplete beta functions, and the ratios of gamma functions."""

from __future__ import annotations

import math
from typing import Any

from gpugrad.ops.elementwise import exp, log, log1p, maximum, minimum, pow, sqrt, where
from gpugrad.ops.special.family import no_rule, special
from gpugrad.ops.special.gamma import deviance, digamma, gamma, gammaln, rgamma, rgamma_slope, sin_cos_pi, stirling_error

_STEPS = 9
_DIGAMMA = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)
"""B2 / 2, B4 / 4, ..., B14 / 14 for the Bernoulli numbers."""


def digamma_rise(x: Any, y: Any) -> Any:
    """digamma(x + y) - digamma(x), to full precision where both arguments are positive and y is small beside x.

    Nine steps of the recurrence, DLMF 5.5.2, and the difference of the asymptotic series, 5.11.2, term by term.
    """
    end = x + y
    positive = (x > 0) & (end > 0)
    x1, x2 = where(positive, x, 1), where(positive, end, 1)
    rise = where(positive, y, 0)
    total = 0.0
    for k in range(_STEPS):
        total = total + rise / (x1 + k) / (x2 + k)
    x1, x2 = x1 + _STEPS, x2 + _STEPS
    step1, step2 = 1 / x1, 1 / x2
    gap = rise * step1 * step2  # step1 - step2
    total = total + log1p(rise * step1) + 0.5 * gap
    # s**(2 j) at step1 minus that at step2, with s**(2 j) - t**(2 j) = s**2 (s**(2 j - 2) - t**(2 j - 2)) + t**(2 j - 2) (s**2 - t**2).
    square1, square2 = step1 * step1, step2 * step2
    first = gap * (step1 + step2)
    difference, power = first, square2
    for coefficient in _DIGAMMA:
        total = total + coefficient * difference
        difference, power = square1 * difference + power * first, power * square2
    return where(positive, total, digamma(where(positive, 1, end)) - digamma(where(positive, 1, x)))


beta = special(
    "beta",
    "The beta function: gamma(a) * gamma(b) / gamma(a + b)",
    a=lambda g, a, b, out: -g * out * digamma_rise(a, b),
    b=lambda g, a, b, out: -g * out * digamma_rise(b, a),
)
betaln = special(
    "betaln",
    "The logarithm of abs(beta(a, b))",
    a=lambda g, a, b: -g * digamma_rise(a, b),
    b=lambda g, a, b: -g * digamma_rise(b, a),
)


def _poch_z(g: Any, z: Any, m: Any, out: Any) -> Any:
    # Where 1 / gamma(z) is 0 and digamma(z) infinite, the derivative of the product gamma(z + m) * rgamma(z).
    zero = out == 0
    start, end = where(zero, z, 1), where(zero, z + m, 1)
    slope = gamma(end) * (rgamma_slope(start) + digamma(end) * rgamma(start))
    return g * where(zero, slope, out * digamma_rise(where(zero, 1, z), where(zero, 1, m)))


poch = special(
    "poch",
    "The rising factorial: gamma(z + m) / gamma(z)",
    z=_poch_z,
    m=lambda g, z, m, out: g * out * digamma(z + m),
    note="Where z and z + m are both 0, -1, -2, ... the derivatives are nan.",
)


def _at_zeros(n: Any, k: Any) -> tuple[Any, Any, Any, Any]:
    """binom(n, k) where it is 0, at an integer y > 0 that is k - n or -k: beta(n + 1, y) * sin(pi y) / pi, DLMF 5.5.3.

    Its derivatives in n and in y, and those of y in n and in k.
    """
    below = k < 0
    y = where(below, -k, k - n)
    sine, cosine = sin_cos_pi(y)
    size = beta(n + 1, y)
    by_n = -size * digamma_rise(n + 1, y) * sine / math.pi
    by_y = size * (cosine - digamma_rise(y, n + 1) * sine / math.pi)
    return by_n, by_y, where(below, 0.0, -1.0), where(below, -1.0, 1.0)


def _binom_n(g: Any, n: Any, k: Any, out: Any) -> Any:
    zero = out == 0
    by_n, by_y, y_by_n, _ = _at_zeros(where(zero, n, 0), where(zero, k, 1))
    rise = digamma_rise(where(zero, 1, n - k + 1), where(zero, 1, k))
    return g * where(zero, by_n + by_y * y_by_n, out * rise)


def _binom_k(g: Any, n: Any, k: Any, out: Any) -> Any:
    zero = out == 0
    _, by_y, _, y_by_k = _at_zeros(where(zero, n, 0), where(zero, k, 1))
    rise = digamma_rise(where(zero, 1, k + 1), where(zero, 1, n - 2 * k))
    return g * where(zero, by_y * y_by_k, out * rise)


binom = special(
    "binom",
    "The binomial coefficient of real numbers: gamma(n + 1) / (gamma(k + 1) * gamma(n - k + 1))",
    n=_binom_n,
    k=_binom_k,
    note="Where n is -1, -2, ... the derivatives are nan.",
)


# Incomplete beta functions ------------------------------------------------------------------------------------------------


def log_beta(a: Any, b: Any) -> Any:
    """betaln(a, b), where one is 9 or larger without the logarithms of gamma functions that nearly cancel; DLMF 5.11.1."""
    large, small = maximum(a, b), minimum(a, b)
    far = large >= 9
    x, y = where(far, large, 9), where(far, small, 1)
    difference = y - (x - 0.5) * log1p(y / x) - y * log(x + y) + stirling_error(x) - stirling_error(x + y)
    return where(far, gammaln(y) + difference, betaln(where(far, 1, a), where(far, 1, b)))


def beta_density(a: Any, b: Any, x: Any, y: Any) -> Any:
    """x ** (a - 1) * y ** (b - 1) / beta(a, b) with y = 1 - x, the density of the incomplete beta functions.

    For large a and b by the saddle point: logarithms would cancel.
    Source: C. Loader, "Fast and accurate computation of binomial probabilities", 2000.
    """
    large = (a > 10) & (b > 10)
    successes, failures = where(large, a - 1, 9), where(large, b - 1, 9)
    trials = successes + failures
    correction = stirling_error(trials) - stirling_error(successes) - stirling_error(failures)
    distance = deviance(successes, trials * x) + deviance(failures, trials * y)
    saddle = (trials + 1) * exp(correction - distance) / sqrt(2 * math.pi * successes * failures / trials)
    a, b = where(large, 1, a), where(large, 1, b)
    scale = log_beta(a, b)
    inside = (x > 0) & (y > 0)
    low = x < 0.5  # where y is the rounded one
    log_y = where(low, log1p(-where(low, x, 0)), log(where(inside, y, 1)))
    odds = (a - 1) * log(where(inside, x, 1)) + (b - 1) * log_y - scale
    ends = pow(where(inside, 1, x), a - 1) * pow(where(inside, 1, y), b - 1) * exp(-scale)
    return where(large, saddle, where(inside, exp(odds), ends))


def _density(a: Any, b: Any, x: Any) -> Any:
    return beta_density(a, b, x, 1 - x)


def _incomplete(name: str, formula: str, variable: str, rule: Any) -> Any:
    rules: dict[str, Any] = {"a": no_rule(name, "a"), "b": no_rule(name, "b"), variable: rule}
    return special(name, formula, note="The derivatives in a and b have no closed form.", **rules)


betainc = _incomplete(
    "betainc",
    "The regularized incomplete beta function: the integral of t ** (a - 1) * (1 - t) ** (b - 1) from 0 to x, over beta(a, b)",
    "x",
    lambda g, a, b, x: g * _density(a, b, x),
)
betaincc = _incomplete("betaincc", "1 - betainc(a, b, x)", "x", lambda g, a, b, x: -g * _density(a, b, x))
betaincinv = _incomplete(
    "betaincinv", "The inverse of betainc(a, b, x) in x", "y", lambda g, a, b, out: g / _density(a, b, out)
)
betainccinv = _incomplete(
    "betainccinv", "The inverse of betaincc(a, b, x) in x", "y", lambda g, a, b, out: -g / _density(a, b, out)
)
