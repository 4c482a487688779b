"""Statistical functions: reductions over axes, and cumulative sums and products."""

from __future__ import annotations

import math
from typing import Any

from array_api_compat import array_namespace

from gpugrad.arrays.dtypes import DTypeLike, float32, native_dtype, numpy_dtype
from gpugrad.errors import OptionError, ShapeError
from gpugrad.families import A, composite, primitive, registered
from gpugrad.ops.creation import ones_like, zeros_like
from gpugrad.ops.dtypes import astype, refuse_complex
from gpugrad.ops.elementwise import conj, not_equal, where
from gpugrad.ops.shape import broadcast_to, concat, flip, moveaxis, normalize_axis, reshape

Axes = int | tuple[int, ...] | None


def _axes(axis: Axes, ndim: int) -> tuple[int, ...]:
    """The reduced axes, non-negative, in ascending order."""
    if axis is None:
        return tuple(range(ndim))
    return tuple(sorted(a % ndim for a in (axis if isinstance(axis, tuple) else (axis,))))


def _count(axis: Axes, shape: tuple[int, ...]) -> int:
    """How many elements go into one element of the result."""
    return math.prod(shape[a] for a in _axes(axis, len(shape)))


def _keep(g: Any, axis: Axes, keepdims: bool, x_shape: tuple[int, ...]) -> Any:
    """A reduced array with its reduced axes back, of size 1, so that it broadcasts against the operand."""
    if keepdims or axis is None:
        return g
    reduced = _axes(axis, len(x_shape))
    return reshape(g, tuple(1 if i in reduced else n for i, n in enumerate(x_shape)))


def _sum_rule(g: Any, axis: Axes, keepdims: bool, x_shape: tuple[int, ...]) -> Any:
    return broadcast_to(_keep(g, axis, keepdims, x_shape), x_shape)


@primitive(standard=True, casts=True, x=_sum_rule)
def _sum(x: Any, /, *, axis: Axes = None, dtype: DTypeLike | None = None, keepdims: bool = False) -> Any:
    return array_namespace(x).sum(x, axis=axis, dtype=native_dtype(x, dtype), keepdims=keepdims)


@registered
def sum(x: A, /, *, axis: Axes = None, dtype: DTypeLike | None = None, keepdims: bool = False) -> A:
    """The sum over `axis` (all axes for None). Small integers are summed in the default integer dtype.

    Raises ShapeError if an axis is out of range, DTypeError for complex x and a real `dtype`.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.sum.html
    """
    if dtype is not None:
        refuse_complex("sum", x, dtype)
    out: A = _sum(x, axis=axis, dtype=dtype, keepdims=keepdims)
    return out


def _over(g: Any, n: float) -> Any:
    """g / n. In float16 a count of 70,000 would be inf."""
    if n < 65504 or not _is_half(g):
        return g / n
    return astype(astype(g, float32) / n, g.dtype)


def _is_half(x: Any) -> bool:
    dtype = numpy_dtype(x.dtype)
    return dtype.itemsize == 2 and dtype.kind not in "iu"


def _mean_rule(g: Any, axis: Axes, keepdims: bool, x_shape: tuple[int, ...]) -> Any:
    return broadcast_to(_keep(_over(g, _count(axis, x_shape)), axis, keepdims, x_shape), x_shape)


@primitive(standard=True, x=_mean_rule)
def mean(x: A, /, *, axis: Axes = None, keepdims: bool = False) -> A:
    """The arithmetic mean over `axis` (all axes for None). nan, with NumPy's warning, over no elements.

    Raises ShapeError if an axis is out of range.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.mean.html
    """
    return array_namespace(x).mean(x, axis=axis, keepdims=keepdims)


def _var_rule(g: Any, x: Any, axis: Axes, correction: float, keepdims: bool, x_shape: tuple[int, ...]) -> Any:
    n = _count(axis, x_shape) - correction
    scale = _over(g + g, n if n > 0 else 0.0)  # as in the value: divided by 0, not by a negative number
    return _keep(scale, axis, keepdims, x_shape) * conj(x - mean(x, axis=axis, keepdims=True))


def _var_definition(x: Any, **options: Any) -> Any:
    xp = array_namespace(x)
    if _is_half(x):  # whose sums end at 65504
        return xp.astype(xp.var(xp.astype(x, xp.float32), **options), x.dtype)
    if numpy_dtype(x.dtype).kind != "c":
        return xp.var(x, **options)
    return xp.var(xp.real(x), **options) + xp.var(xp.imag(x), **options)  # the standard has it for real arrays only


@primitive(x=_var_rule)
def var(x: A, /, *, axis: Axes = None, correction: float = 0.0, keepdims: bool = False) -> A:
    """The variance over `axis`: sum(abs(x - mean) ** 2) / (n - correction); correction 1 is Bessel's. Real for complex x.

    Where n <= correction it is inf (nan for equal elements), and its gradient infinite.
    Raises ShapeError if an axis is out of range.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.var.html
    """
    return _var_definition(x, axis=axis, correction=correction, keepdims=keepdims)


def _std_rule(g: Any, x: Any, out: Any, axis: Axes, correction: float, keepdims: bool, x_shape: tuple[int, ...]) -> Any:
    g = where(out == 0, 0, g / where(out == 0, 1, 2 * out))
    return _var_rule(g, x, axis, correction, keepdims, x_shape)


@primitive(x=_std_rule)
def std(x: A, /, *, axis: Axes = None, correction: float = 0.0, keepdims: bool = False) -> A:
    """The standard deviation over `axis`: the square root of :func:`var`. Where it is 0 the gradient is 0.

    Raises ShapeError if an axis is out of range.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.std.html
    """
    return array_namespace(x).sqrt(_var_definition(x, axis=axis, correction=correction, keepdims=keepdims))


def _extremum_rule(g: Any, x: Any, out: Any, axis: Axes, keepdims: bool, x_shape: tuple[int, ...]) -> Any:
    # float16 has no number for a count above 65504, nor for every one above 2048; the sweep casts the gradient back.
    ties = astype(x == _keep(out, axis, keepdims, x_shape), float32 if _is_half(x) else x.dtype)
    share = ties / sum(ties, axis=axis, keepdims=True)
    return _keep(g, axis, keepdims, x_shape) * share


@primitive(standard=True, x=_extremum_rule)
def max(x: A, /, *, axis: Axes = None, keepdims: bool = False) -> A:
    """The largest element over `axis` (all axes for None). nan propagates. Ties share the gradient equally.

    Raises ShapeError if an axis is out of range, or has no elements.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.max.html
    """
    return array_namespace(x).max(x, axis=axis, keepdims=keepdims)


@primitive(standard=True, x=_extremum_rule)
def min(x: A, /, *, axis: Axes = None, keepdims: bool = False) -> A:
    """The smallest element over `axis` (all axes for None). nan propagates. Ties share the gradient equally.

    Raises ShapeError if an axis is out of range, or has no elements.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.min.html
    """
    return array_namespace(x).min(x, axis=axis, keepdims=keepdims)


def _prod_rule(g: Any, x: Any, axis: Axes, keepdims: bool, x_shape: tuple[int, ...]) -> Any:
    # The product of all others, without dividing by an element that may be zero: (product before) * (product after).
    reduced = _axes(axis, len(x_shape))
    last = tuple(range(len(x_shape) - len(reduced), len(x_shape)))
    moved = moveaxis(x, reduced, last)
    flat = reshape(moved, (*moved.shape[: len(x_shape) - len(reduced)], _count(axis, x_shape)))
    before = cumulative_prod(flat, axis=-1, include_initial=True)[..., :-1]
    after = flip(cumulative_prod(flip(flat, axis=-1), axis=-1, include_initial=True)[..., :-1], axis=-1)
    others = moveaxis(reshape(before * after, moved.shape), last, reduced)
    return _keep(g, axis, keepdims, x_shape) * others


@primitive(standard=True, casts=True, x=_prod_rule)
def _prod(x: Any, /, *, axis: Axes = None, dtype: DTypeLike | None = None, keepdims: bool = False) -> Any:
    return array_namespace(x).prod(x, axis=axis, dtype=native_dtype(x, dtype), keepdims=keepdims)


@registered
def prod(x: A, /, *, axis: Axes = None, dtype: DTypeLike | None = None, keepdims: bool = False) -> A:
    """The product over `axis` (all axes for None). The gradient is right where elements are zero.

    Raises ShapeError if an axis is out of range, DTypeError for complex x and a real `dtype`.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.prod.html
    """
    if dtype is not None:
        refuse_complex("prod", x, dtype)
    out: A = _prod(x, axis=axis, dtype=dtype, keepdims=keepdims)
    return out


def _cumulative_axis(axis: int | None, ndim: int, name: str) -> int:
    if axis is None:
        if ndim != 1:
            raise ShapeError(f"{name}: axis may be left out only for 1-d arrays, and this one has {ndim} dimensions")
        return 0
    return normalize_axis(axis, ndim, name)


def _cumulative_sum_rule(g: Any, axis: int | None, include_initial: bool, x_shape: tuple[int, ...]) -> Any:
    axis = _cumulative_axis(axis, len(x_shape), "cumulative_sum")
    g = _without_initial(g, axis, include_initial)
    return flip(cumulative_sum(flip(g, axis=axis), axis=axis), axis=axis)


def _without_initial(g: Any, axis: int, include_initial: bool) -> Any:
    return g[(slice(None),) * axis + (slice(1, None), ...)] if include_initial else g


@primitive(standard=True, casts=True, x=_cumulative_sum_rule)
def _cumulative_sum(
    x: Any, /, *, axis: int | None = None, dtype: DTypeLike | None = None, include_initial: bool = False
) -> Any:
    return array_namespace(x).cumulative_sum(
        x, axis=_cumulative_axis(axis, len(x.shape), "cumulative_sum"),
        dtype=native_dtype(x, dtype), include_initial=include_initial,
    )  # fmt: skip


@composite
def cumulative_sum(x: A, /, *, axis: int | None = None, dtype: DTypeLike | None = None, include_initial: bool = False) -> A:
    """Sums of the elements up to and including each one, along `axis`; with a 0 in front if `include_initial`.

    Raises ShapeError if `axis` is out of range, or left out for an array that is not 1-d; DTypeError for complex x and a
    real `dtype`.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.cumulative_sum.html
    """
    if dtype is not None:
        refuse_complex("cumulative_sum", x, dtype)
    out: A = _cumulative_sum(x, axis=axis, dtype=dtype, include_initial=include_initial)
    return out


def _cumulative_prod_rule(g: Any, x: Any, axis: int | None, include_initial: bool, x_shape: tuple[int, ...]) -> Any:
    # d L / d x[k] = (x[0] ... x[k-1]) * s[k] with s[k] = g[k] + x[k+1] * s[k+1], no division, so zeros do no harm. The
    # recurrence is solved in log2(n) passes (Hillis and Steele 1986), each doubling how far every element has looked ahead.
    axis = _cumulative_axis(axis, len(x_shape), "cumulative_prod")
    s = moveaxis(_without_initial(g, axis, include_initial), axis, -1)
    x = moveaxis(x, axis, -1)
    size = x_shape[axis]
    before = cumulative_prod(x, axis=-1, include_initial=True)[..., :-1]
    factor = _shifted(x, 1, ones_like) if size else x
    step = 1
    while step < size:
        s = s + factor * _shifted(s, step, zeros_like)
        factor = factor * _shifted(factor, step, ones_like)
        step *= 2
    return moveaxis(before * s, -1, axis)


def _shifted(x: Any, step: int, fill: Any) -> Any:
    return concat([x[..., step:], fill(x[..., :step])], axis=-1)


@primitive(standard=True, casts=True, x=_cumulative_prod_rule)
def _cumulative_prod(
    x: Any, /, *, axis: int | None = None, dtype: DTypeLike | None = None, include_initial: bool = False
) -> Any:
    return array_namespace(x).cumulative_prod(
        x, axis=_cumulative_axis(axis, len(x.shape), "cumulative_prod"),
        dtype=native_dtype(x, dtype), include_initial=include_initial,
    )  # fmt: skip


@composite
def cumulative_prod(x: A, /, *, axis: int | None = None, dtype: DTypeLike | None = None, include_initial: bool = False) -> A:
    """Products of the elements up to and including each one, along `axis`; with a 1 in front if `include_initial`.

    The gradient is right where elements are zero.
    Raises ShapeError if `axis` is out of range, or left out for an array that is not 1-d; DTypeError for complex x and a
    real `dtype`.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.cumulative_prod.html
    """
    if dtype is not None:
        refuse_complex("cumulative_prod", x, dtype)
    out: A = _cumulative_prod(x, axis=axis, dtype=dtype, include_initial=include_initial)
    return out


@primitive(standard=True, x=None)
def all(x: A, /, *, axis: Axes = None, keepdims: bool = False) -> A:
    """Whether every element over `axis` is true (not zero). A constant.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.all.html
    """
    return array_namespace(x).all(x, axis=axis, keepdims=keepdims)


@primitive(standard=True, x=None)
def any(x: A, /, *, axis: Axes = None, keepdims: bool = False) -> A:
    """Whether some element over `axis` is true (not zero). A constant.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.any.html
    """
    return array_namespace(x).any(x, axis=axis, keepdims=keepdims)


@primitive(standard=True, x=None)
def count_nonzero(x: A, /, *, axis: Axes = None, keepdims: bool = False) -> A:
    """How many elements over `axis` are not zero. A constant.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.count_nonzero.html
    """
    return array_namespace(x).count_nonzero(x, axis=axis, keepdims=keepdims)


@composite
def diff(x: A, /, *, axis: int = -1, n: int = 1, prepend: A | None = None, append: A | None = None) -> A:
    """The n-th difference along `axis`: ``x[i + 1] - x[i]``, repeated; `prepend` and `append` are joined to x before.

    Raises ShapeError if `axis` is out of range, OptionError for a negative n.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.diff.html
    """
    if n < 0:
        raise OptionError(f"diff: n is {n}, expected 0 or more")
    if n == 0:
        return x
    axis = normalize_axis(axis, len(x.shape), "diff")  # type: ignore[attr-defined]
    parts = [part for part in (prepend, x, append) if part is not None]
    y: Any = concat(parts, axis=axis) if len(parts) > 1 else x
    before = (slice(None),) * axis
    size = y.shape[axis]
    for _ in range(n if n < size else size):  # then no elements are left, and their differences are as few
        later, earlier = y[(*before, slice(1, None), ...)], y[(*before, slice(None, -1), ...)]
        y = not_equal(later, earlier) if "bool" in str(y.dtype) else later - earlier
    out: A = y
    return out
