"""Records of gpugrad/ops/special/hypergeometric.py."""

from __future__ import annotations

import gpugrad.special  # noqa: F401  # registers the ops
from gpugrad.check.records.case import Case, call, positive, real, unit
from gpugrad.check.scipy_reference import reference

CASES = [
    Case("hyp0f1", [call(1.5, real(2, 3)), call(2, real())], reference("hyp0f1"), complex=True),
    Case("hyp1f1", [call(0.5, 1.5, real(2, 3)), call(2, 3, real())], reference("hyp1f1"), complex=True),
    Case("hyp2f1", [call(0.5, 1.0, 1.5, unit(2, 3)), call(2, 1, 3, unit())], reference("hyp2f1"), complex=True),
    Case("hyperu", [call(0.5, 1.5, positive(2, 3)), call(2, 1, positive())], reference("hyperu"), rtol=1e-9),
    Case("wright_bessel", [call(0.5, 1.5, positive(2, 3)), call(1, 2, positive())], reference("wright_bessel")),
    Case("log_wright_bessel", [call(0.5, 1.5, positive(2, 3)), call(1, 2, positive())], reference("log_wright_bessel")),
]
