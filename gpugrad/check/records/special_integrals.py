"""Records of gpugrad/ops/special/integrals.py."""

from __future__ import annotations

import gpugrad.special  # noqa: F401  # registers the ops
from gpugrad.check.records.case import Case, call, given, nonzero, positive, real
from gpugrad.check.scipy_reference import reference

CASES = [
    Case("exp1", [call(positive(2, 3)), call(positive())], reference("exp1"), complex=True),
    Case("expi", [call(positive(2, 3)), call(given([-2.0, -0.5]))], reference("expi"), complex=True),
    Case("expn", [call(given([[0], [1], [4]]), positive(3)), call(3, positive()), call(2.0, positive(2))], reference("expn")),
    Case(
        "spence",
        [call(positive(2, 3)), call(given([0.3, 0.51, 1.0 - 1e-9, 1.0, 1.2, 1.49, 1.51, 30.0]))],
        reference("spence"),
        order=3,
        complex=True,
    ),
    Case("sici", [call(positive(2, 3)), call(positive()), call(nonzero(3))], reference("sici"), complex=True),
    Case("shichi", [call(positive(2, 3)), call(positive()), call(nonzero(3))], reference("shichi"), complex=True),
    Case("fresnel", [call(real(2, 3)), call(real()), call(given([0.0, 2.0]))], reference("fresnel"), complex=True),
]
