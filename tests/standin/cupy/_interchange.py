"""How other libraries see a stand-in array: DLPack, `__array_ufunc__`, `__array_function__`."""

import cupy
import numpy as np
from cupy import standin
from cupy._dtypes import SCALARS

CPU, CUDA = 1, 2  # DLDeviceType


def dlpack_device(array):
    """CUDA and the index of the device."""
    return CUDA, array._memory.device_id


def dlpack_export(array, *, stream=None, max_version=None, dl_device=None, copy=None):
    """Only copies to the CPU leave; `cupy.from_dlpack` of the stand-in does not come this way.

    The rules are those of core.pyx, __dlpack__.
    """
    if dl_device is None or tuple(dl_device) == dlpack_device(array):
        if copy:
            raise BufferError("copy=True only supported for copy to CPU.")
        # A real capsule would say kDLCUDA, which consumers without CUDA such as NumPy refuse.
        raise BufferError("the cupy stand-in exports no GPU memory: unsupported device in DLTensor")
    if tuple(dl_device) != (CPU, 0):
        raise BufferError("unsupported device requested.")
    if copy is False:
        raise ValueError("GPU memory cannot be exported to CPU without copy.")
    standin.count_read("dlpack")
    return array._host.copy().__dlpack__(max_version=max_version)


def from_dlpack(array, *, device=None, copy=None):
    """A view of another stand-in array (dlpack.pyx, from_dlpack)."""
    device_type, _ = array.__dlpack_device__()
    if device is not None:
        raise NotImplementedError("from_dlpack() does not support device yet.")
    if device_type == CPU:
        raise TypeError("CPU arrays cannot be directly imported to CuPy. Use `cupy.array(numpy.from_dlpack(input))` instead.")
    if copy:
        raise BufferError("copy=True only supported for copy to CPU.")
    return array.view()


def cuda_array_interface(array):
    """Numba's protocol, version 3. The pointer is to host memory: pretend only."""
    return {
        "shape": array.shape,
        "typestr": array.dtype.str,
        "descr": array.dtype.descr,
        "strides": None if array.flags.c_contiguous else array.strides,
        "data": (array.data.ptr, False),
        "version": 3,
        "stream": 1,
    }


def array_ufunc(array, target, method, *inputs, **kwargs):
    """`numpy.add(cupy_array, ...)`: the ufunc of the same name, if every operand is one CuPy takes.

    NumPy arrays get through to the ufunc, which refuses them with a TypeError (core.pyx, __array_ufunc__).
    """
    if method not in ("__call__", "outer", "at", "reduce", "accumulate", "reduceat"):
        return NotImplemented
    if "out" in kwargs:
        (kwargs["out"],) = kwargs["out"]
    function = getattr(cupy, target.__name__, None)
    if function is None:
        return NotImplemented
    for operand in (*inputs, kwargs.get("out")):
        if operand is not None and type(operand) not in SCALARS:
            if not isinstance(operand, (cupy.ndarray, np.ndarray)):
                return NotImplemented
    if target.__name__ in ("greater", "greater_equal", "less", "less_equal", "equal", "not_equal"):
        # Comparisons take 0-d NumPy arrays, alone among the ufuncs.
        inputs = [x.item() if isinstance(x, np.ndarray) and x.ndim == 0 else x for x in inputs]
    return (function if method == "__call__" else getattr(function, method))(*inputs, **kwargs)


def array_function(array, function, types, args, kwargs):
    """`numpy.sum(cupy_array)`: the function of the same name and module (core.pyx, __array_function__)."""
    place = cupy
    for part in function.__module__.split(".")[1:]:
        place = getattr(place, part, None)
    own = getattr(place, function.__name__, None)
    if own is None or own is function or not all(issubclass(t, (cupy.ndarray, np.ndarray)) for t in types):
        return NotImplemented
    return own(*args, **kwargs)
