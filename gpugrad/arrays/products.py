"""NumPy's matmul, and linear with those of its rules that are products: large ones run on the threads of the compiled kernels."""

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


@cache
def kernels() -> Any:
    """The module of the kernels, which is loaded with the first large matrix: many programs have none."""
    return importlib.import_module("gpugrad.compile.product")


@cache
def _by_openblas() -> bool:
    """Whether NumPy's products are OpenBLAS's, whose threads fight ours; those of Accelerate or MKL may be quicker than the kernel."""
    config: Any = numpy.show_config("dicts")
    return "openblas" in config["Build Dependencies"].get("blas", {}).get("name", "").lower()


def _large(x: Any, y: Any, bias: Any = None) -> Any:
    """x @ y + bias of arrays with two axes or more by our own threads; None where NumPy should do it."""
    return kernels().product(x, y, bias) if _by_openblas() else None


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
        return _linear(rows(x), weight, bias).reshape(*x.shape[:-1], weight.shape[0])
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


def rows(x: Any) -> Any:
    """x as a matrix."""
    return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


@_spells("linear_dinput")
def _linear_dinput(g: Any, weight: Any, /) -> Any:
    return _linear(g, weight.T, None)


@_spells("linear_dweight")
def _linear_dweight(g: Any, x: Any, /) -> Any:
    return _matmul(g.T, x) if x.ndim == 2 else _matmul(rows(g).T, rows(x))
