"""Records of gpugrad/ops/special.py."""

from __future__ import annotations

import scipy.special

from gpugrad.check.records.case import Case, call, given, real

CASES = [
    Case(
        "erf",
        [call(real(2, 3)), call(real()), call(real(0, 3)), call(given([-9.0, -3.0, -1e-3, 0.0, 0.5, 3.0, 9.0]))],
        scipy.special.erf,
        order=3,
    ),
]
