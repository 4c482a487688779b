"""Records of gpugrad/ops/special/entropy.py."""

from __future__ import annotations

import gpugrad.special  # noqa: F401  # registers the ops
from gpugrad.check.records.case import Case, call, given, integers, positive, real, unit
from gpugrad.check.scipy_reference import reference

CASES = [
    Case("entr", [call(positive(2, 3)), call(positive()), call(positive(0, 3))], reference("entr")),
    *(
        Case(
            name,
            [
                call(positive(2, 3), positive(3)),
                call(positive(), positive(2, 1)),
                call(positive(3), 2.0),
                call(1, positive(3)),
                call(given([1.0, 1.0 + 1e-9]), given([1.0, 1.0])),
            ],
            function,
        )
        for name, function in {"rel_entr": reference("rel_entr"), "kl_div": reference("kl_div")}.items()
    ),
    Case(
        "xlogy",
        [
            call(real(2, 3), positive(3)),
            call(real(3), 2.0),
            call(1.5, positive(3)),
            call(0.0, positive(2)),
            call(integers(3), positive(3)),
        ],
        reference("xlogy"),
        complex=True,
    ),
    Case(
        "xlog1py",
        [
            call(real(2, 3), unit(3)),
            call(real(3), 0.5),
            call(2, unit(3)),
            call(0.0, unit(2)),
            call(real(2), given([1e-9, 0.0])),
        ],
        reference("xlog1py"),
        complex=True,
    ),
]
