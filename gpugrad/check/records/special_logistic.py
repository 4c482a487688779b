"""Records of gpugrad/ops/special/logistic.py."""

from __future__ import annotations

import gpugrad.special  # noqa: F401  # registers the ops
from gpugrad.check.records.case import Case, call, given, real
from gpugrad.check.scipy_reference import reference

LARGE = given([-700.0, -40.0, 0.0, 40.0, 700.0])

CASES = [
    Case("expit", [call(real(2, 3)), call(real()), call(LARGE)], reference("expit"), order=3),
    Case("logit", [call(given([[0.1, 0.3, 0.5], [0.7, 0.85, 0.95]])), call(given(0.4))], reference("logit"), order=3),
    Case("log_expit", [call(real(2, 3)), call(real()), call(LARGE)], reference("log_expit"), order=3),
    Case("softplus", [call(real(2, 3)), call(real()), call(LARGE)], reference("softplus"), order=3),
]
