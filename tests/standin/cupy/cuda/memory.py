"""Device memory: host memory with a device number, counted as CuPy's pool counts it."""

import contextlib
import threading

import numpy as np
from cupy import standin
from cupy.cuda import runtime
from cupy.cuda.device import Device

UNIT = 512  # the pool hands out multiples of 512 bytes (memory.pyx, ALLOCATION_UNIT_SIZE and _round_size)

_chosen = threading.local()  # the allocator set by using_allocator belongs to a thread


class OutOfMemoryError(MemoryError):
    """The pool's limit, or the pretend device, is exhausted (memory.pyx, OutOfMemoryError)."""

    def __init__(self, size, total, limit=0):
        """Bytes asked for, bytes allocated so far, and the pool's limit if one is set."""
        text = f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes"
        super().__init__(text + (f", limit set to: {limit:,} bytes)." if limit else ")."))


class Memory:
    """One allocation: `buffer` is a NumPy array that keeps the bytes alive."""

    def __init__(self, buffer, pool):
        """Charges the pool for the bytes of `buffer` on the current device."""
        self.device_id = runtime.getDevice()
        self.size = -(-buffer.nbytes // UNIT) * UNIT
        self.buffer = buffer
        self.ptr = buffer.ctypes.data
        self.pool = None  # stays None if the pool refuses, so that nothing is given back
        pool._charge(self.device_id, self.size)
        self.pool = pool

    def __del__(self):
        if self.pool is not None:
            self.pool._refund(self.device_id, self.size)


class MemoryPointer:
    """A place in an allocation."""

    def __init__(self, mem, offset):
        """`offset` bytes after the start of `mem`."""
        self.mem = mem
        self.ptr = mem.ptr + offset
        self.device_id = mem.device_id

    @property
    def device(self):
        """The device of the allocation."""
        return Device(self.device_id)

    def __int__(self):
        return self.ptr

    def __add__(self, offset):
        return MemoryPointer(self.mem, self.ptr - self.mem.ptr + offset)

    def __sub__(self, offset):
        return self + -offset


class MemoryPool:
    """Bytes in use per device. Freed blocks stay in the pool until free_all_blocks, as in CuPy."""

    def __init__(self, allocator=None):
        """`allocator` is accepted and ignored: all memory here is the host's."""
        self._used, self._held, self._limit = {}, {}, {}

    def _charge(self, device, size):
        used = self._used.get(device, 0) + size
        limit = self._limit.get(device, 0)
        if used > (limit or standin.memory_per_device):
            raise OutOfMemoryError(size, self._used.get(device, 0), limit)
        self._used[device] = used
        self._held[device] = max(self._held.get(device, 0), used)

    def _refund(self, device, size):
        self._used[device] -= size

    def malloc(self, size):
        """An allocation of `size` bytes on the current device."""
        return MemoryPointer(Memory(np.empty(size, np.uint8), self), 0)

    def used_bytes(self):
        """Bytes in use on the current device."""
        return self._used.get(runtime.getDevice(), 0)

    def total_bytes(self):
        """Bytes in use or kept for reuse on the current device."""
        return self._held.get(runtime.getDevice(), 0)

    def free_bytes(self):
        """Bytes kept for reuse on the current device."""
        return self.total_bytes() - self.used_bytes()

    def free_all_blocks(self, stream=None):
        """Give back what is kept for reuse."""
        self._held = dict(self._used)

    def set_limit(self, size=None, fraction=None):
        """Refuse allocations on the current device beyond `size` bytes or a fraction of the device; 0 is no limit."""
        self._limit[runtime.getDevice()] = size or int((fraction or 0) * standin.memory_per_device)

    def get_limit(self):
        """The limit on the current device; 0 is none."""
        return self._limit.get(runtime.getDevice(), 0)


default_pool = MemoryPool()


def current_pool():
    """The pool that new arrays of this thread are charged to."""
    allocator = getattr(_chosen, "allocator", None) or default_pool.malloc
    return getattr(allocator, "__self__", default_pool)


def alloc(size):
    """An allocation from the current pool."""
    return current_pool().malloc(size)


@contextlib.contextmanager
def using_allocator(allocator=None):
    """Charge a MemoryPool's `malloc` for the arrays made in the block. Other allocator functions are not called."""
    previous = getattr(_chosen, "allocator", None)
    _chosen.allocator = allocator
    try:
        yield
    finally:
        _chosen.allocator = previous


class PinnedMemoryPointer(bytearray):
    """Pinned host memory: a buffer that `numpy.frombuffer(memory, dtype, count)` takes."""

    def size(self):
        """Bytes that can be used."""
        return len(self)

    @property
    def ptr(self):
        """Address of the first byte."""
        return np.frombuffer(self, np.uint8).ctypes.data


def alloc_pinned_memory(size):
    """Host memory for asynchronous copies."""
    runtime.getDevice()  # pinning needs a device [tried: CuPy 14.2 raises cudaErrorInsufficientDriver without a GPU]
    return PinnedMemoryPointer(size)
