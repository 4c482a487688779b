"""Records of gpugrad/ops/linalg/products.py."""

from __future__ import annotations

import numpy

from gpugrad.check.records.case import Case, booleans, call, integers, real

CASES = [
    Case(
        "cross",
        [
            call(real(3), real(3)),
            call(real(2, 3), real(3)),
            call(real(3, 1), real(2, 3, 4), axis=-2),
            call(real(0, 3), real(3)),
            call(integers(2, 3), integers(2, 3)),
        ],
        lambda x, y, axis=-1: numpy.cross(x, y, axis=axis),
        complex=True,
    ),
    Case(
        "outer",
        [call(real(2), real(3)), call(real(0), real(3)), call(integers(2), integers(3))],
        numpy.linalg.outer,
        complex=True,
    ),
    Case(
        "diagonal",
        [
            call(real(3, 3)),
            call(real(2, 3, 4), offset=2),
            call(real(2, 4, 3), offset=-3),
            call(real(3, 2), offset=1),
            call(real(2, 3), offset=5),
            call(real(2, 3), offset=-2),
            call(real(0, 2, 2)),
            call(real(0, 3), offset=-1),
            call(booleans(2, 2)),
        ],
        numpy.linalg.diagonal,
        complex=True,
    ),
    Case(
        "trace",
        [
            call(real(3, 3)),
            call(real(2, 3, 4), offset=1),
            call(real(2, 3), offset=-7),
            call(real(0, 0)),
            call(integers(2, 2, dtype="int8")),
            call(integers(2, 3, 3), offset=-1),
        ],
        numpy.linalg.trace,
        complex=True,
    ),
]
