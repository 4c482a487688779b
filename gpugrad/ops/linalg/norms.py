"""Norms of vectors and of matrices. Where a norm is 0, and where an element is, the gradient is the subgradient 0."""

from __future__ import annotations

import math
import numbers
from typing import Any, Literal

from array_api_compat import array_namespace

from gpugrad.arrays.dtypes import float32, native_dtype, numpy_dtype, real_dtype
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.families import A, composite, primitive, zero
from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import abs, conj, equal, isinf, logical_or, pow, where
from gpugrad.ops.linalg import checks
from gpugrad.ops.linalg.svd import svdvals
from gpugrad.ops.reduction import max, min, sum
from gpugrad.ops.shape import Axes, expand_dims, normalize_axis, reshape
from gpugrad.tape import raw


def _euclidean_norm_rule(g: Any, x: Any, out: Any, axes: tuple[int, ...]) -> Any:
    shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    scale = where(out == 0, 0, g / where(out == 0, 1, out))
    return reshape(scale, shape) * conj(x)


@primitive(x=_euclidean_norm_rule)
def _euclidean_norm(x: Any, /, *, axes: tuple[int, ...]) -> Any:
    xp = array_namespace(x)
    return xp.linalg.vector_norm(x, axis=axes) if axes else xp.abs(x)


@primitive(x=zero)
def _support(x: Any, /) -> Any:
    """1 where x is not zero: a number of the dtype of abs(x)."""
    return array_namespace(x).astype(x != 0, native_dtype(x, real_dtype(x.dtype)))


def _of_order(x: Any, axes: tuple[int, ...], ord: float) -> Any:
    """The norm of any order but 2, over `axes`, which are lost."""
    if ord == 0:
        return sum(_support(x), axis=axes)
    size = abs(x)
    if ord == math.inf:
        return max(size, axis=axes)
    if ord == -math.inf:
        return min(size, axis=axes)
    if ord == 1:
        return sum(size, axis=axes)
    # The powers of 0 have infinite derivatives, or are infinite: they are put in as constants.
    empty = equal(size, 0)
    powers = where(empty, 0.0 if ord > 0 else math.inf, pow(where(empty, 1, size), ord))
    total = sum(powers, axis=axes)
    empty = logical_or(equal(total, 0), isinf(total))
    return where(empty, total if ord > 0 else 0.0, pow(where(empty, 1, total), 1 / ord))


@composite
def vector_norm(x: A, /, *, axis: Axes = None, keepdims: bool = False, ord: int | float = 2) -> A:
    """The norm of order `ord` over `axis` (all axes for None): sum(abs(x) ** ord) ** (1 / ord), real for complex x.

    inf gives the largest of abs(x), -inf the smallest, ties sharing the gradient equally; 0 counts what is not zero. At
    elements that are 0, and where the norm is 0, the gradient is 0.
    Raises ShapeError if an axis is out of range or given twice, or for ord -inf over no elements; DTypeError for integers.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.linalg.vector_norm.html
    """
    checks.inexact("vector_norm", x)
    shape = tuple(x.shape)  # type: ignore[attr-defined]
    given = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(normalize_axis(a, len(shape), "vector_norm") for a in given)
    if len(set(axes)) < len(axes):
        raise ShapeError(f"vector_norm: axis is {axis}, which names an axis twice")
    traced = getattr(ord, "is_number", False)  # a float argument of a fused function
    if not (traced or isinstance(ord, numbers.Real)) or ord != ord:
        raise DTypeError(f"vector_norm: ord is {ord!r}, expected a real number, inf or -inf")
    if any(shape[a] == 0 for a in axes) and math.isinf(ord):
        if ord < 0:
            raise ShapeError(f"vector_norm: ord is -inf over no elements, of shape {shape}, which have no smallest")
        ord = 1  # 0, as NumPy has it
    half = numpy_dtype(raw(x).dtype).itemsize == 2  # of float16 the squares may overflow, and of bfloat16 the sums stand still
    wide = astype(x, float32) if half else x
    out: A = _euclidean_norm(wide, axes=axes) if ord == 2 else _of_order(wide, axes, ord)
    out = astype(out, raw(x).dtype) if half else out
    return reshape(out, tuple(1 if i in axes else n for i, n in enumerate(shape))) if keepdims else out


MatrixOrder = int | float | Literal["fro", "nuc"] | None


@composite
def matrix_norm(x: A, /, *, keepdims: bool = False, ord: MatrixOrder = "fro") -> A:
    """The norm of each matrix of (..., M, N), real for complex x.

    "fro" (and None): Frobenius, sqrt(sum(abs(x) ** 2)). "nuc": the sum of the singular values. 2 and -2: the largest and the
    smallest of them. 1 and -1: the largest and the smallest sum of abs(x) over a column; inf and -inf: over a row. Ties share
    the gradient equally; where the Frobenius norm is 0 the gradient is 0.
    Raises ShapeError for fewer than two dimensions, DTypeError for integers, and for float16 where singular values are asked
    for, OptionError for another `ord`.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.linalg.matrix_norm.html
    """
    checks.inexact("matrix_norm", x)
    checks.stacked("matrix_norm", x)
    out: Any
    if ord in ("fro", None):
        out = vector_norm(x, axis=(-2, -1))
    elif ord in ("nuc", 2, -2):
        checks.floating("matrix_norm", x)
        values = svdvals(x)
        out = sum(values, axis=-1) if ord == "nuc" else _extremum(values, ord == 2)
    elif ord in (1, -1, math.inf, -math.inf):
        out = _extremum(sum(abs(x), axis=-2 if ord in (1, -1) else -1), ord in (1, math.inf))
    else:
        raise OptionError(f"matrix_norm: ord is {ord!r}, expected 'fro', 'nuc', 1, -1, 2, -2, inf or -inf")
    return expand_dims(expand_dims(out, -1), -1) if keepdims else out


def _extremum(values: Any, largest: bool) -> Any:
    """The largest of non-negative values along the last axis, 0 if there are none, or the smallest."""
    if largest and values.shape[-1] == 0:
        return sum(values, axis=-1)
    return max(values, axis=-1) if largest else min(values, axis=-1)
