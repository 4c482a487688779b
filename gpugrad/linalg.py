"""gg.linalg: the linear algebra of the standard, with batches and complex numbers; and solve_triangular, lstsq, expm.

Standard: https://data-apis.org/array-api/latest/extensions/linear_algebra_functions.html
"""

from gpugrad.ops.contraction import matmul, tensordot, vecdot
from gpugrad.ops.linalg.determinant import SlogdetResult, det, slogdet
from gpugrad.ops.linalg.eigen import EighResult, EigResult, eig, eigh, eigvals, eigvalsh
from gpugrad.ops.linalg.factor import cholesky
from gpugrad.ops.linalg.functions import expm, matrix_power
from gpugrad.ops.linalg.least_squares import LstsqResult, lstsq, matrix_rank, pinv
from gpugrad.ops.linalg.norms import matrix_norm, vector_norm
from gpugrad.ops.linalg.products import cross, diagonal, outer, trace
from gpugrad.ops.linalg.qr import QRResult, qr
from gpugrad.ops.linalg.solve import inv, solve, solve_triangular
from gpugrad.ops.linalg.svd import SVDResult, svd, svdvals
from gpugrad.ops.shape import matrix_transpose

__all__ = [
    "EigResult",
    "EighResult",
    "LstsqResult",
    "QRResult",
    "SVDResult",
    "SlogdetResult",
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "expm",
    "inv",
    "lstsq",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]
