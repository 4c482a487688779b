"""`cupy.cuda` on pretend devices: devices, streams, memory. No cuBLAS, no graphs."""

from cupy import standin
from cupy.cuda import device, memory, order, runtime, stream
from cupy.cuda.device import Device, get_compute_capability, get_device_id
from cupy.cuda.memory import (
    Memory,
    MemoryPointer,
    MemoryPool,
    PinnedMemoryPointer,
    alloc,
    alloc_pinned_memory,
    get_allocator,
    set_allocator,
    using_allocator,
)
from cupy.cuda.stream import Event, ExternalStream, Stream, get_current_stream, get_elapsed_time


def is_available():
    """Whether there is a pretend GPU. The real one remembers its first answer; here the number may change."""
    return standin.device_count > 0 and standin.driver_version >= runtime.runtimeGetVersion() // 1000 * 1000
