"""The zeta function of Hurwitz, and its derivatives by Euler-Maclaurin summation."""

from __future__ import annotations

import math
from typing import Any

from gpugrad.ops.elementwise import log, pow
from gpugrad.ops.special.family import special

_TERMS = 9
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798)
"""The Bernoulli numbers B2, B4, ..., B18."""


def zeta_slope(x: Any, q: Any) -> Any:
    """The derivative in x of the sum over k of (q + k) ** -x, DLMF 25.11.5, which continues it to x > -16, too.

    The first terms are summed; for the others stand their integral and corrections, c * (x)_m * w ** (-x - m) with w = q + 9,
    where (x)_m is x (x + 1) ... (x + m - 1).
    """
    total = 0.0
    for k in range(_TERMS):
        total = total - log(q + k) * pow(q + k, -x)
    w = q + _TERMS
    log_w, power = log(w), pow(w, -x)
    total = total - power * (log_w * (w / (x - 1) + 0.5) + w / (x - 1) / (x - 1))
    rising, d_rising = power / w * x, power / w  # (x)_m and its derivative, each times w ** (-x - m): alone they may overflow
    for j, number in enumerate(_BERNOULLI, start=1):
        total = total + number / math.factorial(2 * j) * (d_rising - log_w * rising)
        for m in (2 * j - 1, 2 * j):
            step = (x + m) / w
            rising, d_rising = rising * step, d_rising * step + rising / w
    return total


hurwitz = special(
    "zeta",
    "The sum over k = 0, 1, ... of (q + k) ** -x",
    x=lambda g, x, q: g * zeta_slope(x, q),
    q=lambda g, x, q: -g * x * hurwitz(x + 1, q),
)
