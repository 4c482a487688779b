"""Data types: conversion and inspection. Every dtype here is a NumPy dtype, on every backend."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy
from array_api_compat import array_namespace

from gpugrad.arrays.dtypes import DType, DTypeLike, is_inexact, native_dtype, numpy_dtype
from gpugrad.arrays.dtypes import result_type as promoted
from gpugrad.arrays.explain import describe
from gpugrad.arrays.kernels import WEAK
from gpugrad.errors import DTypeError, OptionError
from gpugrad.families import A, composite, primitive
from gpugrad.ops.transfer import to_device
from gpugrad.tape import Tensor, raw

_KINDS = {
    "bool": "b", "signed integer": "i", "unsigned integer": "u", "integral": "iu", "real floating": "f",
    "complex floating": "c", "numeric": "iufc",
}  # fmt: skip


@primitive(x=lambda g: g)  # the engine casts a gradient to the dtype of what it belongs to
def _astype(x: Any, dtype: Any, /, *, copy: bool) -> Any:
    return array_namespace(x).astype(x, native_dtype(x, dtype), copy=copy)


def refuse_complex(name: str, x: Any, dtype: Any) -> None:
    """Raise DTypeError if x is complex and `dtype` is real: half of x would be lost, on some backends in silence."""
    x = raw(x)
    if isinstance(x, complex) or (hasattr(x, "dtype") and numpy_dtype(x.dtype).kind == "c"):
        target = numpy_dtype(dtype)
        if target.kind not in "cb":
            raise DTypeError(f"{name}: got {describe(x)} for dtype {target}; a complex array has two: gg.real(x), gg.imag(x)")


@composite
def astype(x: A, dtype: DTypeLike, /, *, copy: bool = True, device: Any = None) -> A:
    """x in another dtype, on `device` if one is given; x itself if nothing changes and `copy` is False.

    The gradient is cast back. A conversion to integers or booleans is a constant.
    Raises DTypeError for an unknown dtype, and for complex to real (take the real part with :func:`real`).
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.astype.html
    """
    array = raw(x)
    target = numpy_dtype(dtype) if not isinstance(dtype, type(array.dtype)) else dtype
    refuse_complex("astype", array, target)
    out: Any
    if not copy and numpy_dtype(array.dtype) == numpy_dtype(target):
        out = x
    elif not is_inexact(target):
        out = _astype(array, target, copy=copy)
        out = Tensor(out) if isinstance(x, Tensor) else out
    else:
        out = _astype(x, target, copy=copy)
    return out if device is None else to_device(out, device)


def can_cast(from_: Any, to: DTypeLike, /) -> bool:
    """Whether a dtype, or the dtype of an array, converts to `to` by the standard's promotion rules.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.can_cast.html
    """
    return bool(numpy.can_cast(_dtype(from_), numpy_dtype(to)))


def result_type(*arrays_and_dtypes: Any) -> DType:
    """The dtype to which arrays, dtypes and Python numbers promote; Python numbers never widen.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.result_type.html
    """
    return promoted(*(x if type(x) in WEAK else _dtype(x) for x in arrays_and_dtypes))


class FloatInfo(NamedTuple):
    """Limits of a floating-point dtype, as Python floats; of complex dtypes, those of their parts."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: DType


def finfo(type: Any, /) -> FloatInfo:
    """Limits of a floating-point dtype, or of an array's: bits, eps, max, min, smallest_normal, dtype.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.finfo.html
    """
    dtype = _dtype(type)
    if dtype.name == "bfloat16":  # of ml_dtypes, unknown to NumPy: the exponents of float32 and 8 bits of precision
        largest = (2 - 2.0**-7) * 2.0**127
        return FloatInfo(16, 2.0**-7, largest, -largest, 2.0**-126, dtype)
    info = numpy.finfo(dtype)
    eps, largest, lowest, normal = map(float, (info.eps, info.max, info.min, info.smallest_normal))
    return FloatInfo(int(info.bits), eps, largest, lowest, normal, numpy.dtype(info.dtype))


def iinfo(type: Any, /) -> Any:
    """Limits of an integer dtype, or of an array's: bits, max, min, dtype.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.iinfo.html
    """
    return numpy.iinfo(_dtype(type))


def isdtype(dtype: DTypeLike, kind: Any) -> bool:
    """Whether `dtype` is of a kind: a dtype, a name of the standard such as "real floating", or a tuple of kinds.

    Raises OptionError for a kind that the standard does not know.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.isdtype.html
    """
    dtype = numpy_dtype(dtype)
    if isinstance(kind, tuple):
        return any(isdtype(dtype, k) for k in kind)
    if isinstance(kind, str):
        if kind not in _KINDS:
            raise OptionError(f"isdtype: unknown kind {kind!r}, expected one of {', '.join(_KINDS)}")
        return ("f" if dtype.name == "bfloat16" else dtype.kind) in _KINDS[kind]
    return bool(dtype == numpy_dtype(kind))


def _dtype(x: Any) -> DType:
    return numpy_dtype(x.dtype if hasattr(x, "dtype") and not isinstance(x, type) else x)
