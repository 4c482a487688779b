"""Records of gpugrad/ops/linalg/: determinant, factor, functions, least_squares, solve."""

from __future__ import annotations

from typing import Any

import numpy
import scipy.linalg

from gpugrad.check.records.case import Case, Draw, call, given, real
from gpugrad.ops.contraction import matmul
from gpugrad.ops.linalg.factor import cholesky
from gpugrad.ops.linalg.least_squares import pinv
from gpugrad.ops.linalg.matrices import adjoint


def regular(*shape: int) -> Draw:
    """Matrices whose singular values are well apart from 0: twice the identity, and numbers from [-0.5, 0.5]."""
    return Draw(lambda rng, s: rng.uniform(-0.5, 0.5, s) + 2 * numpy.eye(s[-2], s[-1]), shape)


SQUARE = [call(regular(3, 3)), call(regular(2, 1, 2, 2)), call(regular(1, 1)), call(regular(0, 2, 2)), call(regular(2, 0, 0))]
SYSTEMS = [
    call(regular(3, 3), real(3)),
    call(regular(2, 3, 3), real(3)),
    call(regular(3, 3), real(2, 3, 1)),
    call(regular(2, 1, 2, 2), real(3, 2, 2)),
    call(regular(0, 2, 2), real(2)),
    call(regular(0, 0), real(0, 2)),
    call(regular(2, 2), real(2, 0)),
]
TALL = [call(regular(4, 2)), call(regular(2, 2, 3)), call(regular(3, 0)), call(regular(0, 2, 1))]
_PRODUCTS = [call(real(4, 2), real(2, 3)), call(real(2, 2, 1), real(1, 2))]


def _lstsq(x1: Any, x2: Any) -> Any:
    if x2.ndim == 1:
        solution, residuals, *rest = _lstsq(x1, x2[:, None])
        return solution[..., 0], residuals[..., 0], *rest
    solution = numpy.linalg.pinv(x1) @ x2
    residuals = numpy.sum(numpy.abs(x2 - x1 @ solution) ** 2, axis=-2)
    return solution, residuals, numpy.linalg.matrix_rank(x1), numpy.linalg.svd(x1, compute_uv=False)


def _triangular(x1: Any, x2: Any, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Any:
    triangle = numpy.triu(x1) if upper else numpy.tril(x1)
    if unitriangular:
        triangle = triangle - (numpy.linalg.diagonal(triangle)[..., None] - 1) * numpy.eye(x1.shape[-1], dtype=x1.dtype)
    if left:
        return numpy.linalg.solve(triangle, x2)
    return (numpy.linalg.solve(triangle.mT, x2.mT)).mT


CASES = [
    Case("inv", SQUARE, numpy.linalg.inv, complex=True),
    Case("det", SQUARE, numpy.linalg.det, order=3, complex=True),
    Case(
        "det",
        [
            call(given([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [0.5, -1.0, 1.0]])),
            call(given([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [-1.0, -2.0, -3.0]])),
            call(given(numpy.zeros((2, 2)))),
        ],
        numpy.linalg.det,
        order=3,
        rtol=1e-14,
        label="singular",
    ),
    Case("slogdet", SQUARE, numpy.linalg.slogdet, complex=True),
    Case("solve", SYSTEMS, numpy.linalg.solve, complex=True),
    Case(
        "solve_triangular",
        [
            *(call(*system.args, upper=i % 2 == 0, unitriangular=i % 3 == 1) for i, system in enumerate(SYSTEMS)),
            call(regular(2, 3, 3), real(2, 3), upper=True, left=False),
            call(regular(3, 3), real(2, 3), upper=False, left=False, unitriangular=True),
        ],
        _triangular,
        complex=True,
    ),
    Case(
        "cholesky",
        [*SQUARE, call(regular(2, 2), upper=True)],
        lambda x, **options: numpy.linalg.cholesky(x @ x.conj().mT, **options),
        complex=True,
        function=lambda x, **options: cholesky(matmul(x, adjoint(x)), **options),
    ),
    Case("pinv", [*TALL, call(regular(2, 2), rtol=1e-3)], numpy.linalg.pinv, complex=True),
    Case(
        "pinv",
        _PRODUCTS,
        lambda x, y: numpy.linalg.pinv(x @ y, rtol=1e-5),
        complex=True,
        label="deficient",
        function=lambda x, y: pinv(matmul(x, y), rtol=1e-5),
    ),
    Case(
        "lstsq",
        [
            call(regular(4, 2), real(4)),
            call(regular(2, 4, 3), real(4, 2)),
            call(regular(2, 3), real(2, 2, 1)),
            call(regular(0, 3, 2), real(3)),
        ],
        _lstsq,
        complex=True,
    ),
    Case(
        "matrix_rank",
        [
            *TALL,
            call(given([[[1.0, 2.0], [2.0, 4.0]], [[1.0, 0.0], [0.0, 1e-3]]])),
            call(given([[1.0, 0.0], [0.0, 1e-3]]), rtol=1e-2),
        ],
        lambda x, **options: numpy.asarray(numpy.linalg.matrix_rank(x, **options)),
        order=None,
        complex=True,
    ),
    Case(
        "matrix_power",
        [
            *(call(regular(2, 2), n) for n in (-3, -1, 0, 1, 2, 5)),
            call(regular(2, 1, 2, 2), 3),
            call(regular(0, 2, 2), -2),
            call(regular(0, 0), 2),
        ],
        numpy.linalg.matrix_power,
        complex=True,
    ),
    Case("identities", SQUARE[:2], lambda x: x * 0 + numpy.eye(x.shape[-1], dtype=x.dtype), order=0, complex=True),
    Case(
        "expm",
        [*SQUARE, call(real(3, 3)), call(given([[[0.0, 0.0], [0.0, 0.0]], [[3.0, -8.0], [12.0, 1.0]]]))],
        scipy.linalg.expm,
        complex=True,
    ),
]
