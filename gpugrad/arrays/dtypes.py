"""Dtypes: NumPy's dtype objects on every backend, and their translation for arrays that have their own.

``gg.float32 == numpy.dtype("float32")`` holds whatever array a Tensor wraps, which is what third-party code expects.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import cache
from typing import Any, TypeAlias

import numpy
from array_api_compat import array_namespace

from gpugrad.errors import DTypeError
from gpugrad.modes import Default

DType: TypeAlias = "numpy.dtype[Any]"
DTypeLike: TypeAlias = "numpy.dtype[Any] | type | str"

bool_ = numpy.dtype("bool")
int8, int16, int32, int64 = map(numpy.dtype, ("int8", "int16", "int32", "int64"))
uint8, uint16, uint32, uint64 = map(numpy.dtype, ("uint8", "uint16", "uint32", "uint64"))
float16, float32, float64 = map(numpy.dtype, ("float16", "float32", "float64"))
complex64, complex128 = map(numpy.dtype, ("complex64", "complex128"))

_KINDS = "biufcV"  # V: bfloat16 of ml_dtypes

default_float = Default("gpugrad_default_dtype", float32)
"""Of floating-point arrays; see :func:`get_default_dtype`."""


def get_default_dtype() -> DType:
    """The dtype of floating-point arrays that gpugrad makes when none is asked for: float32 unless it was set."""
    dtype: DType = default_float.get()
    return dtype


def set_default_dtype(dtype: DTypeLike, /) -> None:
    """Set the default floating-point dtype to float16, float32 or float64; complex follows (complex128 with float64).

    Raises DTypeError for any other dtype.
    """
    dtype = numpy.dtype(dtype)
    if dtype.kind != "f":
        raise DTypeError(f"set_default_dtype: got {dtype}, expected a real floating-point dtype such as float32 or float64")
    default_float.set_everywhere(dtype)


def default_dtype(kind: str) -> DType:
    """The dtype that a Python number of this NumPy kind character becomes: "f", "c", "i" or "b"."""
    if kind == "f":
        return get_default_dtype()
    if kind == "c":
        return complex128 if get_default_dtype() == float64 else complex64
    return bool_ if kind == "b" else int64


def numpy_dtype(dtype: Any) -> DType:
    """The NumPy dtype for the dtype object of any array library.

    Raises DTypeError if it has no NumPy counterpart.
    """
    if isinstance(dtype, numpy.dtype):
        return dtype
    if not isinstance(dtype, Hashable):
        raise DTypeError(f"{dtype!r} is no dtype; pass a NumPy dtype such as gg.float32")
    return _translate(dtype)


@cache
def _translate(dtype: Any) -> DType:
    if isinstance(dtype, (str, type)):
        try:
            found = numpy.dtype(dtype)
        except TypeError:
            hint = "; import ml_dtypes first, which has it" if dtype == "bfloat16" else ""
            raise DTypeError(f"unknown dtype {dtype!r}: expected a NumPy dtype such as gg.float32, or its name{hint}") from None
        if found.kind not in _KINDS:
            raise DTypeError(f"dtype {dtype!r} is {found}, expected one of booleans or numbers, such as gg.float32")
        return found
    # array_api_strict.float32, torch.float32 and friends end in the standard's name when printed.
    name = str(dtype).rpartition(".")[2].strip("'>\" ")
    try:
        return numpy.dtype(name)
    except TypeError:
        raise DTypeError(
            f"{dtype!r} is not the dtype of an array that gpugrad knows; pass a NumPy dtype such as gg.float32"
        ) from None


def native_dtype(array: Any, dtype: Any) -> Any:
    """`dtype` as the array library of `array` spells it; None stays None."""
    if dtype is None:
        return None
    if isinstance(array.dtype, numpy.dtype):  # NumPy and CuPy
        return numpy_dtype(dtype)
    if dtype.__class__ is array.dtype.__class__:
        return dtype
    name = numpy_dtype(dtype).name
    namespace = array_namespace(array)
    if not hasattr(namespace, name):
        raise DTypeError(f"dtype {name}: {namespace.__name__} has none of this name")
    return getattr(namespace, name)


def is_inexact(dtype: Any) -> bool:
    """Whether arrays of this dtype can have a gradient: real or complex floating point."""
    dtype = numpy_dtype(dtype)
    return dtype.kind in "fc" or (dtype.kind == "V" and dtype.name == "bfloat16")  # NumPy computes names, at length


def result_type(*dtypes_and_numbers: Any) -> DType:
    """The dtype to which NumPy dtypes and Python numbers promote; unlike NumPy's, beside bfloat16 too a Python float widens nothing."""
    operands = dtypes_and_numbers
    if any(isinstance(x, numpy.dtype) and x.name == "bfloat16" for x in operands):
        operands = tuple(x for x in operands if type(x) not in (bool, int, float))
    return numpy.result_type(*operands)


def is_dtype(x: Any) -> bool:
    """Whether an argument of to() is a dtype rather than a device: gg.float64, float, "float64"."""
    if isinstance(x, str):
        try:
            numpy.dtype(x)
        except TypeError:
            return False
        return True
    return isinstance(x, (numpy.dtype, type))


def real_dtype(dtype: Any) -> DType:
    """The dtype of the real part: float32 for complex64, float64 for complex128, itself otherwise."""
    dtype = numpy_dtype(dtype)
    return numpy.dtype(f"float{dtype.itemsize * 4}") if dtype.kind == "c" else dtype
