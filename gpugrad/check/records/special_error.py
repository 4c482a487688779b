"""Records of gpugrad/ops/special/error.py."""

from __future__ import annotations

import scipy.special

import gpugrad.special  # noqa: F401  # registers the ops
from gpugrad.check.records.case import Case, call, given, positive, real, unit

CASES = [
    Case(
        "erf",
        [call(real(2, 3)), call(real()), call(real(0, 3)), call(given([-9.0, -3.0, -1e-3, 0.0, 0.5, 3.0, 9.0]))],
        scipy.special.erf,
        order=3,
        complex=True,
    ),
    Case("erfc", [call(real(2, 3)), call(given([-9.0, 0.0, 3.0]))], scipy.special.erfc, order=3, complex=True),
    Case(
        "erfcx", [call(real(2, 3)), call(given([-1.5, 0.0, 3.0, 7.9, 8.1, 90.0]))], scipy.special.erfcx, order=3, complex=True
    ),
    Case("erfi", [call(real(2, 3))], scipy.special.erfi, complex=True),
    Case("dawsn", [call(real(2, 3)), call(given([-40.0, -8.1, 0.0, 7.9]))], scipy.special.dawsn, order=3, complex=True),
    Case("wofz", [call(real(2, 3)), call(given([-3.0, 0.0, 9.0]))], lambda x: scipy.special.wofz(x + 0j), complex=True),
    Case("erfinv", [call(unit(2, 3)), call(unit())], scipy.special.erfinv, order=3),
    Case("erfcinv", [call(given([0.2, 1.0, 1.8]))], scipy.special.erfcinv, order=3),
    Case("ndtr", [call(real(2, 3)), call(given([-9.0, 0.0, 9.0]))], scipy.special.ndtr, order=3, complex=True),
    Case("log_ndtr", [call(real(2, 3)), call(given([-90.0, -9.0, 0.0, 5.0, 50.0]))], scipy.special.log_ndtr, complex=True),
    Case("ndtri", [call(given([0.1, 0.5, 0.95]))], scipy.special.ndtri, order=3),
    Case("ndtri_exp", [call(given([-50.0, -3.0, -0.5, -0.1]))], scipy.special.ndtri_exp),
    Case(
        "owens_t",
        [call(real(2, 3), real(3)), call(positive(2), 0.5), call(1.5, unit(2)), call(real(), 2)],
        scipy.special.owens_t,
    ),
]
