"""NumPy's fast spellings: the same results as the public functions, without their Python layers.

``numpy.sum(a)`` takes about four times as long as ``numpy.add.reduce(a)`` on a small array, and both are the same loop. What
is not listed here is taken from ``numpy`` itself, or from array-api-compat where NumPy departs from the standard.
"""

from __future__ import annotations

import importlib
import math
from functools import cache
from typing import Any

import numpy
from numpy import add, asarray, maximum, minimum, ndarray, where

from gpugrad.arrays import handful, products
from gpugrad.arrays.cholesky import cholesky_dx, cholesky_triangle
from gpugrad.arrays.handful import HANDFUL
from gpugrad.arrays.heap import keep_freed_memory
from gpugrad.arrays.pooling import pool_put
from gpugrad.arrays.spellings import METHODS, Kernel, cumulative, moving, registrar, typed
from gpugrad.arrays.triangular import solve_triangular

keep_freed_memory()

# NumPy's stubs have no overload for a keepdims that is only known at run time.
_add_reduce: Any = numpy.add.reduce
_multiply_reduce: Any = numpy.multiply.reduce
_maximum_reduce: Any = maximum.reduce
_minimum_reduce: Any = minimum.reduce
_or_reduce: Any = numpy.logical_or.reduce
_and_reduce: Any = numpy.logical_and.reduce

SPELLINGS: dict[str, Kernel] = dict(METHODS)
"""Kernels by the name of the op."""

# Functions of the standard whose NumPy namesakes differ in a signature, a default or a result.
_DEPARTING = frozenset(
    [
        "argsort",
        "count_nonzero",
        "nonzero",
        "sort",
        "unique_all",
        "unique_counts",
        "unique_inverse",
        "unique_values",
    ]
)


def spelling(name: str, standard: bool) -> Kernel | None:
    """The NumPy kernel of the op `name`; `standard` says whether a NumPy function of that name is the op."""
    if name in SPELLINGS:
        return SPELLINGS[name]
    if not standard:
        return None
    found: Kernel | None = _compat(name) if name in _DEPARTING else getattr(numpy, name, None)
    return found


@cache
def _compat(name: str) -> Any:
    # array-api-compat's NumPy namespace takes 0.1 s to import (it pulls in numpy.f2py): only where it is needed.
    return getattr(importlib.import_module("array_api_compat.numpy"), name, None)


_spells = registrar(SPELLINGS)

# bfloat16 is a dtype of ml_dtypes, of kind "V". NumPy adds up in it, where 256 + 1 is 256: here it is added up in float32 and rounded
# once, as on a GPU.
_FLOAT32 = numpy.dtype("float32")


# Reductions ---------------------------------------------------------------------------------------------------------


@_spells("sum")
def _sum(x: Any, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    if x.dtype.kind == "V":
        return _rounded(_add_reduce, x, axis, dtype, keepdims)
    return _add_reduce(x, axis, dtype, None, keepdims)


@_spells("prod")
def _prod(x: Any, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    if x.dtype.kind == "V":
        return _rounded(_multiply_reduce, x, axis, dtype, keepdims)
    return _multiply_reduce(x, axis, dtype, None, keepdims)


def _rounded(reduce: Any, x: Any, axis: Any, dtype: Any, keepdims: bool) -> Any:
    """A sum or product of bfloat16 numbers, as `dtype` or as theirs."""
    if dtype is not None and numpy.dtype(dtype) != x.dtype:
        return reduce(x, axis, dtype, None, keepdims)
    return reduce(x, axis, _FLOAT32, None, keepdims).astype(x.dtype)


SPELLINGS["cumulative_sum"] = cumulative(lambda: _compat("cumulative_sum"))
SPELLINGS["cumulative_prod"] = cumulative(lambda: _compat("cumulative_prod"))


@_spells("max")
def _max(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    return _maximum_reduce(x, axis, None, None, keepdims)


@_spells("min")
def _min(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    return _minimum_reduce(x, axis, None, None, keepdims)


@_spells("any")
def _any(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    return _or_reduce(x, axis, None, None, keepdims)


@_spells("all")
def _all(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    return _and_reduce(x, axis, None, None, keepdims)


@_spells("mean")
def _mean(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    if x.dtype.itemsize <= 2 or x.dtype.kind not in "fc":  # numpy.mean sums integers in float64
        return _in_single(numpy.mean, x, axis=axis, keepdims=keepdims)
    total = _add_reduce(x, axis, None, None, keepdims)
    count = x.size if axis is None else math.prod(x.shape[a] for a in (axis if isinstance(axis, tuple) else (axis,)))
    return total / total.dtype.type(count)


@_spells("argmax")
def _argmax(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    return x.argmax(axis, keepdims=keepdims)


@_spells("argmin")
def _argmin(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    return x.argmin(axis, keepdims=keepdims)


# Shapes -------------------------------------------------------------------------------------------------------------


@_spells("reshape")
def _reshape(x: Any, /, shape: Any, *, copy: bool | None = None) -> Any:
    return x.reshape(shape) if copy is None else numpy.reshape(x, shape, copy=copy)


@_spells("permute_dims")
def _permute_dims(x: Any, /, axes: Any) -> Any:
    return x.transpose(axes)


@_spells("matrix_transpose")
def _matrix_transpose(x: Any, /) -> Any:
    return x.mT


@_spells("expand_dims")
def _expand_dims(x: Any, /, axis: Any) -> Any:
    if axis == 0:
        return x[None]
    if axis == -1:
        return x[..., None]
    return numpy.expand_dims(x, axis)


@_spells("broadcast_to")
def _broadcast_to(x: Any, /, shape: Any) -> Any:
    # numpy.broadcast_to goes through nditer in Python; a scalar, the usual case of a sum's gradient, needs one buffer and no
    # strides. The result is read-only either way, since its elements share memory.
    if x.ndim == 0:
        out = ndarray(shape, x.dtype, asarray(x), 0, (0,) * len(shape))
        out.flags.writeable = False
        return out
    return numpy.broadcast_to(x, shape)


@_spells("unstack")
def _unstack(x: Any, /, *, axis: int = 0) -> Any:
    return tuple(numpy.moveaxis(x, axis, 0) if axis else x)


@_spells("unstack_gradient")
def _unstack_gradient(gradients: Any, /, axis: int, strides: Any) -> Any:
    shape = list(gradients[0].shape)
    shape.insert(axis, len(gradients))
    order = sorted(range(len(shape)), key=lambda i: -abs(strides[i]))
    out = numpy.empty([shape[i] for i in order], gradients[0].dtype).transpose(numpy.argsort(order))
    parts = numpy.moveaxis(out, axis, 0)
    for i, gradient in enumerate(gradients):
        parts[i] = gradient
    return out


# Indexing -----------------------------------------------------------------------------------------------------------


@_spells("put")
def _put(x: Any, value: Any, /, key: Any) -> Any:
    out = numpy.array(x)  # a copy, and an array even of a NumPy scalar
    out[key] = value
    return out


@_spells("scatter_add")
def _scatter_add(values: Any, /, key: Any, shape: Any, unique: bool) -> Any:
    out = numpy.zeros(shape, values.dtype)
    if unique:
        out[key] = values
    elif values.dtype.kind == "V":
        return _scatter_add(values.astype(_FLOAT32), key, shape, unique).astype(values.dtype)
    elif len(key) == 1 and type(key[0]) is ndarray and key[0].dtype.kind in "iu" and values.size >= max(_FEW, 16 * key[0].size):
        _add_rows(out.reshape(shape[0], -1), key[0].reshape(-1), values)
    else:
        add.at(out, key, values)
    return out


def _add_rows(out: Any, places: Any, values: Any) -> None:
    """``out[places[i]] += values[i]`` for rows of many elements, which ufunc.at takes one by one: those of a place are added up first."""
    places = places.astype(numpy.intp, copy=False) % len(out)  # negative ones count from the end
    order = places.argsort(kind="stable")
    places = places[order]
    begins = numpy.flatnonzero(numpy.concatenate(([True], places[1:] != places[:-1])))
    out[places[begins]] = add.reduceat(values.reshape(len(places), -1)[order], begins, 0)


SPELLINGS.update(moving(numpy))
SPELLINGS["pool_put"] = pool_put
SPELLINGS["solve_triangular"] = solve_triangular
SPELLINGS["cholesky_triangle"] = cholesky_triangle
SPELLINGS["cholesky_dx"] = cholesky_dx
SPELLINGS.update(products.SPELLINGS)


# Elementwise --------------------------------------------------------------------------------------------------------


@_spells("conj")
def _conj(x: Any, /) -> Any:
    return numpy.conjugate(x) if x.dtype.kind == "c" else x  # the rules of real arrays pass through here too


@_spells("where")
def _where(condition: Any, x: Any, y: Any, /) -> Any:
    if type(x) is float or type(y) is float:
        dtype = getattr(y if type(x) is float else x, "dtype", None)
        if dtype is not None and dtype.kind == "V":
            x, y = typed(x, dtype), typed(y, dtype)
    return where(condition, x, y)


@_spells("clip")
def _clip(x: Any, low: Any, high: Any, /) -> Any:
    if x.dtype.kind == "V":
        low, high = typed(low, x.dtype), typed(high, x.dtype)
    if low is not None:
        x = maximum(x, low)
    return x if high is None else minimum(x, high)


def _in_single(function: Any, x: Any, **options: Any) -> Any:
    """A statistic of x; of 16-bit floating-point numbers computed in float32, since sums of float16 end at 65504."""
    if x.dtype.itemsize == 2 and x.dtype.kind not in "iu":
        return function(x, dtype=numpy.float32, **options).astype(x.dtype)
    return function(x, **options)


@_spells("var")
def _var(x: Any, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Any:
    return _in_single(numpy.var, x, axis=axis, correction=correction, keepdims=keepdims)


@_spells("std")
def _std(x: Any, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Any:
    return _in_single(numpy.std, x, axis=axis, correction=correction, keepdims=keepdims)


# Without an op ----------------------------------------------------------------------------------


@_spells("are_labels")
def _are_labels(target: Any, classes: Any, /) -> bool:
    """Whether all are 0 to classes - 1."""
    if target.size <= HANDFUL:
        labels = target.reshape(-1).tolist()
        return not labels or bool(min(labels) >= 0 and max(labels) < classes)
    # As unsigned numbers, negative ones are the largest.
    return bool(_maximum_reduce(target.view(numpy.uint64), None) < classes)


# In place, for the engine ------------------------------------------------------------------------


@_spells("owned")
def _owned(x: Any, alone: bool, /) -> Any:
    """An array of the values of x that can be written to and that nobody else sees: x itself if nobody else holds it (`alone`).

    Gradients of a sum are read-only broadcast views.
    """
    if not isinstance(x, ndarray):
        return asarray(x)
    return x if alone and x.flags.writeable else x.copy()


# Fused: the definitions are in nn/functional/. Names in "_dx" are rules -----------------------------------------------

_FEW = 1024
"""Elements below which an array takes as long as a call."""

_MASKS = {"f": numpy.int32, "d": numpy.int64}  # by dtype.char, which costs a tenth of dtype.name
_ZEROS = {char: asarray(0, char) for char in _MASKS}  # with a Python number a ufunc takes twice as long on a small array


@_spells("relu")
def _relu(x: Any) -> Any:
    if x.dtype.kind == "c":
        raise TypeError("complex numbers have no order, expected a real dtype")  # numpy.maximum would take them as pairs
    return maximum(x, _ZEROS.get(x.dtype.char, 0))


@_spells("relu_gradient")
def _relu_gradient(g: Any, y: Any, /) -> Any:
    integer = _MASKS.get(g.dtype.char)
    if integer is None or y.dtype is not g.dtype:
        return where(y > 0, g, g.dtype.type(0))
    zero = _ZEROS[g.dtype.char]
    if g.size < _FEW or g.shape != y.shape:
        return where(y > zero, g, zero)
    # On many elements numpy.where is three times as slow as this: -1 has every bit set, so (bits of g) & -(y > 0) is g or 0. Unlike
    # a product with the mask it is 0 also where g is inf or nan.
    mask = numpy.negative((y > zero).view(numpy.int8)).astype(integer)
    return numpy.bitwise_and(mask, g.view(integer), out=mask).view(g.dtype)


SPELLINGS["relu_dinput"] = _relu_gradient


@_spells("linear_dbias")
def _linear_dbias(g: Any, /) -> Any:
    rows = products.rows(g)
    if len(rows) == 1:
        return rows[0]
    out = _column_sums()(rows) if rows.size >= _FEW else None
    return _sum(rows, axis=0) if out is None else out


@cache
def _column_sums() -> Any:
    """The kernel, which is loaded with the first matrix of some size: many programs have none."""
    return importlib.import_module("gpugrad.compile.column_sums").column_sums


@_spells("softmax")
def _softmax(x: Any, /, dim: int) -> Any:
    if x.dtype.kind == "V":
        return _softmax(x.astype(_FLOAT32), dim).astype(x.dtype)
    e = asarray(x - _maximum_reduce(x, dim, None, None, True))
    numpy.exp(e, out=e)
    e /= _add_reduce(e, dim, None, None, True)
    return e


@_spells("log_softmax")
def _log_softmax(x: Any, /, dim: int) -> Any:
    if x.dtype.kind == "V":
        return _log_softmax(x.astype(_FLOAT32), dim).astype(x.dtype)
    z = asarray(x - _maximum_reduce(x, dim, None, None, True))
    z -= numpy.log(_add_reduce(numpy.exp(z), dim, None, None, True))
    return z


@_spells("cross_entropy")
def _cross_entropy(x: Any, target: Any, /, *, ignore_index: int, reduction: str, label_smoothing: float) -> Any:
    if x.size <= HANDFUL and x.dtype.char in handful.DTYPES:
        return handful.cross_entropy(x, target, ignore_index, reduction, label_smoothing)
    if x.dtype.kind == "V":
        return _cross_entropy(
            x.astype(_FLOAT32), target, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing
        ).astype(x.dtype)
    z = x - _maximum_reduce(x, 1, None, None, True)
    total = numpy.log(_add_reduce(numpy.exp(z), 1))
    kept, count = _counted(target, ignore_index)
    bad = None if _are_labels(target, x.shape[1]) else (target < 0) | (target >= x.shape[1])
    losses = total - z.reshape(-1)[_places(target, z, bad is None)]
    if label_smoothing:
        losses *= 1 - label_smoothing
        losses += label_smoothing * (total - _add_reduce(z, 1) / x.shape[1])
    if bad is not None:
        losses[bad] = numpy.nan
    if kept is not None:
        losses[~kept] = 0
    if reduction == "none":
        return losses
    wide = _wide(losses.dtype)
    total = _add_reduce(losses, 0, wide)
    return losses.dtype.type(total / wide.type(count) if reduction == "mean" else total)


def _counted(target: Any, ignore_index: int) -> tuple[Any, int]:
    """Which labels count, None if all do, and how many."""
    kept = target != ignore_index
    count = int(numpy.count_nonzero(kept))
    return (None if count == len(kept) else kept), count


def _places(target: Any, x: Any, fine: bool) -> Any:
    """Where in the flat array x of rows the elements are that the labels name; of labels that are not all classes, some of their rows."""
    rows, classes = x.shape
    return numpy.arange(0, rows * classes, classes) + (target if fine else target % classes)


def _wide(dtype: Any) -> Any:
    """What to sum up and count in: 16 bits are too few."""
    return dtype if dtype.itemsize > 2 else _FLOAT32


@_spells("cross_entropy_gradient")
def _cross_entropy_gradient(
    g: Any, x: Any, target: Any, /, *, ignore_index: int, reduction: str, label_smoothing: float
) -> Any:
    if x.size <= HANDFUL and x.dtype.char in handful.DTYPES:
        return handful.cross_entropy_gradient(g, x, target, ignore_index, reduction, label_smoothing)
    if x.dtype.kind == "V":
        wide = x.astype(_FLOAT32)
        return _cross_entropy_gradient(
            g, wide, target, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing
        ).astype(x.dtype)
    out = asarray(_softmax(x, 1), order="C")
    if label_smoothing:
        out -= label_smoothing / x.shape[1]
    kept, count = _counted(target, ignore_index)
    flat, places = out.reshape(-1), _places(target, out, kept is None)
    flat[places] = flat[places] - out.dtype.type(1 - label_smoothing)
    if reduction == "mean":
        g = numpy.divide(g, _wide(g.dtype).type(count))  # no ZeroDivisionError where every label is ignored
    out *= g[:, None] if g.ndim else g
    if kept is not None:
        out[~kept] = 0
    return out


@_spells("cross_entropy_dx")
def _cross_entropy_dx(g: Any, x: Any, target: Any, ignore_index: int, reduction: str, label_smoothing: float, /) -> Any:
    options: Any = {"ignore_index": ignore_index, "reduction": reduction, "label_smoothing": label_smoothing}
    return _cross_entropy_gradient(g, x, target, **options)
