"""Records of gpugrad/ops/linalg/svd.py, of functions that do not depend on the phases that singular vectors are free up to."""

from __future__ import annotations

from typing import Any

import numpy

import gpugrad as gg
from gpugrad.check.records.case import Case, call, real
from gpugrad.ops.linalg.svd import svd, svdvals

CALLS = [call(real(3, 3)), call(real(4, 2)), call(real(2, 3)), call(real(2, 3, 2)), call(real(2, 0)), call(real(0, 2, 2))]


def _parts(x: Any, full_matrices: bool) -> Any:
    """The singular values, another matrix of the same vectors, and the squares of the sizes of the vectors' elements."""
    u, s, vh = svd(x, full_matrices=full_matrices)
    k = s.shape[-1]
    u, vh = u[..., :k], vh[..., :k, :]
    again = gg.matmul(u * gg.exp(gg.expand_dims(-s, -2)), vh)
    return s, again, gg.real(u * gg.conj(u)), gg.real(vh * gg.conj(vh))


def _parts_by_numpy(x: Any) -> Any:
    u, s, vh = numpy.linalg.svd(x, full_matrices=False)
    return s, (u * numpy.exp(-s)[..., None, :]) @ vh, numpy.real(u * numpy.conj(u)), numpy.real(vh * numpy.conj(vh))


CASES = [
    Case("svd", CALLS, _parts_by_numpy, complex=True, function=lambda x: _parts(x, False)),
    Case("svd", CALLS[:3], _parts_by_numpy, complex=True, function=lambda x: _parts(x, True), label="full"),
    Case("svdvals", CALLS, lambda x: numpy.linalg.svd(x, compute_uv=False), complex=True, function=svdvals),
]
