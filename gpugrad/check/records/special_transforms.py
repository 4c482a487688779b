"""Records of gpugrad/ops/special/transforms.py."""

from __future__ import annotations

import gpugrad.special  # noqa: F401  # registers the ops
from gpugrad.check.records.case import Case, call, given, nonzero, positive, real, unit
from gpugrad.check.scipy_reference import reference

LAMBDAS = given([0.0, 1e-9, -0.5, 0.3, 1.0, 2.0])

CASES = [
    Case(
        "boxcox",
        [call(positive(2, 3), real(3)), call(positive(2, 1), LAMBDAS), call(positive(3), 0.0), call(0.5, real(2))],
        reference("boxcox"),
    ),
    Case(
        "boxcox1p",
        [call(unit(2, 3), real(3)), call(unit(2, 1), LAMBDAS), call(unit(3), 0.0), call(given([0.0, 1e-9]), 1.0)],
        reference("boxcox1p"),
    ),
    *(
        Case(name, [call(unit(2, 3), unit(3)), call(unit(2, 1), LAMBDAS), call(unit(3), 0), call(0.5, unit(2))], function)
        for name, function in {"inv_boxcox": reference("inv_boxcox"), "inv_boxcox1p": reference("inv_boxcox1p")}.items()
    ),
    Case(
        "huber",
        [
            call(given([[1.0], [0.3]]), given([-2.0, -0.6, 0.0, 0.1, 0.75, 3.0])),
            call(1.5, real(3)),
            call(positive(2), 9),
        ],
        reference("huber"),
    ),
    Case(
        "pseudo_huber",
        [call(positive(2, 3), real(3)), call(1.5, real(3)), call(positive(2), 3), call(positive(2), nonzero(2))],
        reference("pseudo_huber"),
    ),
]
