"""Products that sum over axes: matmul, tensordot, vecdot."""

from __future__ import annotations

import math
from typing import Any

from array_api_compat import array_namespace

from gpugrad.errors import ShapeError
from gpugrad.families import composite, primitive
from gpugrad.ops.elementwise import conj
from gpugrad.ops.shape import as_shape, expand_dims, matrix_transpose, moveaxis, normalize_axis, permute_dims, reshape


def _ndim(x: Any) -> int:
    return len(x.shape)


def _matmul_x(g: Any, y: Any, x_shape: tuple[int, ...]) -> Any:
    if _ndim(y) == 1:  # (..., n) @ (n,) -> (...,)
        return expand_dims(g, -1) * y
    if len(x_shape) == 1:  # (n,) @ (..., n, m) -> (..., m)
        return matmul(y, expand_dims(g, -1))[..., 0]
    return _product(g, matrix_transpose(y))


def _matmul_y(g: Any, x: Any, y_shape: tuple[int, ...]) -> Any:
    if _ndim(x) == 1:
        return g * x if len(y_shape) == 1 else expand_dims(x, -1) * expand_dims(g, -2)
    if len(y_shape) == 1:  # a sum over the batch, as one product
        rows = math.prod(x.shape[:-1])
        return matmul(reshape(g, (rows,)), reshape(x, (rows, y_shape[0])))
    if len(y_shape) == 2 and _ndim(x) > 2:  # one product instead of a batch of them and a sum
        rows, (n, m) = math.prod(x.shape[:-1]), y_shape
        return matmul(matrix_transpose(reshape(x, (rows, n))), reshape(g, (rows, m)))
    return _product(matrix_transpose(x), g)


def _product(x: Any, y: Any) -> Any:
    """matmul(x, y); outer products of a stack without as many calls of BLAS."""
    return x * y if _ndim(x) > 2 and x.shape[-1] == 1 else matmul(x, y)


@primitive(standard=True, x=_matmul_x, y=_matmul_y)
def matmul(x: Any, y: Any, /) -> Any:
    """The matrix product: (..., n, k) @ (..., k, m) -> (..., n, m); a 1-d operand is a row on the left, a column on the right.

    The leading axes broadcast. Complex operands are not conjugated.
    Raises ShapeError if the inner sizes differ or an operand is 0-d.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.matmul.html
    """
    return array_namespace(x, y).matmul(x, y)


@composite
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """The dot product of vectors along `axis`: sum(conj(x1) * x2); the other axes broadcast.

    Raises ShapeError if the sizes along `axis` differ or the others do not broadcast, AxisError if `axis` is out of range.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.vecdot.html
    """
    shape1, shape2 = tuple(x1.shape), tuple(x2.shape)
    first, second = (normalize_axis(axis, len(shape), "vecdot") for shape in (shape1, shape2))
    n, m = shape1[first], shape2[second]
    if n != m:
        raise ShapeError(f"vecdot: got shapes {shape1} and {shape2}: the sizes along axis {axis}, {n} and {m}, must be equal")
    others1, others2 = shape1[:first] + shape1[first + 1 :], shape2[:second] + shape2[second + 1 :]
    if any(1 != a != b != 1 for a, b in zip(reversed(others1), reversed(others2), strict=False)):
        raise ShapeError(f"vecdot: got shapes {shape1} and {shape2}: the other axes, {others1} and {others2}, do not broadcast")
    left, right = moveaxis(conj(x1), axis, -1), moveaxis(x2, axis, -1)
    return matmul(expand_dims(left, -2), expand_dims(right, -1))[..., 0, 0]


@composite
def tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Any:
    """The sum of products over pairs of axes: the last `axes` of x1 with the first of x2, or ``axes=(of_x1, of_x2)``.

    The result has the remaining axes of x1, then those of x2. An int in the pair of axes names a single one.
    Raises ShapeError if paired sizes differ.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.tensordot.html
    """
    shape1, shape2 = tuple(x1.shape), tuple(x2.shape)
    if isinstance(axes, int):
        if not (0 <= axes <= len(shape1) and axes <= len(shape2)):
            raise ShapeError(
                f"tensordot: axes is {axes}, expected 0 to the smaller number of dimensions of {shape1} and {shape2}"
            )
        of1, of2 = tuple(range(len(shape1) - axes, len(shape1))), tuple(range(axes))
    else:
        of1 = tuple(normalize_axis(a, len(shape1), "tensordot") for a in as_shape(axes[0]))
        of2 = tuple(normalize_axis(a, len(shape2), "tensordot") for a in as_shape(axes[1]))
    sizes1, sizes2 = [shape1[a] for a in of1], [shape2[a] for a in of2]
    if sizes1 != sizes2:
        raise ShapeError(
            f"tensordot: shapes {shape1} and {shape2} with axes {of1} and {of2}: the paired sizes {sizes1} and {sizes2} must be equal"
        )
    free1 = tuple(i for i in range(len(shape1)) if i not in of1)
    free2 = tuple(i for i in range(len(shape2)) if i not in of2)
    n = math.prod(sizes1)
    left = reshape(permute_dims(x1, free1 + of1), (math.prod(shape1[i] for i in free1), n))
    right = reshape(permute_dims(x2, of2 + free2), (n, math.prod(shape2[i] for i in free2)))
    return reshape(matmul(left, right), tuple(shape1[i] for i in free1) + tuple(shape2[i] for i in free2))
