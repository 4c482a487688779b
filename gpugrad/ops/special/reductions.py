"""The logarithm of a sum of exponentials."""

from __future__ import annotations

from typing import Any

import numpy

from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.arrays.kernels import WEAK, strong
from gpugrad.families import composite, primitive
from gpugrad.ops.elementwise import abs, exp, imag, isfinite, isinf, log, log1p, real, sign, where
from gpugrad.ops.reduction import max, sum
from gpugrad.ops.shape import broadcast_arrays, normalize_axis, squeeze
from gpugrad.ops.special.family import inexact
from gpugrad.tape import Tensor, raw

_INF = float("inf")


def inexact_array(x: Any) -> Any:
    """x with integers as float64, a Python number as an array of NumPy."""
    return numpy.asarray(inexact(x)) if type(x) in WEAK else inexact(x)


def _is_complex(x: Any) -> bool:
    return numpy_dtype(x.dtype).kind == "c"


def _shifted(a: Any, b: Any, axis: tuple[int, ...]) -> tuple[Any, Any, Any]:
    """b * exp(a - top), exp(a - top), and top, the largest a of those that count; an infinite top is 0 above itself."""
    values, weights = raw(a), raw(b)
    counted = values if weights is None else where(weights == 0, -_INF, values)
    size = real(counted)
    top = max(size, axis=axis, keepdims=True)
    infinite = isinf(top)
    # Where the largest is infinite, what is smaller does not count, and must not overflow.
    edge = where((size == top) & (top > 0), 0.0, -_INF)
    exponentials = exp(where(infinite, edge, a - where(infinite, 0, top)))
    if b is None:
        return exponentials, exponentials, top
    none = (weights == 0) & ~isfinite(raw(exponentials))
    return where(none, 0, where(none, 0, exponentials) * b), exponentials, top


def _over_sum(terms: Any, numerator: Any, top: Any, axis: tuple[int, ...]) -> Any:
    """numerator / sum(terms); the numerator where nothing counts."""
    return numerator / where(top == -_INF, 1, sum(terms, axis=axis, keepdims=True))


def _rule_a(g: Any, a: Any, b: Any, axis: tuple[int, ...]) -> Any:
    terms, _, top = _shifted(a, b, axis)
    return g * _over_sum(terms, terms, top, axis)


def _rule_b(g: Any, a: Any, b: Any, axis: tuple[int, ...]) -> Any:
    terms, exponentials, top = _shifted(a, b, axis)
    return g * _over_sum(terms, exponentials, top, axis)


@primitive(a=_rule_a, b=_rule_b)
def _log_sum_exp(a: Any, b: Any, /, *, axis: tuple[int, ...]) -> Any:
    """log(abs(sum(b * exp(a)))) along `axis`, which stays with size 1; without abs for complex numbers."""
    terms, _, top = _shifted(a, b, axis)
    # log1p keeps the digits of a sum near 1: of 1, the largest terms, and the others, which may be very small.
    size = real(a if b is None else where(b == 0, -_INF, a))
    peak = (size == top) & (not _is_complex(terms))
    main = sum(where(peak, terms, 0), axis=axis, keepdims=True)
    rest = sum(where(peak, 0, terms), axis=axis, keepdims=True)
    return where(top == -_INF, 0, top) + _log_of_sum(main, rest)


def _log_of_sum(main: Any, rest: Any) -> Any:
    alone = (main == 0) | isinf(main)
    other = where(alone, main + rest, main)
    zero = other == 0
    ratio = where(alone, 0, rest / where(alone, 1, main))
    if _is_complex(other):
        return where(zero, -_INF, log(where(zero, 1, other)))
    folded = where(ratio < -1, -2 - ratio, ratio)
    nothing = folded == -1
    value = log(abs(where(zero, 1, other))) + log1p(where(nothing, 0, folded))
    return where(zero | nothing, -_INF, value)


def _sign_of_sum(a: Any, b: Any, out: Any, axis: tuple[int, ...]) -> Any:
    """The sign of the sum of which out is the logarithm: 0 where that is -inf."""
    return where(out == -_INF, 0, sign(sum(_shifted(a, b, axis)[0], axis=axis, keepdims=True)))


@composite
def logsumexp(
    a: Any, axis: int | tuple[int, ...] | None = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """log(sum(b * exp(a))) over `axis` (all axes for None), without overflow; `b` is 1 where it is left out.

    Elements of weight 0 do not count, whatever they are. Where the sum is negative the result is nan; with `return_sign` it is the pair of
    log(abs(sum)) and the sign of the sum, which for complex numbers is sum / abs(sum). The sum of nothing is 0.
    Shapes: a and b broadcast. Dtypes: real and complex floating; integers are taken as float64.
    Differentiable. Where the result is inf, the gradient goes to the elements that are; where it is -inf, it is 0.

    Raises ShapeError if an axis is out of range or the shapes do not broadcast, DTypeError for a dtype that it does not take.
    Source: https://docs.scipy.org/doc/scipy/reference/generated/scipy.special.logsumexp.html
    """
    a = inexact_array(a)
    if b is not None:
        a, b = broadcast_arrays(a, strong(b, raw(a)) if type(b) in WEAK else inexact(b))
    chosen = tuple(range(a.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(normalize_axis(i, a.ndim, "logsumexp") for i in chosen)
    nothing = not all(a.shape[i] for i in axes)
    out = sum(a, axis=axes, keepdims=True) - _INF if nothing else _log_sum_exp(a, b, axis=axes)
    signs = None
    if nothing:
        signs = where(out == -_INF, 0, out)
    elif return_sign and _is_complex(out):
        signs = where(out == -_INF, 0, exp(imag(out) * 1j))
        out = real(out)
    elif return_sign or (b is not None and not _is_complex(out)):
        signs = _sign_of_sum(raw(a), raw(b), raw(out), axes)
        signs = Tensor(signs) if isinstance(out, Tensor) else signs  # a constant
        out = out if return_sign else where(signs < 0, float("nan"), out)
    if not keepdims:
        out, signs = squeeze(out, axes), None if signs is None else squeeze(signs, axes)
    return (out, signs) if return_sign else out
