"""Records of gpugrad/ops/special/lambert.py."""

from __future__ import annotations

import gpugrad.special  # noqa: F401  # registers the ops
from gpugrad.check.records.case import Case, call, given, positive, real
from gpugrad.check.scipy_reference import reference

CASES = [
    Case(
        "lambertw",
        [call(positive(2, 3)), call(positive()), call(positive(3), given([-1, 0, 2])), call(positive(2), 1)],
        reference("lambertw"),
        complex=True,
    ),
    Case("lambertw", [call(given([-0.2, 0.0, 1e-9]))], reference("lambertw"), label="near 0"),
    Case("wrightomega", [call(real(2, 3)), call(real())], reference("wrightomega"), complex=True),
]
