"""Records of gpugrad/ops/special/gamma.py."""

from __future__ import annotations

import scipy.special

import gpugrad.special  # noqa: F401  # registers the ops
from gpugrad.check.records.case import Case, call, fractional, given, integers, positive, real
from gpugrad.check.scipy_reference import reference

_QUANTILES = given([0.1, 0.5, 0.9])

CASES = [
    Case(
        "gamma", [call(positive(2, 3)), call(fractional(2, 3)), call(fractional())], scipy.special.gamma, order=3, complex=True
    ),
    Case("gammaln", [call(positive(2, 3)), call(fractional(2, 3))], scipy.special.gammaln, order=3),
    Case("loggamma", [call(positive(2, 3))], scipy.special.loggamma, order=3, complex=True),
    Case("rgamma", [call(real(2, 3)), call(given([-3.0, -1.0, 0.0, 1.0, 9.5]))], scipy.special.rgamma, order=3, complex=True),
    Case(
        "digamma",
        [call(positive(2, 3)), call(fractional(2, 3)), call(given([40.0, -9.7]))],
        scipy.special.digamma,
        order=3,
        complex=True,
    ),
    Case("gammasgn", [call(fractional(2, 3))], scipy.special.gammasgn, order=0),
    Case(
        "polygamma",
        [
            call(0, positive(3)),
            call(1, fractional(2, 3)),
            call(3, positive()),
            call(integers(2, 1, low=0, high=4), positive(3)),
        ],
        reference("polygamma"),
    ),
    Case("multigammaln", [call(given([1.5, 2.5, 9.0]), 1), call(given([[1.5, 2.5, 9.0]]), 3)], reference("multigammaln")),
    Case(
        "gammainc",
        [call(2.5, positive(2, 3)), call(integers(2, 1, low=1, high=5), positive(3)), call(30.0, given([20.0, 30.0, 45.0]))],
        reference("gammainc"),
    ),
    Case("gammaincc", [call(2.5, positive(2, 3)), call(30.0, given([20.0, 30.0, 45.0]))], reference("gammaincc")),
    Case("gammaincinv", [call(2.5, _QUANTILES), call(30.0, _QUANTILES)], reference("gammaincinv")),
    Case("gammainccinv", [call(2.5, _QUANTILES), call(30.0, _QUANTILES)], reference("gammainccinv")),
]
