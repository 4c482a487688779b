"""Records of gpugrad/ops/special/elliptic.py."""

from __future__ import annotations

import gpugrad.special  # noqa: F401  # registers the ops
from gpugrad.check.records.case import Case, call, given, positive, real, unit
from gpugrad.check.scipy_reference import reference

PARAMETERS = [-30.0, -1.0, -0.3, -0.2, 0.0, 1e-9, 0.24, 0.26, 0.9]

CASES = [
    Case("ellipk", [call(unit(2, 3)), call(unit()), call(given(PARAMETERS))], reference("ellipk"), order=3),
    Case("ellipe", [call(unit(2, 3)), call(unit()), call(given(PARAMETERS))], reference("ellipe"), order=3),
    Case("ellipkm1", [call(given([1.0 - m for m in PARAMETERS])), call(positive())], reference("ellipkm1"), order=3),
    Case("ellipem1", [call(given([1.0 - m for m in PARAMETERS])), call(positive())], lambda p: reference("ellipe")(1 - p)),
    *(
        Case(
            name,
            [
                call(real(2, 3), unit(3)),
                call(given([-9.0, -1.2, 0.0, 4.0]), given([[0.0], [-3.0], [0.8]])),
                call(0.5, unit(3)),
                call(real(3), 1.0 if name == "ellipeinc" else 0.0),
            ],
            reference(name),
        )
        for name in ("ellipkinc", "ellipeinc")
    ),
    Case(
        "elliprf",
        [call(positive(2, 3), positive(3), positive(2, 1)), call(given([1.0, 2.0]), 1.0, 1.0)],
        reference("elliprf"),
        complex=True,
    ),
    Case("elliprc", [call(positive(2, 3), positive(3)), call(given([1.0, 2.0]), 1.0)], reference("elliprc"), complex=True),
]
