"""NumPy's products of matrices: matmul, and linear with its rules. Large ones run on the threads of the compiled kernels."""

from __future__ import annotations

import importlib
import math
from functools import cache
from typing import Any

import numpy
from numpy import matmul, ndarray

from gpugrad.arrays.spellings import Kernel, registrar

SPELLINGS: dict[str, Kernel] = {}
"""Kernels by the name of the op. Names in "_d" are rules."""

_spells = registrar(SPELLINGS)

_BLAS = frozenset("fdFD")  # dtypes, by their characters
_SEVERAL_THREADS = 2**18
"""Multiplications from which on OpenBLAS shares a product among its threads."""
_MANY = 2**14  # elements from which on a sum takes longer than finding a kernel for it


@cache
def kernels() -> Any:
    """The module of the kernels; None where NumPy's products are not those of OpenBLAS, and may be quicker (Accelerate, MKL)."""
    config: Any = numpy.show_config("dicts")
    if "openblas" not in config["Build Dependencies"].get("blas", {}).get("name", "").lower():
        return None
    return importlib.import_module("gpugrad.compile.product")  # with the first large product: many programs have none


def _large(x: Any, y: Any, bias: Any = None) -> Any:
    """x @ y + bias of arrays with two axes or more by our own threads; None where NumPy should do it."""
    found = kernels()
    return None if found is None else found.product(x, y, bias)


@_spells("matmul")
def _matmul(x: Any, y: Any, /) -> Any:
    if type(x) is type(y) is ndarray and x.dtype is y.dtype and x.dtype.char in _BLAS:
        if x.ndim == 2 == y.ndim:
            if x.size * y.shape[1] > _SEVERAL_THREADS:
                out = _large(x, y)
                if out is not None:
                    return out
            return x.dot(y)  # the same call of BLAS as matmul's, and where matrices are small half the time
        if x.ndim > 1 < y.ndim and x.shape[-2] * x.shape[-1] * y.shape[-1] > _SEVERAL_THREADS:
            out = _large(x, y)
            if out is not None:
                return out
    out = matmul(x, y)
    return out.astype(x.dtype) if x.dtype.kind == "V" == y.dtype.kind else out


@_spells("linear")
def _linear(x: Any, weight: Any, bias: Any, /) -> Any:
    if x.ndim > 2:  # one large product instead of a loop over small ones
        return _linear(_rows(x), weight, bias).reshape(*x.shape[:-1], weight.shape[0])
    if x.size * len(weight) > _SEVERAL_THREADS and x.ndim == 2 and type(x) is ndarray:
        out = _large(x, weight.T, bias)
        if out is not None:
            return out
    out = _matmul(x, weight.T)
    if bias is None:
        return out
    if bias.dtype is not out.dtype and numpy.result_type(out, bias) != out.dtype:
        return out + bias
    if x.ndim == 2 and len(x) == 1:  # without broadcasting in half the time
        row = out[0]
        row += bias
        return out
    out += bias
    return out


def _rows(x: Any) -> Any:
    """x as a matrix."""
    return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


@_spells("linear_dinput")
def _linear_dinput(g: Any, weight: Any, /) -> Any:
    return _linear(g, weight.T, None)


@_spells("linear_dweight")
def _linear_dweight(g: Any, x: Any, /) -> Any:
    return _matmul(g.T, x) if x.ndim == 2 else _matmul(_rows(g).T, _rows(x))


@_spells("linear_dbias")
def _linear_dbias(g: Any, /) -> Any:
    rows = _rows(g)
    if len(rows) == 1:
        return rows[0]
    if rows.size >= _MANY:
        found = kernels()
        out = None if found is None else found.column_sums(rows)
        if out is not None:
            return out
    if rows.dtype.kind == "V":  # bfloat16
        return numpy.add.reduce(rows, 0, numpy.float32).astype(rows.dtype)
    return numpy.add.reduce(rows, 0)
