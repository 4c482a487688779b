"""CUDA GPUs: whether there are any, and which."""

from __future__ import annotations

from typing import Any

from gpugrad.arrays.devices import Device, DeviceLike, import_cupy, on, parse
from gpugrad.arrays.devices import cuda_device_count as device_count
from gpugrad.arrays.devices import cuda_is_available as is_available

__all__ = ["current_device", "device_count", "get_device_name", "is_available", "synchronize"]


def current_device() -> int:
    """The number of the GPU on which CuPy creates arrays now. Raises DeviceError without a GPU."""
    with on(Device("cuda")):
        return int(import_cupy().cuda.Device().id)


def get_device_name(device: DeviceLike = "cuda") -> str:
    """The name of a GPU, such as "NVIDIA H200". Raises DeviceError if it is absent."""
    with on(parse(device)):
        cupy = import_cupy()
        properties: dict[str, Any] = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
        name = properties["name"]
        return name.decode() if isinstance(name, bytes) else str(name)


def synchronize(device: DeviceLike = "cuda") -> None:
    """Wait until everything launched on a GPU has finished. Raises DeviceError if it is absent."""
    with on(parse(device)):
        import_cupy().cuda.Device().synchronize()
