"""Records of gpugrad/ops/special/airy.py."""

from __future__ import annotations

import gpugrad.special  # noqa: F401  # registers the ops
from gpugrad.check.records.case import Case, call, given, positive, real
from gpugrad.check.scipy_reference import reference

CASES = [
    Case("airy", [call(real(2, 3)), call(real()), call(given([-5.0, 0.0, 3.0]))], reference("airy"), order=3, complex=True),
    Case("struve", [call(1.5, positive(2, 3)), call(given([[0], [2]]), positive(2))], reference("struve")),
    Case("modstruve", [call(1.5, positive(2, 3)), call(given([[0], [2]]), positive(2))], reference("modstruve")),
]
