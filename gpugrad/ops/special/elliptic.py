"""Elliptic integrals, as functions of the parameter m (the square of the modulus).

The textbook derivative of K, (E - (1 - m) K) / (2 m (1 - m)), is 0 / 0 at m = 0, so near it the power series is differentiated. All is
written in p = 1 - m, of which nothing is lost near m = 1. Derivatives of the incomplete integrals with respect to m are Carlson's R_D.
"""

from __future__ import annotations

import math
from typing import Any

from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.arrays.special import evaluate
from gpugrad.families import primitive
from gpugrad.ops.elementwise import abs, cos, imag, real, round, sin, sqrt, where
from gpugrad.ops.special.family import special
from gpugrad.ops.special.removable import polynomial

# Complete ------------------------------------------------------------------------------------------------------------

_CENTRAL = [(math.comb(2 * k, k) / 4**k) ** 2 * math.pi / 2 for k in range(32)]  # K is the sum of these times m ** k
_K_SERIES = [k * c for k, c in enumerate(_CENTRAL)][1:]
_E_SERIES = [k * c / (1 - 2 * k) for k, c in enumerate(_CENTRAL)][1:]


def _k_slope(p: Any) -> Any:
    """The derivative of K with respect to m."""
    near, m, p = _near(p)
    pole = p == 0
    inside = where(pole, 1, p)  # p K(p) is 0 at p = 0
    quotient = (_ellipem1(p) - p * ellipkm1(inside)) / (2 * p * (1 - p))
    return where(near, polynomial(_K_SERIES, m), quotient)


def _e_slope(p: Any) -> Any:
    """The derivative of E with respect to m."""
    near, m, p = _near(p)
    return where(near, polynomial(_E_SERIES, m), (_ellipem1(p) - ellipkm1(p)) / (2 * (1 - p)))


def _near(p: Any) -> tuple[Any, Any, Any]:
    """Where m = 1 - p is near 0; m there, and p elsewhere."""
    m = 1 - p
    near = abs(m) < 0.25
    return near, where(near, m, 0), where(near, 0.5, p)


@primitive(elementwise=True, p=lambda g, p: -g * _e_slope(p))
def _ellipem1(p: Any, /) -> Any:
    """E(1 - p)."""
    return evaluate("ellipe", 1 - p)


ellipk = special(
    "ellipk",
    "The complete elliptic integral of the first kind, K(m)",
    note="At m = 1 the derivative is inf.",
    m=lambda g, m: g * _k_slope(1 - m),
)
ellipkm1 = special(
    "ellipkm1",
    "The complete elliptic integral of the first kind near m = 1, K(1 - p)",
    p=lambda g, p: -g * _k_slope(p),
)
ellipe = special(
    "ellipe",
    "The complete elliptic integral of the second kind, E(m)",
    note="At m = 1 the derivative is -inf.",
    m=lambda g, m: g * _e_slope(1 - m),
)

# Incomplete ----------------------------------------------------------------------------------------------------------

_STEPS = 12  # each takes a quarter of the distance of the arguments, once they are of one magnitude


def _rd(root_x: Any, root_y: Any, root_z: Any) -> Any:
    """Carlson's R_D(x, y, z) of three square roots, by duplication: of roots, for it is not smooth in x at x = 0.

    Source: B. C. Carlson, Numerical computation of real or complex elliptic integrals, 1995; https://dlmf.nist.gov/19.36
    """
    x, y, z = root_x * root_x, root_y * root_y, root_z * root_z
    total, weight = 0.0, 1.0
    for step in range(_STEPS):
        if step:
            root_x, root_y, root_z = sqrt(x), sqrt(y), sqrt(z)
        shift = root_x * (root_y + root_z) + root_y * root_z
        total = total + weight / (root_z * (z + shift))
        x, y, z = (x + shift) * 0.25, (y + shift) * 0.25, (z + shift) * 0.25
        weight /= 4
    mean = (x + y + z * 3) * 0.2
    dx, dy = 1 - x / mean, 1 - y / mean
    dz = (dx + dy) * (-1 / 3)
    xy, zz = dx * dy, dz * dz
    e2, e3 = xy - zz * 6, (xy * 3 - zz * 8) * dz
    e4, e5 = (xy - zz) * zz * 3, xy * zz * dz
    series = 1 - e2 * (3 / 14) + e3 / 6 + e2 * e2 * (9 / 88) - e4 * (3 / 22) - e2 * e3 * (9 / 52) + e5 * (3 / 26)
    return total * 3 + series * weight / (mean * sqrt(mean))


def _turns(phi: Any) -> tuple[Any, Any]:
    """How many half turns phi is nearest to, and what is left of it."""
    turns = round(phi / math.pi)
    return turns, phi - turns * math.pi


def _ellipkinc_m(g: Any, phi: Any, m: Any) -> Any:
    turns, phi = _turns(phi)
    s = sin(phi)
    rest = s * s * s * _rd(cos(phi), 1.0 + 0.0 * phi, sqrt(1 - m * s * s)) / 6
    return g * (rest + _of_turns(turns, m, _k_slope))


def _ellipeinc_m(g: Any, phi: Any, m: Any) -> Any:
    turns, phi = _turns(phi)
    s = sin(phi)
    rest = s * s * s * _rd(cos(phi), sqrt(1 - m * s * s), 1.0 + 0.0 * phi) / -6
    return g * (rest + _of_turns(turns, m, _e_slope))


def _of_turns(turns: Any, m: Any, slope: Any) -> Any:
    """What whole half turns add: twice the complete integral each; without any, m may be 1 and more."""
    none = turns == 0
    return where(none, 0, turns * 2 * slope(where(none, 1.0, 1 - m)))


ellipkinc = special(
    "ellipkinc",
    "The incomplete elliptic integral of the first kind, F(phi | m), of 1 / sqrt(1 - m sin(t) ** 2) from 0 to phi",
    phi=lambda g, phi, m: g / sqrt(1 - m * sin(phi) * sin(phi)),
    m=_ellipkinc_m,
)
ellipeinc = special(
    "ellipeinc",
    "The incomplete elliptic integral of the second kind, E(phi | m), of sqrt(1 - m sin(t) ** 2) from 0 to phi",
    phi=lambda g, phi, m: g * sqrt(1 - m * sin(phi) * sin(phi)),
    m=_ellipeinc_m,
)

# Carlson's symmetric integrals -----------------------------------------------------------------------------------------

elliprf = special(
    "elliprf",
    "Carlson's symmetric elliptic integral R_F(x, y, z)",
    complex=True,
    x=lambda g, x, y, z: g * _rd(sqrt(y), sqrt(z), sqrt(x)) / -6,
    y=lambda g, x, y, z: g * _rd(sqrt(z), sqrt(x), sqrt(y)) / -6,
    z=lambda g, x, y, z: g * _rd(sqrt(x), sqrt(y), sqrt(z)) / -6,
)


def _split(y: Any) -> tuple[Any, Any]:
    """Where the result is a principal value, and y elsewhere."""
    negative = (real(y) < 0) & (imag(y) == 0) if numpy_dtype(y.dtype).kind == "c" else y < 0
    return negative, where(negative, 1, y)


# For a principal value, where x - y is positive, by way of R_C itself: DLMF 19.20.6, differentiated.
def _elliprc_x(g: Any, x: Any, y: Any, out: Any) -> Any:
    negative, outside = _split(y)
    root = sqrt(outside)
    plainly = _rd(root, root, sqrt(x)) / -6
    return g * where(negative, (1 / sqrt(x) - out) / (2 * (x - where(negative, y, -1))), plainly)


def _elliprc_y(g: Any, x: Any, y: Any, out: Any) -> Any:
    negative, outside = _split(y)
    root, inside = sqrt(outside), where(negative, y, -1)
    return g * where(negative, (out - sqrt(x) / inside) / (2 * (x - inside)), _rd(sqrt(x), root, root) / -3)


elliprc = special(
    "elliprc",
    "Carlson's degenerate elliptic integral R_C(x, y) = R_F(x, y, y), for negative y its principal value",
    complex=True,
    x=_elliprc_x,
    y=_elliprc_y,
)
