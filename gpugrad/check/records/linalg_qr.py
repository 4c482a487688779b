"""Records of gpugrad/ops/linalg/qr.py, with the diagonal of R made positive: its signs are the library's choice."""

from __future__ import annotations

from typing import Any, Literal

import numpy

import gpugrad as gg
from gpugrad.check.records.case import Case, call, real
from gpugrad.ops.linalg.products import diagonal
from gpugrad.ops.linalg.qr import qr

CALLS = [call(real(3, 3)), call(real(4, 2)), call(real(2, 3)), call(real(2, 3, 2)), call(real(2, 0)), call(real(0, 2, 2))]


def _positive(x: Any, mode: Literal["reduced", "complete"]) -> Any:
    q, r = qr(x, mode=mode)
    k = min(x.shape[-2:])
    signs = gg.sign(gg.real(diagonal(r)))
    return q[..., :k] * gg.expand_dims(signs, -2), r[..., :k, :] * gg.expand_dims(signs, -1)


def _positive_by_numpy(x: Any) -> Any:
    q, r = numpy.linalg.qr(x)
    signs = numpy.sign(numpy.real(numpy.diagonal(r, axis1=-2, axis2=-1)))
    return q * signs[..., None, :], r * signs[..., None]


CASES = [
    Case("qr", CALLS, _positive_by_numpy, complex=True, function=lambda x: _positive(x, "reduced")),
    Case("qr", CALLS[:3], _positive_by_numpy, complex=True, function=lambda x: _positive(x, "complete"), label="complete"),
]
