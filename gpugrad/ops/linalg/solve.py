"""Linear systems: inv, solve, solve_triangular."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from array_api_compat import array_namespace

from gpugrad.arrays.explain import describe
from gpugrad.errors import ShapeError
from gpugrad.families import A, composite, primitive
from gpugrad.ops.contraction import matmul
from gpugrad.ops.linalg import checks
from gpugrad.ops.linalg.matrices import eye_like, on_finite
from gpugrad.ops.shape import broadcast_shapes, expand_dims, flip, matrix_transpose, tril, triu
from gpugrad.tape import raw


def _inv_rule(g: Any, out: Any) -> Any:
    transposed = matrix_transpose(out)
    return -matmul(matmul(transposed, g), transposed)


@primitive(x=_inv_rule)
def _inv(x: Any, /) -> Any:
    return on_finite(array_namespace(x).linalg.inv, x)


@composite
def inv(x: A, /) -> A:
    """The inverse of each matrix of (..., M, M).

    A matrix that holds nan or inf has an inverse of nan.
    Raises LinAlgError if a matrix is singular, ShapeError if it is not square, DTypeError for what is not float32, float64 or
    complex.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.linalg.inv.html
    """
    checks.square("inv", x)
    out: A = _inv(x)
    return out


def check_system(name: str, x1: Any, x2: Any, left: bool = True) -> None:
    """Raise ShapeError unless x2 is a vector or a stack of matrices with as many rows, or columns if not `left`, as x1 has rows."""
    checks.matrices(name, x1)
    checks.floating(name, x1, x2)
    shape1, shape2 = tuple(x1.shape), tuple(x2.shape)
    rows = shape1[-2]
    if not shape2 or shape2[-2:][0 if left else -1] != rows:
        raise ShapeError(
            f"{name}: got {describe(raw(x1))} and {describe(raw(x2))}, expected of the second ({rows},) or "
            f"(..., {f'{rows}, K' if left else f'K, {rows}'}): it is a vector only if it is 1-d"
        )
    try:
        broadcast_shapes(shape1[:-2], shape2[:-2])
    except ShapeError:
        raise ShapeError(
            f"{name}: got {describe(raw(x1))} and {describe(raw(x2))}: the leading shapes {shape1[:-2]} and {shape2[:-2]} "
            "do not broadcast"
        ) from None


def _columns(x: Any, y_shape: tuple[int, ...]) -> Any:
    """x as a stack of matrices: with an axis more where the right-hand side is a vector."""
    return expand_dims(x, -1) if len(y_shape) == 1 else x


def _solve_x(g: Any, x: Any, out: Any, y_shape: tuple[int, ...]) -> Any:
    adjusted = _solve(matrix_transpose(x), _columns(g, y_shape))
    return matmul(-adjusted, matrix_transpose(_columns(out, y_shape)))


def _solve_y(g: Any, x: Any, y_shape: tuple[int, ...]) -> Any:
    adjusted = _solve(matrix_transpose(x), _columns(g, y_shape))
    return adjusted[..., 0] if len(y_shape) == 1 else adjusted


def _solution(x: Any, y: Any, function: Callable[[Any, Any], Any]) -> Any:
    """``function(x, y)``, with the leading axes broadcast, as CuPy needs them, and nan for each x that holds nan or inf."""
    xp = array_namespace(x, y)
    if y.ndim > 1:
        batch = broadcast_shapes(x.shape[:-2], y.shape[:-2])
        x, y = (z if z.shape[:-2] == batch else xp.broadcast_to(z, (*batch, *z.shape[-2:])) for z in (x, y))
        if 0 in y.shape:  # which CuPy does not expect of the last axis
            return xp.astype(y, xp.result_type(x, y))
    return on_finite(lambda x: function(x, y), x)


@primitive(x=_solve_x, y=_solve_y)
def _solve(x: Any, y: Any, /) -> Any:
    return _solution(x, y, lambda x, y: array_namespace(x, y).linalg.solve(x, y))


@composite
def solve(x1: A, x2: A, /) -> A:
    """The solution of ``x1 @ out == x2`` for matrices x1 (..., M, M).

    x2 is a vector (M,) if it is 1-d, and a stack of matrices (..., M, K) otherwise; the leading axes broadcast. nan where x1
    holds nan or inf.
    Raises LinAlgError if a matrix is singular, ShapeError for shapes that do not fit, DTypeError for what is not float32,
    float64 or complex.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.linalg.solve.html
    """
    checks.square("solve", x1)
    check_system("solve", x1, x2)
    out: A = _solve(x1, x2)
    return out


def _triangle(x: Any, upper: bool, unitriangular: bool) -> Any:
    k = 1 if unitriangular else 0
    return triu(x, k=k) if upper else tril(x, k=-k)


def _triangular_x(g: Any, x: Any, out: Any, y_shape: tuple[int, ...], upper: bool, unitriangular: bool) -> Any:
    adjusted = _transposed_solution(g, x, y_shape, upper, unitriangular)
    return _triangle(matmul(-adjusted, matrix_transpose(_columns(out, y_shape))), upper, unitriangular)


def _triangular_y(g: Any, x: Any, y_shape: tuple[int, ...], upper: bool, unitriangular: bool) -> Any:
    adjusted = _transposed_solution(g, x, y_shape, upper, unitriangular)
    return adjusted[..., 0] if len(y_shape) == 1 else adjusted


def _transposed_solution(g: Any, x: Any, y_shape: tuple[int, ...], upper: bool, unitriangular: bool) -> Any:
    return _solve_triangular(matrix_transpose(x), _columns(g, y_shape), upper=not upper, unitriangular=unitriangular)


@primitive(x=_triangular_x, y=_triangular_y)
def _solve_triangular(x: Any, y: Any, /, *, upper: bool, unitriangular: bool) -> Any:
    triangle = _triangle(x, upper, unitriangular)
    if unitriangular:
        triangle = triangle + eye_like(x, x.shape[-1])
    if upper:
        return _solution(triangle, y, _substituted)
    rows = -1 if y.ndim == 1 else -2
    return flip(_solution(flip(triangle, axis=(-2, -1)), flip(y, axis=rows), _substituted), axis=rows)


_BLOCK = 64
"""Up to this size a triangle is left to ``solve``."""


def _substituted(x: Any, y: Any) -> Any:
    """The solution for upper triangles, the second half first. The LU factorisation of such a triangle is itself: it is exact."""
    xp = array_namespace(x, y)
    n = x.shape[-1]
    if n <= _BLOCK:
        return xp.linalg.solve(x, y)
    if y.ndim == 1:
        return _substituted(x, xp.broadcast_to(y[:, None], (*x.shape[:-1], 1)))[..., 0]
    half = n // 2
    second = _substituted(x[..., half:, half:], y[..., half:, :])
    first = _substituted(x[..., :half, :half], y[..., :half, :] - matmul(x[..., :half, half:], second))
    return xp.concat([first, second], axis=-2)


@composite
def solve_triangular(x1: A, x2: A, /, *, upper: bool, left: bool = True, unitriangular: bool = False) -> A:
    """The solution of ``x1 @ out == x2``, or ``out @ x1 == x2`` if not `left`, for triangular x1 (..., M, M).

    Only the upper or the lower triangle of x1 is read, and of a unitriangular one not its diagonal, taken to be ones. x2 is a
    vector (M,) if it is 1-d, and a stack of matrices otherwise, (..., M, K), or (..., K, M) if not `left`; the leading axes
    broadcast. Named and called as ``torch.linalg.solve_triangular``.
    Raises LinAlgError for a zero on the diagonal, ShapeError for shapes that do not fit, DTypeError for what is not float32,
    float64 or complex.
    """
    checks.square("solve_triangular", x1)
    check_system("solve_triangular", x1, x2, left)
    if not left:
        x1, upper = matrix_transpose(x1), not upper
        if len(x2.shape) > 1:  # type: ignore[attr-defined]
            x2 = matrix_transpose(x2)
    out: A = _solve_triangular(x1, x2, upper=upper, unitriangular=unitriangular)
    return out if left or len(x2.shape) == 1 else matrix_transpose(out)  # type: ignore[attr-defined]
