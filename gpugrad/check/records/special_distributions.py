"""Records of gpugrad/ops/special/distributions.py."""

from __future__ import annotations

from typing import Any

import gpugrad.special  # noqa: F401  # registers the ops
from gpugrad.check.records.case import Case, call, given, integers, positive, real
from gpugrad.check.scipy_reference import reference

_QUANTILES = given([0.1, 0.3, 0.9])
_COUNTS = integers(2, 1, low=0, high=4)


def _case(name: str, *calls: Any) -> Case:
    return Case(name, [call(*arguments) for arguments in calls], reference(name))


CASES = [
    _case("stdtr", (3.5, real(2, 3)), (integers(2, 1, low=1, high=9), real(3)), (60.0, real(3))),
    _case("stdtrit", (3.5, _QUANTILES)),
    _case("chdtr", (3.0, positive(2, 3)), (integers(2, 1, low=1, high=9), positive(3))),
    _case("chdtrc", (3.0, positive(2, 3))),
    _case("chdtri", (3.0, _QUANTILES)),
    _case("fdtr", (3.0, 4.5, positive(2, 3)), (40.0, 30.0, positive(3))),
    _case("fdtrc", (3.0, 4.5, positive(2, 3))),
    _case("fdtri", (3.0, 4.5, _QUANTILES)),
    _case("gdtr", (positive(2, 1), 2.5, positive(3))),
    _case("gdtrc", (positive(2, 1), 2.5, positive(3))),
    _case("gdtrix", (positive(2, 1), 2.5, _QUANTILES)),
    _case("bdtr", (_COUNTS, 5.0, _QUANTILES), (2.7, 5.0, _QUANTILES)),
    _case("bdtrc", (2.0, 5.0, _QUANTILES)),
    _case("bdtri", (2.0, 5.0, _QUANTILES)),
    _case("pdtr", (_COUNTS, positive(3))),
    _case("pdtrc", (2.0, positive(3))),
    _case("pdtri", (2.0, _QUANTILES)),
    _case("nbdtr", (_COUNTS, 5.0, _QUANTILES)),
    _case("nbdtrc", (2.0, 5.0, _QUANTILES)),
    _case("nbdtri", (2.0, 5.0, _QUANTILES)),
]
