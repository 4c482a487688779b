"""Functions that are more than NumPy's with the arrays unwrapped: mostly those that make arrays."""

import cupy
import numpy as np
from cupy import standin
from cupy._array import check_devices, ndarray, wrap
from cupy._dtypes import BFLOAT16
from cupy.cuda import runtime


def array(obj, dtype=None, copy=True, order="K", subok=False, ndmin=0, *, blocking=False):
    """An array on the current device (core.pyx, array)."""
    if subok:
        raise NotImplementedError
    if isinstance(obj, ndarray):
        result = _from_cupy(obj, np.dtype(dtype or obj.dtype), copy, order or "K")
    elif _holds_arrays(obj):
        result = cupy.stack([cupy.asarray(item) for item in obj])
        result = result if dtype is None else result.astype(dtype, copy=False)
    else:
        # A NumPy array is always copied, also with copy=False: nothing raises (_array_default ignores `copy`).
        host = np.array(obj, dtype=dtype, order="C" if order in (None, "K", "A") else order)
        if isinstance(obj, np.ndarray) and obj.flags.fnc and order in (None, "K", "A"):
            host = np.asfortranarray(host)
        standin.count_upload()
        result = wrap(host)
        if blocking:
            standin.count_wait()
    return result.reshape((1,) * (ndmin - result.ndim) + result.shape) if ndmin > result.ndim else result


def _from_cupy(source, dtype, copy, order):
    if source._memory.device_id != runtime.getDevice():
        if order != "C" and not source.flags.forc:
            raise NotImplementedError("CuPy cannot copy non-contiguous array between devices.")  # core.pyx, copy
        return source.copy().astype(dtype, copy=False)  # to the current device
    laid_out = order in ("K", "A") or (source.flags.c_contiguous if order == "C" else source.flags.f_contiguous)
    if not copy and dtype == source.dtype and laid_out:
        return source
    if copy is False:
        raise ValueError("Unable to avoid copy while creating an array as requested.")  # core.pyx, _astype
    return source.astype(dtype, order=order)


def _holds_arrays(obj):
    """Nested lists of CuPy arrays only are stacked on the GPU; anything mixed goes through NumPy and fails there."""
    if isinstance(obj, (list, tuple)) and obj:
        return all(isinstance(item, ndarray) or _holds_arrays(item) for item in obj)
    return False


def asarray(a, dtype=None, order=None, *, copy=None, blocking=False):
    """The array itself if it is one on the current device."""
    return array(a, dtype, copy, order, blocking=blocking)


def ascontiguousarray(a, dtype=None):
    """C-contiguous, copied only if it is not."""
    return array(a, dtype, None, "C", ndmin=1)


def asfortranarray(a, dtype=None):
    """F-contiguous, copied only if it is not."""
    return array(a, dtype, None, "F", ndmin=1)


def asnumpy(a, stream=None, order="C", out=None, *, blocking=True):
    """A NumPy copy; NumPy arrays pass through (cupy/__init__.py, asnumpy)."""
    if isinstance(a, ndarray):
        return a.get(stream=stream, order=order, out=out, blocking=blocking)
    return np.asarray(a, order=order)


def empty(shape, dtype=float, order="C"):
    """Uninitialised: filled with NaN or the largest integer here, so that reading it shows."""
    return wrap(_poison(np.empty(shape, dtype, order)))


def empty_like(prototype, dtype=None, order="K", subok=None, shape=None):
    """Uninitialised, like another array."""
    return wrap(_poison(np.empty_like(prototype._host, dtype, order, shape=shape)))


def _poison(host):
    if host.dtype.kind in "iu":
        host[...] = np.iinfo(host.dtype).max
    else:
        host[...] = True if host.dtype == bool else np.nan
    return host


def where(condition, x=None, y=None):
    """Selects without waiting; with one argument it is nonzero, which waits (_sorting/search.py, where)."""
    if x is None and y is None:
        return cupy.nonzero(condition)
    check_devices([a for a in (condition, x, y) if isinstance(a, ndarray)])
    condition, *operands = map(cupy._ufunc.host, (condition, x, y))
    if any(getattr(a, "dtype", None) == BFLOAT16 for a in operands):
        loop = next(loop for loop in _WHERE_LOOPS if all(_takes(loop, a) for a in operands))
        operands = [np.asarray(a, loop) for a in operands]
    return wrap(np.where(condition, *operands))


# _sorting/search.py, _where_ufunc: no loop for bfloat16, so the first that both operands fit in (_kernel.pyx, guess_routine).
_WHERE_LOOPS = "?bBhHiIlLqQefdFD"


def _takes(loop, operand):
    if type(operand) in (bool, int, float, complex):  # weak
        return np.result_type(operand, np.dtype(loop)) == np.dtype(loop)
    return np.can_cast(operand.dtype, loop)


def take_along_axis(a, indices, axis):
    """Out of range wraps around: it is `a[...]` in CuPy (_indexing/indexing.py, take_along_axis)."""
    if indices.dtype.kind not in "iu":
        raise IndexError("`indices` must be an integer array")
    check_devices([a, indices])
    length = a.size if axis is None else a.shape[axis]
    return wrap(np.take_along_axis(a._host, indices._host % length if length else indices._host, axis))


def clip(a, a_min=None, a_max=None, out=None):
    """Limit the values (_math/misc.py, clip)."""
    low, high = (None if bound is None else cupy._ufunc.host(bound) for bound in (a_min, a_max))
    check_devices([x for x in (a, a_min, a_max, out) if isinstance(x, ndarray)])
    result = np.clip(a._host, low, high, out=None if out is None else out._host)
    return wrap(result, [] if out is None else [out])


def argmax(a, axis=None, dtype=None, out=None, keepdims=False):
    """Index of the maximum; note where `dtype` and `out` stand."""
    return _argument(np.argmax, a, axis, dtype, out, keepdims)


def argmin(a, axis=None, dtype=None, out=None, keepdims=False):
    """Index of the minimum."""
    return _argument(np.argmin, a, axis, dtype, out, keepdims)


def _argument(search, a, axis, dtype, out, keepdims):
    check_devices([a])
    result = wrap(np.asarray(search(a._host, axis=axis, keepdims=keepdims)).astype(dtype or np.int64))
    if out is None:
        return result
    out[...] = result
    return out


def repeat(a, repeats, axis=None):
    """Repeat elements; an array of repeats is read on the host, an integer is not."""
    if isinstance(repeats, ndarray):
        standin.count_read("repeat")
        repeats = repeats._host
    check_devices([a])
    return wrap(np.repeat(a._host, repeats, axis))


def from_dlpack(array, *, device=None, copy=None):
    """See `_interchange.from_dlpack`."""
    return cupy._interchange.from_dlpack(array, device=device, copy=copy)


def get_array_module(*args):
    """CuPy if any argument is a CuPy array, else NumPy."""
    return cupy if any(isinstance(a, ndarray) for a in args) else np


def get_default_memory_pool():
    """The pool that arrays are allocated from."""
    return cupy.cuda.memory.default_pool


def is_available():
    """Whether there is a pretend GPU."""
    return cupy.cuda.is_available()


BY_HAND = {
    f.__name__: f
    for f in (
        array, asarray, ascontiguousarray, asfortranarray, asnumpy, empty, empty_like, where, clip, argmax, argmin,
        take_along_axis, repeat, from_dlpack, get_array_module, get_default_memory_pool, is_available,
    )
}  # fmt: skip
BY_HAND["asanyarray"] = asarray
