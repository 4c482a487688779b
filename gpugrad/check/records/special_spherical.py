"""Records of gpugrad/ops/special/spherical.py."""

from __future__ import annotations

from gpugrad import special
from gpugrad.check.records.case import Case, call, given, positive
from gpugrad.check.scipy_reference import reference

DEGREES = given([[0], [1], [3]])

CASES = [
    *(
        Case(
            name,
            [call(DEGREES, positive(3)), call(2, positive()), call(DEGREES, positive(3), True)],
            reference(name),
            complex=True,
            function=getattr(special, name),
        )
        for name in ("spherical_jn", "spherical_yn", "spherical_in", "spherical_kn")
    ),
    Case(
        "spherical_jn",
        [call(DEGREES, given([0.0, 1e-9]))],
        reference("spherical_jn"),
        label="at 0",
        function=special.spherical_jn,
    ),
]
