"""Records of gpugrad/ops/contraction.py."""

from __future__ import annotations

import numpy

from gpugrad.check.records.case import Case, call, complexes, integers, real

MIXED = "real and complex"
"""Operands: the gradient of the real one is real."""

CASES = [
    Case("matmul", [call(real(2, 3), complexes(3, 4)), call(complexes(2, 2, 3), real(3))], numpy.matmul, label=MIXED),
    Case("tensordot", [call(real(2, 3), complexes(3, 2), axes=1)], numpy.tensordot, label=MIXED),
    Case("vecdot", [call(real(2, 3), complexes(3)), call(complexes(3), real(2, 3))], numpy.vecdot, label=MIXED),
    Case(
        "matmul",
        [
            call(real(2, 3), real(3, 4)),
            call(real(3), real(3)),
            call(real(3), real(3, 2)),
            call(real(2, 3), real(3)),
            call(real(2, 2, 3), real(3, 4)),
            call(real(2, 3), real(4, 3, 2)),
            call(real(2, 1, 2, 3), real(4, 3, 2)),
            call(real(2, 2, 3), real(3)),
            call(real(3), real(2, 3, 2)),
            call(real(0, 3), real(3, 2)),
            call(real(2, 0), real(0, 3)),
            call(real(0, 2, 3), real(3)),
            call(real(2, 2, 0), real(0, 3)),
            call(integers(2, 3), integers(3)),
        ],
        numpy.matmul,
        complex=True,
    ),
    Case(
        "tensordot",
        [
            call(real(2, 3, 4), real(3, 4, 2)),
            call(real(2, 3), real(3, 2), axes=1),
            call(real(2), real(3), axes=0),
            call(real(), real(2), axes=0),
            call(real(2, 3, 4), real(4, 2), axes=((0, 2), (1, 0))),
            call(real(2, 3), real(2, 2), axes=((-2,), (0,))),
            call(real(2, 3), real(2, 3), axes=(1, -1)),
            call(real(2, 0), real(0, 3), axes=1),
            call(real(2, 3), real(2, 3), axes=2),
        ],
        numpy.tensordot,
        complex=True,
    ),
    Case(
        "vecdot",
        [
            call(real(3), real(3)),
            call(real(2, 3), real(3)),
            call(real(3, 2), real(3, 2), axis=-2),
            call(real(2, 1, 3), real(4, 3)),
            call(real(0), real(0)),
            call(real(2, 3), real(1, 3)),
            call(integers(3), integers(3)),
        ],
        numpy.vecdot,
        complex=True,
    ),
]
