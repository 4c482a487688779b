"""DLPack, the protocol by which array libraries share memory: what raw arrays hand out, and what is taken in.

Standard: https://data-apis.org/array-api/latest/design_topics/data_interchange.html
"""

from __future__ import annotations

from typing import Any

import numpy
from array_api_compat import array_namespace

from gpugrad.arrays.devices import CPU, device_of, import_cupy, on, parse
from gpugrad.errors import DeviceError, DTypeError

# DLDeviceType of dlpack.h. NumPy reads memory of the host that CUDA has pinned, CuPy what CUDA manages.
_HOST, _CUDA = (1, 3), (2, 13)


def device_number(array: Any) -> tuple[int, int]:
    """The kind and the number of a raw array's device, as ``__dlpack_device__`` tells them."""
    if isinstance(array, numpy.generic):
        return 1, 0
    kind, index = array.__dlpack_device__()
    return int(kind), int(index)


def _why_copied(array: Any, max_version: tuple[int, int] | None) -> str | None:
    """Why a raw array is not shared although a consumer would take it: that would end badly."""
    if any(stride < 0 for stride in getattr(array, "strides", ())):
        return "its strides are negative, at which PyTorch ends the process"
    writeable = getattr(getattr(array, "flags", None), "writeable", True)
    if not writeable and (max_version is None or max_version[0] < 1):
        return "it is read-only, which DLPack cannot say before version 1.0"
    return None


def export(
    array: Any, *, copy: bool | None, max_version: tuple[int, int] | None, dl_device: tuple[int, int] | None, stream: Any
) -> Any:
    """The capsule of ``__dlpack__`` over the memory of a raw array, or over that of a copy.

    Raises BufferError if `copy` is False and a copy is needed, or for a dtype or a device that the array's library cannot export.
    """
    if isinstance(array, numpy.generic):
        array = numpy.asarray(array)
    moves = dl_device is not None and tuple(dl_device) != device_number(array)
    why = f"it is on {device_of(array)}" if moves else _why_copied(array, max_version)
    if why and copy is False:
        raise BufferError(f"__dlpack__: copy=False, but this array cannot be shared: {why}")
    with on(device_of(array)):  # CuPy exports in the order of its current device's stream, and refuses copy=True
        if (copy or why) and not moves:  # else its library copies
            array, copy = array_namespace(array).asarray(array, copy=True), None
        return array.__dlpack__(copy=copy, max_version=max_version, dl_device=dl_device, stream=stream)


def load(x: Any, device: Any, copy: bool | None) -> Any:
    """A raw array, of NumPy or CuPy, over the memory of any array with ``__dlpack__``.

    For memory that neither of them reads, `device` may ask the array's library for a copy on the CPU, unless `copy` is False.

    Raises DTypeError for what has no ``__dlpack__`` and for dtypes that NumPy and CuPy lack, DeviceError for other devices.
    """
    if not hasattr(x, "__dlpack_device__"):
        raise DTypeError(
            f"from_dlpack: got {type(x).__name__}, expected an array with __dlpack__ and __dlpack_device__; for numbers and lists "
            "there is gg.asarray"
        )
    kind, index = device_number(x)
    try:
        if kind in _HOST:
            return numpy.from_dlpack(x)
        if kind in _CUDA:
            with on(parse(f"cuda:{index}")):
                return import_cupy().from_dlpack(x)
        if device is not None and parse(device) == CPU:
            return numpy.from_dlpack(x, device="cpu", copy=copy)
    except (RuntimeError, NotImplementedError) as error:  # what NumPy and CuPy raise for a dtype that they lack
        if isinstance(error, DeviceError):
            raise
        raise DTypeError(f"from_dlpack: got {getattr(x, 'dtype', type(x).__name__)}: {error}") from None
    raise DeviceError(
        f"from_dlpack: the array is on {getattr(x, 'device', f'device type {kind} of DLPack')}, expected memory of the CPU or of a "
        "CUDA GPU; device='cpu' asks its library for a copy"
    )
