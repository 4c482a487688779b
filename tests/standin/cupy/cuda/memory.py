"""Device memory: host memory with a device number, counted as CuPy's pool counts it."""

import collections
import contextlib
import threading

import numpy as np
from cupy import standin
from cupy.cuda import order, runtime
from cupy.cuda.device import Device
from cupy.cuda.stream import get_current_stream

UNIT = 512  # the pool hands out multiples of 512 bytes (memory.pyx, ALLOCATION_UNIT_SIZE and _round_size)

_chosen = threading.local()  # the allocator set by using_allocator belongs to a thread


class OutOfMemoryError(MemoryError):
    """The pool's limit, or the pretend device, is exhausted (memory.pyx, OutOfMemoryError)."""

    def __init__(self, size, total, limit=0):
        """Bytes asked for, bytes allocated so far, and the pool's limit if one is set."""
        self._size, self._total, self._limit = size, total, limit
        text = f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes"
        super().__init__(text + (f", limit set to: {limit:,} bytes)." if limit else ")."))


class Memory:
    """One allocation. `buffer` is a NumPy array that keeps the bytes alive: an array's own, or made when the address is asked for."""

    def __init__(self, size, pool):
        """Charges the pool for the bytes on the current device, in the name of the current stream."""
        self.device_id = runtime.getDevice()
        self.size = -(-size // UNIT) * UNIT
        self._buffer = self.uses = None
        self.pool = None  # stays None if the pool refuses, so that nothing is given back
        pool._charge(self.device_id, self.size)
        self.pool = pool
        stream = get_current_stream()
        self.uses = order.Uses(stream, pool._reused((self.device_id, order.key(stream)), self.size))

    @property
    def buffer(self):
        """The bytes."""
        if self._buffer is None:
            room = np.empty(self.size + UNIT, np.uint8)
            start = -room.ctypes.data % UNIT  # addresses are multiples of 512, too
            self._buffer = room[start : start + self.size]
        return self._buffer

    @property
    def ptr(self):
        """The address of the first byte."""
        return self.buffer.ctypes.data

    def adopt(self, buffer):
        """Be the memory of a NumPy array."""
        self._buffer = buffer
        return self

    def read(self):
        """Read by what is launched on the current stream."""
        self.uses.read(get_current_stream(self.device_id))

    def host_read(self):
        """Read by the host, which waits for the current stream."""
        self.read()
        order.host_waited(order.state(get_current_stream(self.device_id)))

    def write(self):
        """Written by what is launched on the current stream."""
        self.uses.write(get_current_stream(self.device_id))

    def __del__(self):
        if self.pool is not None:
            self.pool._refund(self)


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
        self._lock = threading.RLock()  # memory is freed by any thread
        self._freed = collections.defaultdict(list)  # {(device, stream that it was allocated on): [(size, its last uses)]}

    def _charge(self, device, size):
        with self._lock:
            used = self._used.get(device, 0) + size
            limit = self._limit.get(device, 0)
            if used > (limit or standin.memory_per_device):
                raise OutOfMemoryError(size, self._used.get(device, 0), limit)
            self._used[device] = used
            self._held[device] = max(self._held.get(device, 0), used)

    def _refund(self, memory):
        with self._lock:
            self._used[memory.device_id] -= memory.size
            uses = memory.uses
            if uses is not None and uses.all.keys() != {uses.stream}:
                # Handed out again on the stream it was allocated on, whoever else used it (memory.pyx, _Chunk.arena).
                self._freed[memory.device_id, uses.stream].append((memory.size, uses.all))

    def _reused(self, place, size):
        """The last uses of freed memory that is handed out again. Blocks that one stream alone used make no difference."""
        with self._lock:
            freed = self._freed[place]
            fitting = [block for block in freed if block[0] >= size > 0]
            if not fitting:
                return None
            block = min(fitting, key=lambda block: block[0])
            freed.remove(block)
            return block[1]

    def malloc(self, size):
        """An allocation of `size` bytes on the current device."""
        return MemoryPointer(Memory(size, self), 0)

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
        """Give back what is kept for reuse: cudaFree waits for the device."""
        with self._lock:
            self._held = dict(self._used)
            self._freed.clear()

    def set_limit(self, size=None, fraction=None):
        """Refuse allocations on the current device beyond `size` bytes or a fraction of the device; 0 is no limit."""
        self._limit[runtime.getDevice()] = size or int((fraction or 0) * standin.memory_per_device)

    def get_limit(self):
        """The limit on the current device; 0 is none."""
        return self._limit.get(runtime.getDevice(), 0)


default_pool = MemoryPool()


_allocator = default_pool.malloc


def get_allocator():
    """What allocates the arrays of this thread: a function from a size to a MemoryPointer."""
    return getattr(_chosen, "allocator", None) or _allocator


def set_allocator(allocator=None):
    """Set the allocator of all threads. The real one takes None for cudaMalloc; here that is a pool of its own."""
    global _allocator
    if getattr(_chosen, "allocator", None) is not None:
        raise ValueError("Can't change the global allocator inside `using_allocator` context manager")
    _allocator = allocator or MemoryPool().malloc


def alloc(size):
    """An allocation from the current allocator."""
    return get_allocator()(size)


@contextlib.contextmanager
def using_allocator(allocator=None):
    """Use another allocator in the block, in this thread."""
    previous = getattr(_chosen, "allocator", None)
    _chosen.allocator = allocator
    try:
        yield
    finally:
        _chosen.allocator = previous


class PinnedMemoryPointer(bytearray):
    """Pinned host memory: a buffer that `numpy.frombuffer(memory, dtype, count)` takes."""

    def __init__(self, size):
        """`size` bytes, known to `runtime.pointerGetAttributes` as long as they live."""
        super().__init__(size)
        standin.pinned[id(self)] = self.ptr, size

    def __del__(self, pinned=standin.pinned):
        pinned.pop(id(self), None)

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
