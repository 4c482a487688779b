"""Records of gpugrad/ops/linalg/eigen.py and spectral.py.

Eigenvectors are free up to a phase, and eigenvalues of general matrices come in any order: the records call functions that do not
depend on these.
"""

from __future__ import annotations

from typing import Any

import numpy

import gpugrad as gg
from gpugrad.check.records.case import Case, call, given, nonzero, real
from gpugrad.ops.linalg.eigen import eig, eigh, eigvals, eigvalsh
from gpugrad.ops.linalg.matrices import adjoint

# Eigenvalues far apart, those of the first real as well as a conjugate pair.
GENERAL = [
    call(given([[1.0, 2.0, 0.3], [-2.0, 0.5, 0.4], [0.2, -0.3, 3.0]])),
    call(given([[[1.0, 0.7], [0.4, -1.0]], [[0.3, 1.5], [-0.8, 0.2]]])),
    call(real(1, 1)),
    call(real(2, 0, 0)),
    call(real(0, 2, 2)),
]
HERMITIAN = [call(real(3, 3)), call(real(2, 2, 2)), call(real(1, 1)), call(real(2, 0, 0)), call(real(0, 3, 3))]


def _hermitian(x: Any) -> Any:
    return (x + adjoint(x)) * 0.5


def _of_hermitian(x: Any) -> Any:
    """The eigenvalues, the exponential of the matrix, and the squares of the sizes of the vectors' elements."""
    w, v = eigh(_hermitian(x))
    return w, gg.matmul(v * gg.exp(gg.expand_dims(w, -2)), adjoint(v)), gg.real(v * gg.conj(v))


def _of_hermitian_by_numpy(x: Any) -> Any:
    w, v = numpy.linalg.eigh((x + numpy.conj(x.mT)) / 2)
    return w, (v * numpy.exp(w)[..., None, :]) @ numpy.conj(v.mT), numpy.real(v * numpy.conj(v))


def _of_general(x: Any) -> Any:
    """Two symmetric functions of the pairs of an eigenvalue and its vector."""
    w, v = eig(x)
    return gg.sum(gg.exp(w), axis=-1), gg.matmul(gg.real(v * gg.conj(v)), gg.expand_dims(w * w, -1))


def _of_general_by_numpy(x: Any) -> Any:
    w, v = numpy.linalg.eig(x)
    w, v = w.astype(_complex(w)), v.astype(_complex(v))
    return numpy.sum(numpy.exp(w), axis=-1), numpy.real(v * numpy.conj(v)) @ (w * w)[..., None]


def _complex(x: Any) -> Any:
    return numpy.result_type(x, numpy.complex64)


def _of_values_by_numpy(x: Any) -> Any:
    w = numpy.linalg.eigvals(x)
    w = w.astype(_complex(w))
    return numpy.sum(numpy.exp(w), axis=-1)


CASES = [
    Case("eigh", HERMITIAN, _of_hermitian_by_numpy, complex=True, function=_of_hermitian),
    Case(
        "eigvalsh", HERMITIAN, lambda x: numpy.linalg.eigvalsh((x + numpy.conj(x.mT)) / 2), complex=True,
        function=lambda x: eigvalsh(_hermitian(x)),
    ),
    Case("eig", GENERAL, _of_general_by_numpy, complex=True, function=_of_general),
    Case(
        "eigvals", GENERAL, _of_values_by_numpy, complex=True,
        function=lambda x: gg.sum(gg.exp(eigvals(x)), axis=-1),
    ),
    Case("quotient", [call(real(2, 3), nonzero(3)), call(nonzero(2, 1), nonzero(1, 3))], numpy.divide, complex=True),
]  # fmt: skip
