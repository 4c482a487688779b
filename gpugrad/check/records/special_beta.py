"""Records of gpugrad/ops/special/beta.py."""

from __future__ import annotations

import gpugrad.special  # noqa: F401  # registers the ops
from gpugrad.check.records.case import Case, call, given, integers, positive
from gpugrad.check.scipy_reference import reference

_QUANTILES = given([0.1, 0.5, 0.9])

CASES = [
    Case("beta", [call(positive(2, 3), positive(3)), call(given([-0.5, 12.0]), 2.5)], reference("beta")),
    Case("betaln", [call(positive(2, 3), positive(3)), call(given([0.5, 40.0]), 2.5)], reference("betaln")),
    Case("poch", [call(positive(2, 3), positive(3)), call(given([-2.0, -0.5, 0.0, 3.0]), 2.5)], reference("poch")),
    Case(
        "binom",
        [
            call(given([[4.0], [6.5]]), positive(3)),
            call(given([0.0, 1.0, 5.0]), 3.0),
            call(5.0, given([0.0, 2.0, 6.0])),
            call(given([4.5, 7.0]), integers(2, low=0, high=4)),
        ],
        reference("binom"),
    ),
    Case(
        "betainc",
        [
            call(2.5, 1.5, given([0.1, 0.5, 0.9])),
            call(integers(2, 1, low=1, high=5), 2.0, _QUANTILES),
            call(30.0, 20.0, given([0.4, 0.6])),
        ],
        reference("betainc"),
    ),
    Case("betaincc", [call(2.5, 1.5, _QUANTILES), call(30.0, 20.0, given([0.4, 0.6]))], reference("betaincc")),
    Case("betaincinv", [call(2.5, 1.5, _QUANTILES)], reference("betaincinv")),
    Case("betainccinv", [call(2.5, 1.5, _QUANTILES)], reference("betainccinv")),
]
