"""Records of gpugrad/ops/special/elementary.py."""

from __future__ import annotations

import gpugrad.special  # noqa: F401  # registers the ops
from gpugrad.check.records.case import Case, call, given, integers, nonzero, positive, real
from gpugrad.check.scipy_reference import reference

NEAR_ZERO = [-1.0, -0.99, -1e-3, 0.0, 1e-9, 0.5, 1.01]

CASES = [
    Case("exp2", [call(real(2, 3)), call(real()), call(integers(3))], reference("exp2"), order=3),
    Case("exp10", [call(real(2, 3)), call(real())], reference("exp10"), order=3),
    Case("cbrt", [call(nonzero(2, 3)), call(nonzero()), call(nonzero(0, 3))], reference("cbrt")),
    Case("cosm1", [call(real(2, 3)), call(given([0.0, 1e-9]))], reference("cosm1")),
    *(
        Case(name, [call(given([[-100.0, -30.0, 1.0], [45.0, 60.0, 400.0]])), call(given(20.0))], reference(name))
        for name in ("sindg", "cosdg", "tandg", "cotdg")
    ),
    Case("radian", [call(real(2, 3), real(3), real(2, 1)), call(real(2), 30.0, 1.0)], reference("radian")),
    Case("sinc", [call(real(2, 3)), call(real()), call(given(NEAR_ZERO))], reference("sinc"), order=3, complex=True),
    Case("exprel", [call(real(2, 3)), call(real()), call(given([*NEAR_ZERO, -40.0, 9.0]))], reference("exprel"), order=3),
    Case(
        "powm1",
        [call(positive(2, 3), real(3)), call(positive(3), 2.0), call(positive(), real(2)), call(2.0, real(3))],
        reference("powm1"),
    ),
]
