"""Indexing with CuPy's rules (cupy/_core/_routines_indexing.pyx at v14.2), on NumPy memory.

Where CuPy and NumPy differ: integer arrays out of range wrap around in silence; lists and NumPy arrays are accepted as
indices and uploaded; a boolean mask waits for the GPU; NumPy arrays are refused as values of a slice assignment, but
accepted with an integer array or a mask as the index.
"""

import cupy
import numpy as np
from cupy import standin


def _arrays(index):
    """The index as a list whose array-likes are stand-in arrays (_prepare_slice_list)."""
    items = list(index) if isinstance(index, tuple) else [index]
    for i, item in enumerate(items):
        if item is None or item is Ellipsis or isinstance(item, (slice, cupy.ndarray)):
            continue
        if np.isscalar(item) and not isinstance(item, (bool, np.bool)):
            continue
        array = cupy.array(item)
        if array.size == 0 and isinstance(item, (list, tuple)):
            array = array.astype(np.int32)  # an empty list is no mask
        items[i] = array
    return items


def _is_mask(item):
    return isinstance(item, cupy.ndarray) and item.dtype.kind == "b"


def _axes_used(item):
    """How many axes of the indexed array an index item stands for."""
    if item is None or item is Ellipsis:
        return 0
    return item.ndim if _is_mask(item) else 1


def translate(array, index):
    """The NumPy index, and whether it is an advanced one (an array is among its items)."""
    items = _arrays(index)
    if Ellipsis not in [item if item is Ellipsis else None for item in items]:
        items.append(Ellipsis)
    used = sum(map(_axes_used, items))
    if used > array.ndim:
        raise IndexError(f"too many indices for array: array is {array.ndim}-dimensional, but {used} were indexed")
    host, axis, advanced = [], 0, False
    for item in items:
        if isinstance(item, cupy.ndarray):
            cupy._array.check_devices([array, item])
            advanced = True
            if item.dtype.kind not in "biu":
                raise IndexError(f"arrays used as indices must be of integer or boolean type. (actual: {item.dtype.type})")
            length = array.shape[axis] if axis < array.ndim else 1
            if _is_mask(item):
                standin.count_read("boolean mask")
                host.append(item._host)
            else:  # out of range wraps around: core.pyx, __getitem__, note
                host.append(item._host % length if length else item._host)
        else:
            host.append(item)
        axis += array.ndim - used if item is Ellipsis else _axes_used(item)
    return tuple(host), advanced


def get(array, index):
    """`array[index]`: a view for basic indices, a new array for advanced ones."""
    host_index, advanced = translate(array, index)
    if not advanced:
        return array._view(array._host[host_index])
    cupy._array.check_devices([array])
    return cupy._array.wrap(np.array(array._host[host_index]))


def set_(array, index, value):
    """`array[index] = value`."""
    host_index, advanced = translate(array, index)
    if not advanced:
        fill(array, array._host[host_index], value)
        return
    array._memory.write()
    with np.errstate(all="ignore"):
        array._host[host_index] = _value(array, value)


def _value(array, value):
    """A value for an advanced index, cast to the array's dtype; NumPy arrays and lists are uploaded."""
    if not isinstance(value, cupy.ndarray):
        value = cupy.array(value, dtype=array.dtype)
    cupy._array.check_devices([array, value])
    with np.errstate(all="ignore"):
        return value._host.astype(array.dtype, copy=False)


def fill(array, target, value):
    """Assign to `target`, a part of the array's memory, as `x[:] = value` and `x.fill(value)` do."""
    if isinstance(value, cupy.ndarray):
        cupy._array.check_devices([array, value])
        host = value._host
        while host.ndim > target.ndim and host.shape[0] == 1:
            host = host[0]  # _squeeze_leading_unit_dims
    else:
        cupy._array.check_devices([array])
        host = np.asarray(value, dtype=array.dtype)
        if host.shape != ():
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")  # core.pyx, fill
    array._memory.write()
    with np.errstate(all="ignore"):
        np.copyto(target, host, casting="unsafe")


# _routines_indexing.pyx, _scatter_op_single: dtypes by operation when the index is an integer array. Note what is
# missing: no bfloat16, no complex numbers anywhere.
_INT = "int32 uint32 int64 uint64"
_SCATTER_DTYPES = {
    "add": f"{_INT} float16 float32 float64",
    "subtract": "int32 uint32",
    "maximum": f"{_INT} float32 float64",
    "minimum": f"{_INT} float32 float64",
    "bitwise_and": _INT,
    "bitwise_or": _INT,
    "bitwise_xor": _INT,
}


def scatter(array, index, value, operation):
    """`cupy.add.at` and its kin: repeated indices count each time."""
    supported = _SCATTER_DTYPES[operation]
    host_index, advanced = translate(array, index)
    masked = any(isinstance(i, np.ndarray) and i.dtype == bool for i in host_index)
    if advanced and not masked and array.dtype.name not in supported.split():
        raise TypeError(f"cupy.{operation}.at only supports {supported.replace(' ', ', ')} as data type")
    array._memory.write()
    with np.errstate(all="ignore"):
        getattr(np, operation).at(array._host, host_index, _value(array, value))
