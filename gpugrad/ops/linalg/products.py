"""Products of vectors, diagonals and traces."""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace

from gpugrad.arrays.dtypes import DTypeLike, bool_
from gpugrad.errors import AxisError, ShapeError
from gpugrad.families import A, composite, primitive
from gpugrad.ops.creation import raw_full
from gpugrad.ops.dtypes import refuse_complex
from gpugrad.ops.elementwise import multiply, where
from gpugrad.ops.linalg import checks
from gpugrad.ops.linalg.matrices import eye_like
from gpugrad.ops.reduction import sum
from gpugrad.ops.shape import concat, expand_dims
from gpugrad.tape import raw


@primitive(x=lambda g, y, axis: cross(y, g, axis=axis), y=lambda g, x, axis: cross(g, x, axis=axis))
def _cross(x: Any, y: Any, /, *, axis: int) -> Any:
    return array_namespace(x, y).linalg.cross(x, y, axis=axis)


@composite
def cross(x1: A, x2: A, /, *, axis: int = -1) -> A:
    """The cross product of vectors of 3 elements along `axis`, which counts from the end; the other axes broadcast.

    Raises ShapeError if the size along `axis` is not 3 in both, AxisError if `axis` is out of range.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.linalg.cross.html
    """
    checks.arrays("cross", x1, x2)
    shape1, shape2 = (tuple(x.shape) for x in (x1, x2))  # type: ignore[attr-defined]
    if 0 <= axis < len(shape1) == len(shape2):
        axis -= len(shape1)  # from the end, where broadcasting aligns the two
    if not -min(len(shape1), len(shape2)) <= axis < 0:
        raise AxisError(f"cross: axis {axis} is out of range for shapes {shape1} and {shape2}; count it from the end, as -1")
    if (shape1[axis], shape2[axis]) != (3, 3):
        raise ShapeError(f"cross: got shapes {shape1} and {shape2}, expected size 3 along axis {axis} of both")
    out: A = _cross(x1, x2, axis=axis)
    return out


@composite
def outer(x1: A, x2: A, /) -> A:
    """The outer product of two vectors: ``x1[i] * x2[j]``, of shape (N, M). Not conjugated.

    Raises ShapeError unless both are 1-d.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.linalg.outer.html
    """
    checks.arrays("outer", x1, x2)
    shapes = [tuple(x.shape) for x in (x1, x2)]  # type: ignore[attr-defined]
    if any(len(shape) != 1 for shape in shapes):
        raise ShapeError(f"outer: got shapes {shapes[0]} and {shapes[1]}, expected two 1-d arrays")
    return multiply(expand_dims(x1, -1), expand_dims(x2, 0))


def _diagonal_rule(g: Any, offset: int, x_shape: tuple[int, ...]) -> Any:
    """Zeros of shape x_shape with g on the diagonal: the rows of g, in front of and behind them zeros, under a mask."""
    rows, columns = x_shape[-2:]
    count = g.shape[-1]
    before = max(0, -offset) if count else 0
    like = raw(g)

    def zeros(n: int) -> Any:
        return raw_full(like, (*like.shape[:-1], n), 0, like.dtype)

    padded = concat([zeros(before), g, zeros(rows - before - count)], axis=-1)
    return where(eye_like(g, rows, columns, offset=offset, dtype=bool_), expand_dims(padded, -1), 0)


@primitive(x=_diagonal_rule)
def _diagonal(x: Any, /, *, offset: int) -> Any:
    return array_namespace(x).linalg.diagonal(x, offset=offset)


@composite
def diagonal(x: A, /, *, offset: int = 0) -> A:
    """The diagonals ``x[..., i, i + offset]`` of matrices (..., M, N); without elements where `offset` lies outside.

    Raises ShapeError for fewer than two dimensions.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.linalg.diagonal.html
    """
    checks.stacked("diagonal", x)
    out: A = _diagonal(x, offset=offset)
    return out


@composite
def trace(x: A, /, *, offset: int = 0, dtype: DTypeLike | None = None) -> A:
    """The sums of diagonals: sum(``x[..., i, i + offset]``); 0 where `offset` lies outside. `dtype` as in :func:`sum`.

    Raises ShapeError for fewer than two dimensions, DTypeError for complex x and a real `dtype`.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.linalg.trace.html
    """
    checks.stacked("trace", x)
    if dtype is not None:
        refuse_complex("trace", x, dtype)
    out: A = sum(_diagonal(x, offset=offset), axis=-1, dtype=dtype)
    return out
