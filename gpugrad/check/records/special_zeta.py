"""Records of gpugrad/ops/special/zeta.py."""

from __future__ import annotations

import scipy.special

import gpugrad.special  # noqa: F401  # registers the ops
from gpugrad.check.records.case import Case, above_one, call, given, positive

_LINE = given([-6.5, -2.0, -0.5, 0.0, 0.5, 1.5, 4.0, 30.0])

CASES = [
    Case(
        "zeta",
        [call(above_one(2, 3), positive(3)), call(_LINE), call(3, positive()), call(above_one(2), 9.5)],
        scipy.special.zeta,
    ),
    Case("zetac", [call(_LINE)], scipy.special.zetac),
]
