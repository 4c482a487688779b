"""gg.linalg: the linear algebra of the standard, with batches and complex numbers; and solve_triangular, lstsq, expm.

Standard: https://data-apis.org/array-api/latest/extensions/linear_algebra_functions.html
"""

from gpugrad.ops.contraction import matmul, tensordot, vecdot
from gpugrad.ops.shape import matrix_transpose

__all__ = ["matmul", "matrix_transpose", "tensordot", "vecdot"]
