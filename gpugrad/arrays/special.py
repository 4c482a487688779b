"""Special functions of raw arrays: scipy.special's on the CPU, cupyx.scipy.special's on a GPU, each loaded with its first call."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import numpy
from array_api_compat import array_namespace

from gpugrad.arrays.devices import import_cupy, say_once, to_numpy
from gpugrad.arrays.dtypes import float32, float64, int64, numpy_dtype, real_dtype
from gpugrad.arrays.kernels import WEAK, is_cupy
from gpugrad.errors import UntraceableError

_NUMPY = (numpy.ndarray, numpy.generic)
_COUNTED = {"bdtr": 1, "bdtrc": 1, "bdtri": 1, "eval_hermite": 0, "eval_hermitenorm": 0}
"""Functions with an operand, this one of theirs, that SciPy wants as integers: a number of trials, a degree."""


@functools.cache
def _scipy(name: str) -> Any:
    return getattr(importlib.import_module("scipy.special"), name)  # slow to import, and most programs need none of it


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


def evaluate(name: str, *operands: Any) -> Any:
    """``scipy.special.<name>(*operands)`` in the library of the operands: NumPy's, CuPy's or any other of the standard.

    Integers and booleans are computed with in float64, as SciPy does, numbers of 16 bits in float32, and rounded once; Python
    numbers widen no array. What cupyx.scipy.special lacks, and what another library is asked for, is computed on the CPU and
    goes back to where the operands are; for CuPy that is said once.
    """
    like = next((x for x in operands if type(x) not in WEAK and not isinstance(x, _NUMPY)), None)
    if like is None:
        return _computed(name, _scipy(name), operands)
    if hasattr(type(like), "__gpugrad_kernels__"):
        return _traced(name, operands)
    if not is_cupy(type(like)):
        # Not to_numpy(): array-api-strict gives up an array of its pretend devices only to who asks for the CPU.
        host = (numpy.from_dlpack(x, device="cpu") if hasattr(x, "__dlpack__") else x for x in operands)
        return array_namespace(like).asarray(numpy.asarray(evaluate(name, *host)), device=like.device)
    function = _cupyx(name) or _COMPOSED.get(name)
    if function is not None and (_takes_complex(function) or not any(map(_is_complex, operands))):
        return _computed(name, function, operands)
    say_once(f"{name}: CuPy has no kernel for it, so it is computed on the CPU, and the arrays travel there and back")
    return import_cupy().asarray(evaluate(name, *(to_numpy(x) if is_cupy(type(x)) else x for x in operands)))


def _computed(name: str, function: Any, operands: tuple[Any, ...]) -> Any:
    """`function`, called with dtypes for which SciPy and CuPy both have loops and choose the same."""
    given = [numpy_dtype(x.dtype) for x in operands if hasattr(x, "dtype")]
    wide = numpy.result_type(*map(_wide, given)) if given else float64
    taken = [x.astype(_wide(numpy_dtype(x.dtype)), copy=False) if hasattr(x, "dtype") else _scalar(x, wide) for x in operands]
    if name in _COUNTED:
        counted = _COUNTED[name]
        taken[counted] = taken[counted].astype(int64)
    out = function(*taken)
    precision = numpy.result_type(*given) if given and all(map(_is_half, given)) else wide
    return tuple(_with(x, precision) for x in out) if isinstance(out, tuple) else _with(out, precision)


def _with(x: Any, precision: Any) -> Any:
    """x in this precision, real or complex as it is: some functions have loops of float64 in front of those of float32."""
    dtype = numpy.result_type(real_dtype(_wide(precision)), numpy.complex64) if x.dtype.kind == "c" else real_dtype(precision)
    return x if x.dtype == dtype else x.astype(dtype)


def _wide(dtype: Any) -> Any:
    """The dtype to compute with for numbers of this one."""
    return float64 if dtype.kind in "biu" else float32 if _is_half(dtype) else dtype


def _scalar(number: Any, dtype: Any) -> Any:
    """A Python number as a scalar that does not widen arrays of this dtype."""
    real = real_dtype(dtype)
    return numpy.result_type(real, numpy.complex64).type(number) if type(number) is complex else real.type(number)


def _is_half(dtype: Any) -> bool:
    """Whether numbers of this dtype are floating-point and have 16 bits: float16 and bfloat16."""
    return bool(dtype.itemsize == 2 and dtype.kind in "fV")


def _is_complex(x: Any) -> bool:
    return type(x) is complex or (hasattr(x, "dtype") and numpy_dtype(x.dtype).kind == "c")


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
