"""Entropies and the products x * log(y) that they are made of, 0 where x = 0."""

from __future__ import annotations

from typing import Any

from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.ops.elementwise import log, log1p, where
from gpugrad.ops.special.family import special

_INF = float("inf")
_AT_ZERO = "At x = 0 the derivative with respect to x is {}."


def _entr(g: Any, x: Any) -> Any:
    inside = x > 0
    slope = -1 - log(where(inside, x, 1))
    return g * where(inside, slope, where(x == 0, _INF, float("nan")))


def _log_ratio(x: Any, y: Any, product: Any) -> Any:
    """log(x / y) from product = x log(x / y), which neither cancels nor overflows; -inf where x = 0, nan outside the domain."""
    inside = (x > 0) & (y > 0)
    return where(inside, where(inside, product, 0) / where(inside, x, 1), where((x == 0) & (y >= 0), -_INF, float("nan")))


def _quotient(numerator: Any, x: Any, y: Any, at_origin: float) -> Any:
    """numerator / y; `at_origin` where x and y are 0, nan outside the domain."""
    both = (x == 0) & (y == 0)
    outside = (x < 0) | (y < 0)
    return where(outside, float("nan"), where(both, at_origin, numerator / where(both, 1, y)))


entr = special(
    "entr",
    "-x log(x), 0 at 0 and -inf below",
    note=_AT_ZERO.format("inf") + " Below it is nan.",
    x=_entr,
)
rel_entr = special(
    "rel_entr",
    "x log(x / y), 0 where x = 0 and y >= 0, inf outside of x, y >= 0",
    note=_AT_ZERO.format("-inf") + " Outside of the domain the gradients are nan.",
    x=lambda g, x, y, out: g * (_log_ratio(x, y, out) + 1),
    y=lambda g, x, y: -g * _quotient(x, x, y, 0.0),
)
kl_div = special(
    "kl_div",
    "x log(x / y) - x + y, y where x = 0 and y >= 0, inf outside of x, y >= 0",
    note=_AT_ZERO.format("-inf") + " Outside of the domain the gradients are nan.",
    x=lambda g, x, y: g * _log_ratio(x, y, rel_entr(x, y)),
    y=lambda g, x, y: g * _quotient(y - x, x, y, 1.0),
)


def _outside(x: Any, y: Any, pole: float) -> Any:
    """Where x = 0 and the logarithm has no finite real value; for complex y, at its pole."""
    return (x == 0) & ((y == pole) if numpy_dtype(y.dtype).kind == "c" else (y <= pole))


def _xlogy_x(g: Any, x: Any, y: Any) -> Any:
    outside = _outside(x, y, 0)
    return g * where(outside, 0, log(where(outside, 1, y)))


def _xlogy_y(g: Any, x: Any, y: Any) -> Any:
    outside = _outside(x, y, 0)
    return g * where(outside, 0, x / where(outside, 1, y))


def _xlog1py_x(g: Any, x: Any, y: Any) -> Any:
    outside = _outside(x, y, -1)
    return g * where(outside, 0, log1p(where(outside, 0, y)))


def _xlog1py_y(g: Any, x: Any, y: Any) -> Any:
    outside = _outside(x, y, -1)
    return g * where(outside, 0, x / (where(outside, 0, y) + 1))


xlogy = special(
    "xlogy",
    "x log(y), 0 where x = 0",
    complex=True,
    note="Where x = 0 and y <= 0 the gradients are 0.",
    x=_xlogy_x,
    y=_xlogy_y,
)
xlog1py = special(
    "xlog1py",
    "x log(1 + y), 0 where x = 0, accurate for small y",
    complex=True,
    note="Where x = 0 and y <= -1 the gradients are 0.",
    x=_xlog1py_x,
    y=_xlog1py_y,
)
