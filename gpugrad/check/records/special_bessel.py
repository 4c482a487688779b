"""Records of gpugrad/ops/special/bessel.py."""

from __future__ import annotations

import gpugrad.special  # noqa: F401  # registers the ops
from gpugrad.check.records.case import Case, Draw, call, given, positive, real
from gpugrad.check.scipy_reference import reference

NEAR_ZERO = given([-2.01, -2.0, -1e-3, 0.0, 1e-9, 1.99, 30.0])
FAR = given([0.5, 5.0, 39.9, 40.1, 300.0])
ORDERS = given([[0], [1], [3]])


def _order_0_or_1(name: str, *points: Draw) -> Case:
    return Case(name, [call(positive(2, 3)), call(positive()), *map(call, points)], reference(name), order=3)


def _any_order(name: str) -> Case:
    calls = [call(1.5, positive(2, 3)), call(0, positive()), call(ORDERS, positive(3))]
    return Case(name, calls, reference(name), complex=True)


CASES = [
    *(_order_0_or_1(name, NEAR_ZERO) for name in ("j0", "j1", "i0", "i1")),
    *(_order_0_or_1(name, FAR, given([-300.0, -1.0])) for name in ("i0e", "i1e")),
    *(_order_0_or_1(name, FAR) for name in ("y0", "y1", "k0", "k1", "k0e", "k1e")),
    *map(_any_order, ("jv", "jve", "yv", "yve", "iv", "ive", "kv", "kve", "hankel1", "hankel1e", "hankel2", "hankel2e")),
    Case("jv", [call(ORDERS, real(3)), call(2, given([0.0, 1e-9]))], reference("jv"), label="through 0"),
    Case("iv", [call(ORDERS, real(3)), call(2, given([0.0, 1e-9]))], reference("iv"), label="through 0"),
    *(
        Case(name, [call(order, given([5.0, 42.0, 70.0])) for order in (0, 0.5, 3)], reference(name), label="far out")
        for name in ("ive", "kve")
    ),
    *(Case(name, [call(ORDERS, positive(3)), call(2, positive())], reference(name)) for name in ("yn", "kn")),
]
