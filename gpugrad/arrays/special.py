"""Special functions of raw arrays: scipy.special's on the CPU, cupyx.scipy.special's on a GPU, each loaded with its first call."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy
from array_api_compat import array_namespace

from gpugrad.arrays.devices import import_cupy, say_once, to_numpy
from gpugrad.arrays.dtypes import DType, float32, float64, int64, numpy_dtype, real_dtype
from gpugrad.arrays.kernels import WEAK, is_cupy
from gpugrad.errors import DTypeError, UntraceableError

_COUNTED = {"bdtr": 1, "bdtrc": 1, "bdtri": 1, "eval_hermite": 0, "eval_hermitenorm": 0}
"""Functions with an operand, this one of theirs, that SciPy wants as integers: a number of trials, a degree."""


@functools.cache
def _scipy(name: str) -> Any:
    found = getattr(importlib.import_module("scipy.special"), name)  # slow to import, and most programs need none of it
    return functools.partial(_ending_hyp1f1, found) if name == "hyp1f1" else found


def _ending_hyp1f1(hyp1f1: Any, a: Any, b: Any, x: Any) -> Any:
    """SciPy's hyp1f1, which runs without end for very large x: it is infinite long before, unless it is a polynomial, or b is as large."""
    if numpy.iscomplexobj(x):
        return hyp1f1(a, b, x)
    exponential = (numpy.abs(a) < 1e4) & (numpy.abs(b) < 1e4) & ((a > 0) | (a != numpy.floor(a)))
    return hyp1f1(a, b, numpy.where(exponential & (x > 1e5), x.dtype.type(1e5), x))


@functools.cache
def _cupyx(name: str) -> Any:
    return getattr(importlib.import_module("cupyx.scipy.special"), name, None)  # with its first array, as CuPy itself


def _complete(m: Any) -> Any:
    return _cupyx("ellipeinc")(m.dtype.type(numpy.pi / 2), m)


def _student(df: Any, t: Any) -> Any:
    """Abramowitz and Stegun 26.7.1: betainc gives the tail to the left."""
    tail = 0.5 * _cupyx("betainc")(0.5 * df, df.dtype.type(0.5), df / (df + t * t))
    return import_cupy().where(t < 0, tail, 1 - tail)


_COMPOSED: dict[str, Callable[..., Any]] = {
    "betaincc": lambda a, b, x: _cupyx("betainc")(b, a, 1 - x),
    "ellipe": _complete,
    "gdtrix": lambda a, b, p: _cupyx("gammaincinv")(b, p) / a,
    "stdtr": _student,
}
"""What cupyx.scipy.special lacks, made of what it has."""


def evaluate(name: str, *operands: Any, complex: bool = True) -> Any:
    """``scipy.special.<name>(*operands)`` in the library of the operands: NumPy's, CuPy's or any other of the standard.

    Integers and booleans are computed with in float64, as SciPy does, numbers of 16 bits in float32, and rounded once; Python
    numbers widen no array. What cupyx.scipy.special lacks, and what another library is asked for, is computed on the CPU and
    goes back to where the operands are; for CuPy that is said once. Raises DTypeError for complex operands if `complex` is False.
    """
    dtypes = [x.dtype for x in operands if type(x) is numpy.ndarray]
    if len(dtypes) == len(operands) and (loop := _loop(name, *dtypes)):
        return loop(*operands)
    kinds = [_kind(x) for x in operands]
    if not complex:
        _refuse_complex(name, kinds)
    like = next((x for x in operands if type(x) not in WEAK and not isinstance(x, (numpy.ndarray, numpy.generic))), None)
    if like is None:
        return _computed(name, _scipy(name), operands, kinds)
    if hasattr(type(like), "__gpugrad_kernels__"):
        return _traced(name, operands)
    if not is_cupy(type(like)):
        # Not to_numpy(): array-api-strict gives up an array of its pretend devices only to who asks for the CPU.
        host = (numpy.from_dlpack(x, device="cpu") if hasattr(x, "__dlpack__") else x for x in operands)
        return array_namespace(like).asarray(numpy.asarray(evaluate(name, *host)), device=like.device)
    function = _cupyx(name) or _COMPOSED.get(name)
    if function is not None and (_takes_complex(function) or not any(map(_is_complex, kinds))):
        return _computed(name, function, operands, kinds)
    say_once(f"{name}: CuPy has no kernel for it, so it is computed on the CPU, and the arrays travel there and back")
    return import_cupy().asarray(evaluate(name, *(to_numpy(x) if is_cupy(type(x)) else x for x in operands)))


@functools.cache
def _loop(name: str, *dtypes: DType) -> Any:
    """The usual case, quickly: SciPy's function, if arrays of these dtypes are all of one real precision, and so is what it gives."""
    function, (dtype, *others) = _scipy(name), dtypes
    if dtype not in (float32, float64) or any(x != dtype for x in others) or not isinstance(function, numpy.ufunc):
        return None
    given = () if name in _COUNTED else function.resolve_dtypes((*dtypes, *[None] * function.nout))[len(dtypes) :]
    return function if given and all(x == dtype for x in given) else None


Kind: TypeAlias = "DType | type"
"""What decides in which dtypes an operand is computed with: the dtype of an array, the type of a number."""


def _computed(name: str, function: Any, operands: tuple[Any, ...], kinds: list[Kind]) -> Any:
    """`function`, called with dtypes for which SciPy and CuPy both have loops and choose the same."""
    dtypes, precision = _dtypes(name, *kinds)
    out = function(*map(_taken, operands, dtypes))
    return tuple(_with(x, precision) for x in out) if type(out) is tuple else _with(out, precision)


@functools.cache
def _dtypes(name: str, *kinds: Kind) -> tuple[list[DType], DType]:
    """The dtype in which each operand is taken, and the one, real, in which the result is given."""
    given = [kind for kind in kinds if isinstance(kind, numpy.dtype)]
    wide = numpy.result_type(*map(_wide, given)) if given else float64
    real = real_dtype(wide)
    # What a Python number becomes, which widens no array.
    number: dict[type, DType] = {complex: numpy.result_type(real, numpy.complex64)}
    dtypes = [_wide(kind) if isinstance(kind, numpy.dtype) else number.get(kind, real) for kind in kinds]
    if name in _COUNTED:
        dtypes[_COUNTED[name]] = int64
    return dtypes, numpy.result_type(*given) if given and all(map(_is_half, given)) else real


def _taken(x: Any, dtype: DType) -> Any:
    if not hasattr(x, "dtype"):
        return dtype.type(x)
    return x if x.dtype == dtype else x.astype(dtype)


def _with(x: Any, precision: DType) -> Any:
    """x in this precision, real or complex as it is: some functions have loops of float64 in front of those of float32."""
    if x.dtype == precision:
        return x
    dtype = numpy.result_type(_wide(precision), numpy.complex64) if x.dtype.kind == "c" else precision
    return x if x.dtype == dtype else x.astype(dtype)


def _wide(dtype: DType) -> DType:
    """The dtype to compute with for numbers of this one."""
    return float64 if dtype.kind in "biu" else float32 if _is_half(dtype) else dtype


def _is_half(dtype: DType) -> bool:
    """Whether numbers of this dtype are floating-point and have 16 bits: float16 and bfloat16."""
    return dtype.itemsize == 2 and dtype.kind in "fV"


def _kind(x: Any) -> Kind:
    return numpy_dtype(x.dtype) if hasattr(x, "dtype") else type(x)


def _is_complex(kind: Kind) -> bool:
    return kind is complex or getattr(kind, "kind", "") == "c"


def _refuse_complex(name: str, kinds: list[Kind]) -> None:
    for kind in kinds:
        if _is_complex(kind):
            raise DTypeError(f"{name}: got {'a complex number' if kind is complex else kind}, expected real floating-point")


def _takes_complex(function: Any) -> bool:
    return any("D" in loop for loop in getattr(function, "types", ()))  # of the ufuncs of SciPy and of CuPy


def _traced(name: str, operands: tuple[Any, ...]) -> Any:
    """The function of arrays that are traced. Raises UntraceableError where compiled code has none."""
    kernels = next(x for x in operands if hasattr(type(x), "__gpugrad_kernels__")).__gpugrad_kernels__
    if name not in kernels:
        raise UntraceableError(f"{name} has no kernel")
    namespace = array_namespace(*(x for x in operands if hasattr(x, "dtype")))
    cast = (namespace.astype(x, float64) if hasattr(x, "dtype") and x.dtype.kind in "biu" else x for x in operands)
    return kernels[name](*cast)
