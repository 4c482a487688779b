"""Records of gpugrad/ops/einsum.py."""

from __future__ import annotations

import numpy

from gpugrad.check.records.case import Case, call, real

CASES = [
    Case(
        "einsum",
        [
            call("ij,jk->ik", real(2, 3), real(3, 4)),
            call("bij,bjk->bik", real(2, 2, 3), real(2, 3, 2)),
            call("i,j->ij", real(2), real(3)),
            call("i,i", real(3), real(3)),
            call("ij->ji", real(2, 3)),
            call("ij->j", real(2, 3)),
            call("ii->i", real(3, 3)),
            call("ii", real(3, 3)),
            call("iij->ji", real(2, 2, 3)),
            call("iii->i", real(2, 2, 2)),
            call("ij,ij->ij", real(2, 3), real(2, 3)),
            call("ba", real(2, 3)),
            call("...ij,jk->...ik", real(2, 2, 3), real(3, 2)),
            call("...i,...i->...", real(2, 3), real(1, 3)),
            call("i...->...", real(2, 3)),
            call("ij,jk,kl->il", real(2, 3), real(3, 2), real(2, 2)),
            call("bh,nh,bn->b", real(2, 3), real(4, 3), real(2, 4)),
            call("ij,j,i->", real(2, 3), real(3), real(2)),
            call(",i->i", real(), real(3)),
            call("ij,jk->ik", real(1, 3), real(3, 0)),
            call("ij,jk->ik", real(2, 1), real(3, 2)),
            call("i,ij,ij,j->j", real(2), real(2, 3), real(2, 3), real(3)),
            call("->", real()),
            call(" i j , j -> i ", real(2, 3), real(3)),
        ],
        numpy.einsum,
        complex=True,
    ),
]
