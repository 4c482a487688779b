"""The zeta functions of Riemann and of Hurwitz."""

from __future__ import annotations

import math
from typing import Any

from gpugrad.families import A, composite
from gpugrad.ops.elementwise import cos, floor, pow, sin, where
from gpugrad.ops.special.family import special
from gpugrad.ops.special.gamma import digamma, gamma
from gpugrad.ops.special.hurwitz import hurwitz, zeta_slope


def _riemann_slope(x: Any) -> Any:
    """For x >= -1 by summation, else by the functional equation, DLMF 25.4.1, in terms of y = 1 - x."""
    left = x < -1
    y = where(left, 1 - x, 2)
    angle = math.pi / 2 * (y - 4 * floor(y / 4))
    # 2 (2 pi) ** -y gamma(y) by duplication, DLMF 5.5.5, for gamma(y) overflows long before the product.
    root = pow(math.pi, -0.5 * y)
    scale = (root * gamma(0.5 * y)) * (root * gamma(0.5 * y + 0.5)) / math.sqrt(math.pi)
    here = 1 + zetac(y)
    slope = (math.log(2 * math.pi) - digamma(y)) * here - zeta_slope(y, 1.0)
    reflected = scale * (cos(angle) * slope + math.pi / 2 * sin(angle) * here)
    return where(left, reflected, zeta_slope(where(left, 2, x), 1.0))


zetac = special(
    "zetac",
    "The zeta function of Riemann minus 1",
    x=lambda g, x: g * _riemann_slope(x),
    note="At the pole x = 1 the derivative is -inf.",
)


@composite
def zeta(x: A, q: Any = None) -> A:
    """The zeta function of Hurwitz, elementwise: the sum over k = 0, 1, ... of (q + k) ** -x; without q that of Riemann, where q is 1.

    Shapes: the operands broadcast. Dtypes: real floating; integers are taken as float64, as SciPy does.
    Differentiable in both. The derivative in x is that of real x: nan where q < 0, though the function has values at integers.
    With q, x >= 1, else the result is nan; without, x is any real number.

    Raises DTypeError for a dtype that it does not take, ShapeError if the shapes do not broadcast, DeviceError if the devices differ.
    Source: https://docs.scipy.org/doc/scipy/reference/generated/scipy.special.zeta.html
    """
    out: A = 1 + zetac(x) if q is None else hurwitz(x, q)
    return out
