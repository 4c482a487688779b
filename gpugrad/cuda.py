"""CUDA GPUs: whether there are any, which, and what they are. The names are those of ``torch.cuda``.

A `device` is a name such as "cuda:1", a number, or None for the current GPU. Where no GPU can be used, functions that need one raise
DeviceError and say why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gpugrad.arrays import allocator
from gpugrad.arrays.devices import DeviceLike, gpu, import_cupy, on
from gpugrad.arrays.devices import cuda_device_count as device_count
from gpugrad.arrays.devices import cuda_is_available as is_available
from gpugrad.arrays.memory import (
    empty_cache,
    max_memory_allocated,
    memory_allocated,
    memory_reserved,
    memory_summary,
    reset_peak_memory_stats,
    set_memory_limit,
)
from gpugrad.arrays.streams import Event, Stream, current_stream, default_stream, record_stream, stream
from gpugrad.errors import OutOfMemoryError
from gpugrad.holders import largest

__all__ = [
    "DeviceProperties",
    "Event",
    "OutOfMemoryError",
    "Stream",
    "current_device",
    "current_stream",
    "default_stream",
    "device_count",
    "empty_cache",
    "get_device_capability",
    "get_device_name",
    "get_device_properties",
    "is_available",
    "max_memory_allocated",
    "memory_allocated",
    "memory_reserved",
    "memory_summary",
    "record_stream",
    "reset_peak_memory_stats",
    "set_device",
    "set_memory_limit",
    "stream",
    "synchronize",
]

allocator.holders = largest  # what runs out of memory names the largest Tensors, of which the arrays know nothing


@dataclass(frozen=True)
class DeviceProperties:
    """What a GPU is: its name, compute capability ``major.minor``, sizes in bytes, and counts."""

    name: str
    major: int
    minor: int
    total_memory: int
    multi_processor_count: int
    max_threads_per_multi_processor: int
    shared_memory_per_block: int
    L2_cache_size: int
    warp_size: int
    pci_bus_id: int


def current_device() -> int:
    """The number of the GPU that "cuda" stands for in this thread."""
    with on(gpu()):
        return int(import_cupy().cuda.Device().id)


def set_device(device: int | DeviceLike) -> None:
    """Make a GPU the one that "cuda" stands for in this thread from now on.

    In a part of a program ``with gg.device("cuda:1"):`` does it, and restores the GPU that was current before.
    """
    with on(gpu(device)):
        index = import_cupy().cuda.Device().id
    import_cupy().cuda.Device(index).use()


def get_device_properties(device: int | DeviceLike | None = None) -> DeviceProperties:
    """Name, compute capability, memory and counts of a GPU."""
    with on(gpu(device)):
        cupy = import_cupy()
        found: dict[str, Any] = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
    name = found["name"]
    return DeviceProperties(
        name=name.decode() if isinstance(name, bytes) else str(name),
        major=found["major"],
        minor=found["minor"],
        total_memory=found["totalGlobalMem"],
        multi_processor_count=found["multiProcessorCount"],
        max_threads_per_multi_processor=found["maxThreadsPerMultiProcessor"],
        shared_memory_per_block=found["sharedMemPerBlock"],
        L2_cache_size=found["l2CacheSize"],
        warp_size=found["warpSize"],
        pci_bus_id=found["pciBusID"],
    )


def get_device_name(device: int | DeviceLike | None = None) -> str:
    """The name of a GPU, such as "NVIDIA H200"."""
    return get_device_properties(device).name


def get_device_capability(device: int | DeviceLike | None = None) -> tuple[int, int]:
    """The compute capability of a GPU: (9, 0) for an H200."""
    properties = get_device_properties(device)
    return properties.major, properties.minor


def synchronize(device: int | DeviceLike | None = None) -> None:
    """Wait until everything launched on a GPU, on all its streams, has finished."""
    with on(gpu(device)):
        import_cupy().cuda.Device().synchronize()
