"""Fills in the operators and methods of `ndarray`: from ufuncs, and from functions of the same name."""

import warnings

import cupy
import numpy as np
from cupy._array import ndarray
from cupy._names import METHODS

BINARY = {
    "add": "add", "sub": "subtract", "mul": "multiply", "matmul": "matmul", "truediv": "true_divide",
    "floordiv": "floor_divide", "mod": "remainder", "divmod": "divmod", "pow": "power", "lshift": "left_shift",
    "rshift": "right_shift", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
}  # fmt: skip
COMPARE = {
    "lt": "less", "le": "less_equal", "eq": "equal", "ne": "not_equal", "gt": "greater", "ge": "greater_equal",
}  # fmt: skip
UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}
NO_INPLACE = ("matmul", "divmod")  # `x @= y` rebinds x (core.pyx has no __imatmul__)
_MISSING = object()


def _defers(x, y):
    """Whether `x + y` is left to `y.__radd__` (core.pyx, _should_use_rop)."""
    protocol = getattr(y, "__array_ufunc__", _MISSING)
    if protocol is not _MISSING:
        return protocol is None
    return x.__array_priority__ < getattr(y, "__array_priority__", 0)


def _binary(name, reflected):
    def operator(self, other):
        x, y = (other, self) if reflected else (self, other)
        if isinstance(other, ndarray):
            return getattr(cupy, name)(x, y)
        if _defers(self, other):
            return NotImplemented
        return getattr(np, name)(x, y)  # comes back through __array_ufunc__, which refuses NumPy arrays

    return operator


def _compare(name):
    arithmetic = _binary(name, reflected=False)

    def operator(self, other):
        # Objects that compare by identity are never equal to an element (core.pyx, __richcmp__).
        if name in ("equal", "not_equal") and (other is None or type(other).__eq__ is object.__eq__):
            return cupy.full(self.shape, name == "not_equal", dtype=bool)
        return arithmetic(self, other)

    return operator


def _inplace(name):
    def operator(self, other):
        return getattr(cupy, name)(self, other, self)

    return operator


def _unary(name):
    return lambda self: getattr(cupy, name)(self)


def _method(name):
    def method(self, *args, **kwargs):
        return getattr(cupy, name)(self, *args, **kwargs)

    method.__name__ = name
    return method


# Methods whose parameters differ from those of the function of the same name.


def clip(self, min=None, max=None, out=None):
    """Limit the values."""
    return cupy.clip(self, min, max, out)


def argmax(self, axis=None, out=None, dtype=None, keepdims=False):
    """Index of the maximum; `out` and `dtype` are swapped in the function (core.pyx, argmax)."""
    return cupy.argmax(self, axis, dtype, out, keepdims)


def argmin(self, axis=None, out=None, dtype=None, keepdims=False):
    """Index of the minimum."""
    return cupy.argmin(self, axis, dtype, out, keepdims)


def conj(self):
    """The complex conjugate; a real array is its own (_routines_math.pyx, _ndarray_conj)."""
    return cupy.conjugate(self) if self.dtype.kind == "c" else self


def flatten(self, order="C"):
    """A 1-d copy."""
    return self.reshape(-1, order=order).copy()


def sort(self, axis=-1, kind=None):
    """Sort in place."""
    self[...] = cupy.sort(self, axis, kind)


def nonzero(self):
    """Indices of the elements that are not zero; not for 0-d arrays (_routines_indexing.pyx, _ndarray_nonzero)."""
    if self.ndim == 0:
        raise ValueError("Calling nonzero on 0d arrays is not allowed. Use cp.atleast_1d(scalar).nonzero() instead.")
    return cupy.nonzero(self)


def scatter_add(self, slices, value):
    """Deprecated in CuPy 14 (core.pyx, scatter_add)."""
    warnings.warn("`ndarray.scatter_add` is deprecated.", DeprecationWarning, stacklevel=2)
    self._scatter(slices, value, "add")


def install():
    """Attach everything; called once, when the functions exist."""
    for short, name in BINARY.items():
        setattr(ndarray, f"__{short}__", _binary(name, reflected=False))
        setattr(ndarray, f"__r{short}__", _binary(name, reflected=True))
        if short not in NO_INPLACE:
            setattr(ndarray, f"__i{short}__", _inplace(name))
    for short, name in COMPARE.items():
        setattr(ndarray, f"__{short}__", _compare(name))
    for short, name in UNARY.items():
        setattr(ndarray, f"__{short}__", _unary(name))
    for method in (clip, argmax, argmin, conj, flatten, sort, nonzero, scatter_add):
        setattr(ndarray, method.__name__, method)
    ndarray.conjugate = conj
    for name in METHODS:
        if not hasattr(ndarray, name) and callable(cupy.__dict__.get(name)):
            setattr(ndarray, name, _method(name))
