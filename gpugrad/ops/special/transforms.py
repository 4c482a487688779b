"""The power transforms of Box and Cox, their inverses, and Huber's functions.

boxcox(x, l) = L exprel(l L) with L = log(x): so its derivative with respect to l, L ** 2 exprel'(l L), has no singularity at l = 0. The
inverse functions take theirs from it.
"""

from __future__ import annotations

from typing import Any

from gpugrad.ops.elementwise import abs, exp, hypot, log, log1p, maximum, minimum, pow, where
from gpugrad.ops.special.entropy import xlog1py
from gpugrad.ops.special.family import special
from gpugrad.ops.special.removable import exprel_slope


def _boxcox_lmbda(logarithm: Any, lmbda: Any) -> Any:
    """The derivative of (x ** lmbda - 1) / lmbda with respect to lmbda, given log(x): 1 / lmbda ** 2 where that is -inf."""
    zero = (logarithm == -float("inf")) & (lmbda > 0)
    finite = where(zero, 0, logarithm)
    return where(zero, 1 / pow(where(zero, lmbda, 1), 2), finite * finite * exprel_slope(finite * lmbda))


def _inverse_lmbda(logarithm: Any, lmbda: Any) -> Any:
    """The derivative of the inverse: that of boxcox over x ** (lmbda - 1), with the sign turned, given the logarithm of the result."""
    one = (logarithm == -float("inf")) & (lmbda == 1)  # where 0 times -inf would be nan
    return -_boxcox_lmbda(logarithm, lmbda) * exp((1 - lmbda) * where(one, 0, logarithm))


boxcox = special(
    "boxcox",
    "(x ** lmbda - 1) / lmbda, log(x) where lmbda = 0",
    x=lambda g, x, lmbda: g * pow(x, lmbda - 1),
    lmbda=lambda g, x, lmbda: g * _boxcox_lmbda(log(x), lmbda),
)
boxcox1p = special(
    "boxcox1p",
    "((1 + x) ** lmbda - 1) / lmbda, log(1 + x) where lmbda = 0",
    x=lambda g, x, lmbda: g * exp(xlog1py(lmbda - 1, x)),
    lmbda=lambda g, x, lmbda: g * _boxcox_lmbda(log1p(x), lmbda),
)
inv_boxcox = special(
    "inv_boxcox",
    "(1 + lmbda y) ** (1 / lmbda), exp(y) where lmbda = 0: the inverse of boxcox in x",
    y=lambda g, lmbda, out: g * pow(out, 1 - lmbda),
    lmbda=lambda g, y, lmbda: g * _inverse_lmbda(log1p(inv_boxcox1p(y, lmbda)), lmbda),
)
inv_boxcox1p = special(
    "inv_boxcox1p",
    "(1 + lmbda y) ** (1 / lmbda) - 1, exp(y) - 1 where lmbda = 0: the inverse of boxcox1p in x",
    y=lambda g, lmbda, out: g * exp(xlog1py(1 - lmbda, out)),
    lmbda=lambda g, lmbda, out: g * _inverse_lmbda(log1p(out), lmbda),
)


def _huber_delta(g: Any, delta: Any, r: Any) -> Any:
    excess = abs(r) - delta
    return where((excess > 0) & (delta >= 0), g * excess, 0)


def _huber_r(g: Any, delta: Any, r: Any) -> Any:
    limit = maximum(delta, 0.0)
    return g * maximum(minimum(r, limit), -limit)


def _pseudo_huber_delta(g: Any, delta: Any, r: Any) -> Any:
    # delta (s - 1) ** 2 / s with s = length / delta, and delta (s - 1) = r ** 2 / (length + delta), without the difference.
    length = hypot(delta, r)
    length = where(length == 0, 1, length)
    rise = r * (r / where(delta < 0, 1, length + delta))
    return where(delta < 0, 0, g * rise * (rise / length))


def _pseudo_huber_r(g: Any, delta: Any, r: Any) -> Any:
    length = hypot(delta, r)
    return where(delta < 0, 0, g * r * (delta / where(length == 0, 1, length)))


huber = special(
    "huber",
    "r ** 2 / 2 where abs(r) <= delta, delta (abs(r) - delta / 2) elsewhere",
    note="Where delta is negative the result is inf and the gradient 0.",
    delta=_huber_delta,
    r=_huber_r,
)
pseudo_huber = special(
    "pseudo_huber",
    "delta ** 2 (sqrt(1 + (r / delta) ** 2) - 1)",
    note="Where delta is negative the result is inf and the gradient 0; at delta = r = 0 it is 0.",
    delta=_pseudo_huber_delta,
    r=_pseudo_huber_r,
)
