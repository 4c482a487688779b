"""Powers, degrees and other elementary functions."""

from __future__ import annotations

import math
from typing import Any

from gpugrad.ops.elementwise import log, pow, sin, where
from gpugrad.ops.special.family import special
from gpugrad.ops.special.removable import exprel_slope, sin_over_slope

_DEGREE = math.pi / 180

exp2 = special("exp2", "2 ** x", x=lambda g, out: g * out * math.log(2))
exp10 = special("exp10", "10 ** x", x=lambda g, out: g * out * math.log(10))
cbrt = special("cbrt", "Cube root, of negative x too", x=lambda g, out: g / (out * out * 3), note="At 0 the derivative is inf.")
cosm1 = special("cosm1", "cos(x) - 1, accurate near 0", x=lambda g, x: -g * sin(x))
sindg = special("sindg", "Sine, x in degrees", x=lambda g, x: g * cosdg(x) * _DEGREE)
cosdg = special("cosdg", "Cosine, x in degrees", x=lambda g, x: -g * sindg(x) * _DEGREE)
tandg = special("tandg", "Tangent, x in degrees", x=lambda g, out: (g + g * out * out) * _DEGREE)
cotdg = special("cotdg", "Cotangent, x in degrees", x=lambda g, out: -(g + g * out * out) * _DEGREE)
radian = special(
    "radian",
    "The angle of d degrees, m minutes and s seconds, in radians",
    d=lambda g: g * _DEGREE,
    m=lambda g: g * (_DEGREE / 60),
    s=lambda g: g * (_DEGREE / 3600),
)
sinc = special("sinc", "sin(pi x) / (pi x), 1 at 0", complex=True, x=lambda g, x: g * (sin_over_slope(x * math.pi) * math.pi))
exprel = special("exprel", "(exp(x) - 1) / x, 1 at 0", x=lambda g, x: g * exprel_slope(x))


def _powm1_x(g: Any, x: Any, y: Any) -> Any:
    flat = y == 0  # 0 * x ** -1 would be nan at x = 0
    exponent = where(flat, 1, y)
    return where(flat, 0, g * exponent * pow(x, exponent - 1))


def _powm1_y(g: Any, x: Any, y: Any) -> Any:
    zero_base = x == 0
    base = where(zero_base, 1, x)
    return where(zero_base, 0, g * pow(base, y) * log(base))  # not out + 1, of which little is left where the power is small


powm1 = special(
    "powm1",
    "x ** y - 1, accurate where x ** y is nearly 1",
    note="At x = 0 the gradient of y is 0, and so is that of x where y = 0.",
    x=_powm1_x,
    y=_powm1_y,
)
