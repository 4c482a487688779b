"""What follows from singular values: pinv, matrix_rank, lstsq."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from array_api_compat import array_namespace

from gpugrad.families import A, composite, primitive
from gpugrad.ops.contraction import matmul
from gpugrad.ops.dtypes import finfo
from gpugrad.ops.elementwise import abs, conj, greater, multiply, square, subtract
from gpugrad.ops.linalg import checks
from gpugrad.ops.linalg.matrices import adjoint, on_finite
from gpugrad.ops.linalg.solve import check_system
from gpugrad.ops.linalg.svd import svdvals
from gpugrad.ops.reduction import count_nonzero, sum
from gpugrad.ops.shape import expand_dims, matrix_transpose
from gpugrad.tape import Tensor, raw


def _pinv_rule(g: Any, x: Any, out: Any) -> Any:
    # Golub and Pereyra (1973): d out = -out dx out + out out^H dx^H (1 - x out) + (1 - out x) dx^H out^H out. Here x has no more
    # columns than rows, and no product of the three is larger than x.
    transposed = matrix_transpose(out)
    inner = matmul(out, matrix_transpose(g))
    across = matmul(matrix_transpose(g), matmul(out, adjoint(out)))
    rest = across - matmul(x, matmul(out, across)) + matmul(adjoint(out), inner - matmul(inner, matmul(out, x)))
    return conj(rest) - matmul(transposed, matmul(g, transposed))


@primitive(x=_pinv_rule)
def _pinv(x: Any, /, *, rtol: Any) -> Any:
    return on_finite(partial(array_namespace(x).linalg.pinv, rtol=rtol), x)


@composite
def pinv(x: A, /, *, rtol: Any = None) -> A:
    """The Moore-Penrose pseudo-inverse (..., N, M) of each matrix of (..., M, N).

    Singular values up to `rtol` times the largest count as 0; `rtol` is a number or an array of the leading shape, and
    ``max(M, N) * eps`` if None. The gradient is that among matrices of the same rank: where the rank is not full, the
    pseudo-inverse is not continuous, and has no other. A matrix that holds nan or inf has nan results.
    Raises ShapeError for fewer than two dimensions, DTypeError for what is not float32, float64 or complex, LinAlgError if the
    singular values do not converge.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.linalg.pinv.html
    """
    checks.matrices("pinv", x)
    rows, columns = x.shape[-2:]  # type: ignore[attr-defined]
    out: A = adjoint(_pinv(adjoint(x), rtol=raw(rtol))) if rows < columns else _pinv(x, rtol=raw(rtol))
    return out


def _rank(values: Any, shape: tuple[int, ...], rtol: Any) -> Any:
    """How many singular values, which descend along the last axis, count as more than 0."""
    if rtol is None:
        rtol = max(shape[-2:]) * finfo(values).eps
    relative = rtol[..., None] if hasattr(rtol, "shape") else rtol
    largest = values[..., :1] if values.shape[-1] else values
    return count_nonzero(greater(values, multiply(largest, relative)), axis=-1)


@composite
def matrix_rank(x: A, /, *, rtol: Any = None) -> A:
    """The rank of each matrix of (..., M, N): how many singular values are more than `rtol` times the largest. A constant.

    `rtol` as in :func:`pinv`. 0 for a matrix that holds nan or inf.
    Raises ShapeError for fewer than two dimensions, DTypeError for what is not float32, float64 or complex, LinAlgError if the
    singular values do not converge.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.linalg.matrix_rank.html
    """
    checks.matrices("matrix_rank", x)
    array = raw(x)
    out: Any = _rank(svdvals(array), array.shape, raw(rtol))
    return Tensor(out) if isinstance(x, Tensor) else out  # type: ignore[return-value]


class LstsqResult(NamedTuple):
    """What lstsq returns."""

    solution: Any
    residuals: Any
    rank: Any
    singular_values: Any


@composite
def lstsq(x1: A, x2: A, /, *, rcond: Any = None) -> LstsqResult:
    """The least-squares solution of ``x1 @ out == x2`` for matrices x1 (..., M, N); of several the one of least norm.

    x2 is a vector (M,) if it is 1-d, and a stack of matrices (..., M, K) otherwise; the leading axes broadcast. Returned are
    the solution, the residuals sum(abs(x2 - x1 @ solution) ** 2) of each column, unlike NumPy's at every rank, the rank, and
    the singular values of x1. All but the rank are differentiable, the solution as :func:`pinv` is, by which it is computed:
    where the rank is not full, among matrices of the same rank. `rcond`, as lstsq calls it elsewhere, is the `rtol` of pinv.
    Raises ShapeError for shapes that do not fit, DTypeError for what is not float32, float64 or complex, LinAlgError if the
    singular values do not converge.
    """
    check_system("lstsq", x1, x2)
    vector = len(x2.shape) == 1  # type: ignore[attr-defined]
    columns: Any = expand_dims(x2, -1) if vector else x2
    solution: Any = matmul(pinv(x1, rtol=rcond), columns)
    residuals = sum(square(abs(subtract(columns, matmul(x1, solution)))), axis=-2)
    if vector:
        solution, residuals = solution[..., 0], residuals[..., 0]
    values = svdvals(x1)
    rank = _rank(raw(values), x1.shape, raw(rcond))  # type: ignore[attr-defined]
    return LstsqResult(solution, residuals, Tensor(rank) if isinstance(x1, Tensor) else rank, values)
