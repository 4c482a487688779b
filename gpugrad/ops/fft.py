"""Discrete Fourier transforms: three n-dimensional primitives of full length and one of half a spectrum; the rest is made of them.

A transform is linear, so its rule is its transpose. The matrix of the discrete Fourier transform is symmetric, ``F.T == F``: the
transpose of ``fft`` is ``fft`` itself, with the same `norm`. ``rfft`` keeps one half of the spectrum of a real array and ``irfft``
sees only that half, so they are each other's transposes up to the weight 2 of the frequencies that stand for two.

Standard: https://data-apis.org/array-api/latest/extensions/fourier_transform_functions.html
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy
from array_api_compat import array_namespace

from gpugrad.arrays.devices import DeviceLike
from gpugrad.arrays.dtypes import DTypeLike, complex64, default_dtype, float64, numpy_dtype
from gpugrad.arrays.explain import describe
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.families import A, composite, primitive
from gpugrad.ops.creation import arange, raw_full
from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import conj
from gpugrad.ops.indexing import getitem, put
from gpugrad.ops.shape import as_shape, concat, normalize_axis, roll
from gpugrad.tape import Tensor, raw

Norm: TypeAlias = Literal["backward", "ortho", "forward"]

# The norm under which the transform in the other direction has the same factor.
_OTHER: dict[str, Norm] = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


# Primitives: sizes and axes are checked, axes are not negative ------------------------------------------------------


def _transform(name: str, x: Any, axes: tuple[int, ...], norm: str) -> Any:
    """``fft.<name>`` of the library of x over one axis, ``fft.<name>n`` over several."""
    functions = array_namespace(x).fft
    if len(axes) == 1 or 0 in x.shape:  # which CuPy refuses over several axes: the shape and the dtype follow from the last one
        return getattr(functions, name)(x, axis=axes[-1], norm=norm)
    return getattr(functions, f"{name}n")(x, axes=axes, norm=norm)


@primitive(cancels=True, x=lambda g, axes, norm: _fftn(g, axes, norm))
def _fftn(x: Any, /, axes: tuple[int, ...], norm: str) -> Any:
    return _transform("fft", x, axes, norm)


@primitive(cancels=True, x=lambda g, axes, norm: _ifftn(g, axes, norm))
def _ifftn(x: Any, /, axes: tuple[int, ...], norm: str) -> Any:
    return _transform("ifft", x, axes, norm)


def _rfftn_rule(g: Any, axes: tuple[int, ...], norm: str, x_shape: tuple[int, ...]) -> Any:
    n = x_shape[axes[-1]]
    return _irfftn(_weighted(conj(g), axes[-1], n, 0.5), n, axes, _OTHER[norm])


@primitive(cancels=True, x=_rfftn_rule)
def _rfftn(x: Any, /, axes: tuple[int, ...], norm: str) -> Any:
    return _transform("rfft", x, axes, norm)


def _irfft_rule(g: Any, n: int, axis: int, norm: str) -> Any:
    return _weighted(conj(_rfftn(g, (axis,), _OTHER[norm])), axis, n, 2.0)


@primitive(cancels=True, x=_irfft_rule)
def _irfft(x: Any, /, n: int, axis: int, norm: str) -> Any:
    return array_namespace(x).fft.irfft(x, n=n, axis=axis, norm=norm)


def _irfftn(x: Any, n: int, axes: tuple[int, ...], norm: str) -> Any:
    """irfftn. The last axis apart: what cuFFT makes of a half that belongs to no real array is undefined over several axes."""
    if len(axes) > 1:
        x = _ifftn(x, axes[:-1], norm)
    return _irfft(x, n, axes[-1], norm)


def _weighted(x: Any, axis: int, n: int, weight: float) -> Any:
    """Half a spectrum times `weight`, but for the frequencies that have no counterpart: 0 and, for even n, n / 2."""
    single = (slice(None),) * axis + (slice(None, None, n if n % 2 else n // 2),)
    return put(x * weight, getitem(x, single), single)


# Arguments ----------------------------------------------------------------------------------------------------------


class _Plan(NamedTuple):
    """What to transform: `x` of the dtype that is transformed, `axes` from 0 on, `sizes` along them in the time domain."""

    x: Any
    axes: tuple[int, ...]
    sizes: tuple[int, ...]


def _integer(name: str, what: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise DTypeError(f"{name}: {what} is {value!r}, expected an integer") from None


def _shape(name: str, x: Any) -> tuple[int, ...]:
    if not hasattr(x, "dtype"):
        raise DTypeError(f"{name}: got {describe(x)}, expected a Tensor or an array; convert it with gg.asarray")
    return tuple(x.shape)


def _several(name: str, what: str, values: Any) -> tuple[Any, ...]:
    try:
        return as_shape(values)
    except TypeError:
        raise DTypeError(f"{name}: {what} are {values!r}, expected integers") from None


def _axes(name: str, axes: int | Sequence[int], ndim: int) -> tuple[int, ...]:
    given = _several(name, "axes", axes)
    found = tuple(normalize_axis(axis, ndim, name) for axis in given)
    if len(set(found)) < len(found):
        raise ShapeError(f"{name}: axes are {given} for an array of {ndim} dimensions, expected each of them once")
    return found


def _plan(name: str, x: Any, s: Sequence[int | None] | None, axes: Sequence[int] | None, norm: Any, time: str) -> _Plan:
    """The arguments of a transform, checked. `time` says what x is: "complex", "real", or "half" a spectrum of a real result."""
    shape = _shape(name, x)
    dtype = numpy_dtype(x.dtype)
    if dtype.kind not in ("f" if time == "real" else "fc"):
        expected = (
            "real floating-point (for complex numbers there is fft)" if time == "real" else "real or complex floating-point"
        )
        raise DTypeError(f"{name}: got {dtype} {shape}, expected {expected}")
    if norm not in tuple(_OTHER):
        raise OptionError(f"{name}: norm is {norm!r}, expected 'backward', 'ortho' or 'forward'")
    s = None if s is None else _several(name, "sizes", s)
    if axes is None:
        axes = range(len(shape)) if s is None else range(-len(s), 0)
    axes = _axes(name, axes, len(shape))
    s = (None,) * len(axes) if s is None else s
    if len(s) != len(axes):
        raise ShapeError(f"{name}: s is {s} for axes {axes}, expected as many sizes as axes")
    if not axes and time != "complex":
        raise ShapeError(f"{name}: got shape {shape} and no axes, expected one or more")
    whole = [shape[axis] for axis in axes]
    if time == "half":
        whole[-1] = 2 * (whole[-1] - 1)
    given = (None if n is None else _integer(name, "the size of an axis", n) for n in s)
    sizes = tuple(size if n is None or n == -1 else n for n, size in zip(given, whole, strict=True))
    if min(sizes, default=1) < 1:
        raise ShapeError(f"{name}: got shape {shape}, with sizes {sizes} along axes {axes}, expected 1 or more along each")
    if time != "real" and (dtype.kind == "f" or not axes):
        x = astype(x, numpy.result_type(dtype, complex64))
    return _Plan(_resized(x, axes, (*sizes[:-1], sizes[-1] // 2 + 1) if time == "half" else sizes), axes, sizes)


def _plan_one(name: str, x: Any, n: int | None, axis: int, norm: Any, time: str) -> _Plan:
    """The same along one axis, where -1 is no size."""
    if n is not None and _integer(name, "n", n) < 1:
        raise ShapeError(f"{name}: n is {n}, expected 1 or more")
    return _plan(name, x, (n,), (axis,), norm, time)


def _resized(x: Any, axes: tuple[int, ...], sizes: tuple[int, ...]) -> Any:
    """x cut off, or continued with zeros, to `sizes` along `axes`."""
    for axis, size in zip(axes, sizes, strict=True):
        missing = size - x.shape[axis]
        if missing < 0:
            x = getitem(x, (slice(None),) * axis + (slice(size),))
        elif missing > 0:
            array = raw(x)
            zeros = raw_full(array, (*array.shape[:axis], missing, *array.shape[axis + 1 :]), 0, array.dtype)
            x = concat((x, Tensor(zeros) if isinstance(x, Tensor) else zeros), axis=axis)
    return x


# The functions of the standard --------------------------------------------------------------------------------------


@composite
def fft(x: A, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> A:
    """The discrete Fourier transform along `axis`: ``out[k] = sum_j x[j] exp(-2 pi i j k / n)`` for k = 0, ..., n - 1.

    x is cut off after `n` elements or continued with zeros; without `n` it is taken as it is. The sum is multiplied by 1 for the norm
    "backward", 1/sqrt(n) for "ortho", 1/n for "forward". Shapes: `n` along `axis`, the others stay. Dtypes: float32 and complex64 give
    complex64, float64 and complex128 give complex128. Differentiable.

    Raises ShapeError for n < 1 and for an axis out of range, DTypeError for integers and booleans, OptionError for another norm.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.fft.fft.html
    """
    plan = _plan_one("fft", x, n, axis, norm, "complex")
    return _fftn(plan.x, plan.axes, norm)


@composite
def ifft(x: A, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> A:
    """The inverse of :func:`fft`: ``out[j] = 1/n sum_k x[k] exp(2 pi i j k / n)`` for j = 0, ..., n - 1.

    The factor is 1/n for the norm "backward", 1/sqrt(n) for "ortho", 1 for "forward". `n`, shapes, dtypes and errors: as fft.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.fft.ifft.html
    """
    plan = _plan_one("ifft", x, n, axis, norm, "complex")
    return _ifftn(plan.x, plan.axes, norm)


@composite
def fftn(x: A, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: Norm = "backward") -> A:
    """:func:`fft` along each of `axes` in turn: ``out[k] = sum_j x[j] exp(-2 pi i sum_a j[a] k[a] / s[a])``.

    `s` are the numbers of points, one for each axis; -1 takes an axis as it is. Without `axes` all are transformed, or the last
    ``len(s)`` ones. n in the factor of a norm is ``prod(s)``. Dtypes: as fft.

    Raises ShapeError for sizes < 1, for as many of them as there are not axes, and for an axis out of range or named twice; DTypeError
    for integers and booleans, OptionError for another norm.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.fft.fftn.html
    """
    plan = _plan("fftn", x, s, axes, norm, "complex")
    return _fftn(plan.x, plan.axes, norm) if plan.axes else plan.x


@composite
def ifftn(x: A, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: Norm = "backward") -> A:
    """The inverse of :func:`fftn`: :func:`ifft` along each of `axes`. `s`, dtypes and errors: as fftn.

    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.fft.ifftn.html
    """
    plan = _plan("ifftn", x, s, axes, norm, "complex")
    return _ifftn(plan.x, plan.axes, norm) if plan.axes else plan.x


@composite
def rfft(x: A, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> A:
    """The first half of :func:`fft` of a real array, ``out[k]`` for k = 0, ..., n // 2: the others are ``out[n - k] = conj(out[k])``.

    Shapes: ``n // 2 + 1`` along `axis`. Dtypes: float32 gives complex64, float64 complex128. `n`, norm and errors: as fft, and
    DTypeError for complex x.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.fft.rfft.html
    """
    plan = _plan_one("rfft", x, n, axis, norm, "real")
    return _rfftn(plan.x, plan.axes, norm)


@composite
def irfft(x: A, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> A:
    """The inverse of :func:`rfft`: the real array of `n` elements of which x is the first half of the spectrum.

    Without `n` it has ``2 * (x.shape[axis] - 1)``: for an odd number name it. Of x[0] and, for even n, x[n // 2] only the real parts
    count: the gradient of their imaginary parts is zero. Shapes: `n` along `axis`; x is cut off or continued with zeros to n // 2 + 1.
    Dtypes: complex64 gives float32, complex128 float64. Norm: as ifft. Errors: as fft.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.fft.irfft.html
    """
    plan = _plan_one("irfft", x, n, axis, norm, "half")
    return _irfftn(plan.x, plan.sizes[-1], plan.axes, norm)


@composite
def rfftn(x: A, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: Norm = "backward") -> A:
    """:func:`fftn` of a real array, the first half along the last of `axes`: :func:`rfft` along it, then fft along the others.

    Shapes: ``s[-1] // 2 + 1`` along the last axis, `s` along the others. Dtypes: as rfft. `s` and errors: as fftn, and DTypeError for
    complex x, ShapeError if there is no axis.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.fft.rfftn.html
    """
    plan = _plan("rfftn", x, s, axes, norm, "real")
    return _rfftn(plan.x, plan.axes, norm)


@composite
def irfftn(x: A, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: Norm = "backward") -> A:
    """The inverse of :func:`rfftn`: :func:`ifft` along all of `axes` but the last, then :func:`irfft` along it.

    Shapes: `s` along the axes; without it, or for -1, ``2 * (x.shape[axis] - 1)`` along the last axis. Dtypes: as irfft. Errors: as rfftn.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.fft.irfftn.html
    """
    plan = _plan("irfftn", x, s, axes, norm, "half")
    return _irfftn(plan.x, plan.sizes[-1], plan.axes, norm)


@composite
def hfft(x: A, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> A:
    """The spectrum, which is real, of an array with ``x[n - j] = conj(x[j])`` of which x is the first half: :func:`fft` of the whole.

    ``hfft(x, n=n) = n * irfft(conj(x), n=n)``. Norm: as fft. `n`, shapes, dtypes and errors: as irfft.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.fft.hfft.html
    """
    plan = _plan_one("hfft", x, n, axis, norm, "half")
    return _irfftn(conj(plan.x), plan.sizes[-1], plan.axes, _OTHER[norm])


@composite
def ihfft(x: A, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> A:
    """The inverse of :func:`hfft`: the first half of :func:`ifft` of a real array.

    ``ihfft(x, n=n) = conj(rfft(x, n=n)) / n``. Norm: as ifft. `n`, shapes, dtypes and errors: as rfft.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.fft.ihfft.html
    """
    plan = _plan_one("ihfft", x, n, axis, norm, "real")
    return conj(_rfftn(plan.x, plan.axes, _OTHER[norm]))


# Frequencies --------------------------------------------------------------------------------------------------------


def _frequencies(
    name: str, n: int, d: float, ranges: Callable[[int], tuple[range, ...]], dtype: DTypeLike | None, device: DeviceLike | None
) -> Tensor:
    """The integers of `ranges(n)`, over n d."""
    n = _integer(name, "n", n)
    if n < 1:
        raise ShapeError(f"{name}: n is {n}, expected 1 or more")
    try:
        frequency = 1.0 / (n * float(d))
    except (TypeError, ValueError, ZeroDivisionError):
        raise OptionError(f"{name}: d is {d!r}, expected the distance between two samples, a number that is not 0") from None
    target = default_dtype("f") if dtype is None else numpy_dtype(dtype)
    if target.kind != "f":
        raise DTypeError(f"{name}: dtype is {target}, expected a real floating-point one")
    # In float64, and rounded once: float32 does not hold every integer.
    numbers = [arange(r.start, r.stop, dtype=float64, device=device) for r in ranges(n)]
    return astype(concat(numbers) * frequency, target, copy=False)


@composite
def fftfreq(n: int, /, *, d: float = 1.0, dtype: DTypeLike | None = None, device: DeviceLike | None = None) -> Tensor:
    """The frequencies of the `n` results of :func:`fft`: ``[0, 1, ..., (n - 1) // 2, -(n // 2), ..., -1] / (n d)``.

    `d` is the distance between two samples. A real floating dtype, the default one if none is asked for.
    Raises ShapeError for n < 1, OptionError for d = 0, DTypeError for another dtype and an n that is no integer.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.fft.fftfreq.html
    """
    return _frequencies("fftfreq", n, d, lambda n: (range((n + 1) // 2), range(-(n // 2), 0)), dtype, device)


@composite
def rfftfreq(n: int, /, *, d: float = 1.0, dtype: DTypeLike | None = None, device: DeviceLike | None = None) -> Tensor:
    """The frequencies of the results of :func:`rfft` of `n` points: ``[0, 1, ..., n // 2] / (n d)``. Dtypes and errors: as fftfreq.

    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.fft.rfftfreq.html
    """
    return _frequencies("rfftfreq", n, d, lambda n: (range(n // 2 + 1),), dtype, device)


def _shift(name: str, x: A, axes: int | Sequence[int] | None, shift: Callable[[int], int]) -> A:
    shape = _shape(name, x)
    found = _axes(name, range(len(shape)) if axes is None else axes, len(shape))
    return roll(x, tuple(shift(shape[axis]) for axis in found) or 0, axis=found or None)


@composite
def fftshift(x: A, /, *, axes: int | Sequence[int] | None = None) -> A:
    """x rolled by half its size along `axes`, all of them for None, so that frequency zero stands in the middle, at n // 2.

    Shapes and dtypes: any, and they stay. Differentiable. Raises ShapeError for an axis out of range or named twice.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.fft.fftshift.html
    """
    return _shift("fftshift", x, axes, lambda n: n // 2)


@composite
def ifftshift(x: A, /, *, axes: int | Sequence[int] | None = None) -> A:
    """The inverse of :func:`fftshift`, from which it differs by one position where a size is odd. Errors: as fftshift.

    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.fft.ifftshift.html
    """
    return _shift("ifftshift", x, axes, lambda n: -(n // 2))
