"""Between CuPy's arrays and its memory pool: the peak of the bytes in use, memory that other streams use, and errors that explain.

CuPy's pool keeps no peak, hands freed memory out again on the stream it was allocated on, whoever else still uses it, and says
little when there is none left. So the pool's ``malloc`` is wrapped: one call of Python and one read of the pool's counter for an
allocation, beside the microseconds that CuPy takes for an array. Only CuPy's own default pool is wrapped; an allocator that the
user has set stays, until :func:`gpugrad.cuda.reset_peak_memory_stats` asks for its peak.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
from collections.abc import Callable
from typing import Any

from gpugrad.errors import GpugradError, OutOfMemoryError

holders: Callable[[int, int], list[str]] = lambda device, count: []
"""What holds most of the memory of a GPU, largest first: gpugrad/cuda.py sets it, for Tensors are not known here."""

workspaces: list[Callable[[int], list[tuple[int, str]]]] = []
"""Each tells, for a GPU, of memory that a library uses and no Tensor holds: how many bytes, and what it is. Libraries join."""

_lock = threading.RLock()


class Counted:
    """A pool of CuPy whose :meth:`malloc` remembers, for each GPU, the most bytes that were in use after an allocation.

    That is of all threads and streams, which share the pool. Bytes are those of the pool's blocks, multiples of 512.
    """

    def __init__(self, pool: Any) -> None:
        self.pool = pool
        self.peaks: dict[int, int] = {}
        self._malloc = pool.malloc
        self._used = pool.used_bytes  # of the current device, which is where malloc allocates

    def malloc(self, size: int) -> Any:
        """Memory from the pool. Raises OutOfMemoryError."""
        try:
            memory = self._malloc(size)
        except MemoryError as error:
            memory = self._retry(size, error)
        used = self._used()
        if used > self.peaks.get(memory.device_id, 0):
            with _lock:
                self.peaks[memory.device_id] = max(used, self.peaks.get(memory.device_id, 0))
        return memory

    def _retry(self, size: int, error: MemoryError) -> Any:
        """CuPy itself has freed its cached blocks, collected garbage and tried again; what it knows nothing of is :func:`use`."""
        try:
            if reclaim(wait=True):
                return self._malloc(size)
        except MemoryError as again:
            raise explained(again) from None
        raise explained(error) from None


_of: Callable[[Any], Counted] = functools.cache(Counted)


def watch(cupy: Any) -> None:
    """Count and explain from here on, if CuPy allocates from its own default pool."""
    pool = cupy.get_default_memory_pool()
    if getattr(cupy.cuda.get_allocator(), "__self__", None) is pool:
        with contextlib.suppress(ValueError):  # within using_allocator, where it cannot be set
            cupy.cuda.set_allocator(_of(pool).malloc)


def counted(cupy: Any, *, start: bool = False) -> Counted | None:
    """The wrapper of the pool that CuPy allocates from in this thread; None if there is none, unless it is to `start`.

    Raises GpugradError if it is to start and cannot.
    """
    owner = getattr(cupy.cuda.get_allocator(), "__self__", None)
    if isinstance(owner, Counted) or not start:
        return owner if isinstance(owner, Counted) else None
    pool = pool_of(cupy)
    if pool is None:
        raise GpugradError(
            f"CuPy's allocator, {cupy.cuda.get_allocator()!r}, belongs to no pool that counts, so there is no peak to be known; "
            "set one that does, such as cupy.cuda.set_allocator(cupy.cuda.MemoryPool().malloc)"
        )
    try:
        cupy.cuda.set_allocator(_of(pool).malloc)
    except ValueError:
        raise GpugradError(
            "the peak is counted for the allocator of all threads, not within cupy.cuda.using_allocator"
        ) from None
    return _of(pool)


def pool_of(cupy: Any) -> Any:
    """The pool that CuPy allocates from in this thread; None if its allocator belongs to none, or to one that does not count."""
    owner = getattr(cupy.cuda.get_allocator(), "__self__", None)
    pool = owner.pool if isinstance(owner, Counted) else owner
    return pool if hasattr(pool, "used_bytes") else None


# Memory that another stream uses ------------------------------------------------------------------------------------


class _Use:
    """A block of memory that streams use other than the one it was allocated on, held until they are done with it."""

    __slots__ = ("events", "memory", "streams")

    def __init__(self, memory: Any) -> None:
        self.memory = memory
        self.streams: set[Any] = set()
        self.events: list[Any] = []  # recorded on those streams once nobody else held the memory

    def released(self) -> bool:
        """Whether nobody else holds the memory: all arrays that lie in it, views too, refer to the same object."""
        return sys.getrefcount(self.memory) == _ALONE


_sample = _Use(object())
_ALONE = sys.getrefcount(_sample.memory)
_uses: dict[int, _Use] = {}


def use(memory: Any, stream: Any) -> None:
    """Keep `memory`, the ``data.mem`` of an array, from being handed out again before `stream` is done with it.

    PyTorch's way: once the memory is freed, events are recorded on the streams that use it, and it goes back to the pool when they
    are done, which is asked at later calls of this kind and when memory runs out. No stream and no host waits.
    """
    reclaim()
    with _lock:
        _uses.setdefault(id(memory), _Use(memory)).streams.add(stream)


def reclaim(*, wait: bool = False) -> bool:
    """Give memory back to the pool that streams are done with; with `wait`, the host waits for them. Whether there was any."""
    cupy: Any = sys.modules["cupy"]
    if not _uses or cupy.cuda.get_current_stream().is_capturing():  # into a CUDA graph, where no event may be asked
        return False
    found = False
    with _lock:
        for key, held in list(_uses.items()):
            if not held.events and held.released():
                with cupy.cuda.Device(held.memory.device_id):
                    held.events = [stream.record(cupy.cuda.Event(disable_timing=True)) for stream in held.streams]
            if wait:
                for event in held.events:
                    event.synchronize()
            if held.events and all(event.done for event in held.events):
                del _uses[key]
                found = True
    return found


# Out of memory ------------------------------------------------------------------------------------------------------


def ran_out(error: Exception) -> bool:
    """Whether CuPy says that a GPU ran out of memory: an allocator that is not ours, or CUDA itself, loading a kernel for instance."""
    raised_by = type(error).__module__.partition(".")[0]
    return raised_by in ("cupy", "cupy_backends") and (
        isinstance(error, MemoryError) or getattr(error, "status", 0) == _ALLOCATION
    )


_ALLOCATION = 2  # cudaErrorMemoryAllocation, and CUDA_ERROR_OUT_OF_MEMORY of the driver


def explained(error: Exception, op: str = "") -> OutOfMemoryError:
    """The error to raise in place of CuPy's: how much was asked, is free, is held, and by what."""
    cupy: Any = sys.modules["cupy"]
    device = cupy.cuda.Device().id
    asked = getattr(error, "_size", None)
    free, total = cupy.cuda.runtime.memGetInfo()
    text = f"cuda:{device} is out of memory: asked for {'more' if asked is None else in_bytes(asked)}, and "
    text += f"{in_bytes(free)} of its {in_bytes(total)} are free"
    pool = pool_of(cupy)
    if pool is not None:
        used, held, limit = pool.used_bytes(), pool.total_bytes(), pool.get_limit()
        text += f"; the memory pool holds {in_bytes(used)} in use and {in_bytes(held - used)} cached"
        text += f", and is limited to {in_bytes(limit)}" if 0 < limit < total else ""
    largest = holders(device, 5)
    if largest:
        text += "; the largest live tensors are " + ", ".join(largest)
    made: OutOfMemoryError = _kind(cupy)(
        f"{text}. Smaller batches need less, and so do gg.checkpoint and, to evaluate, gg.no_grad"
    )
    made.op = op
    return made


@functools.cache
def _kind(cupy: Any) -> Any:
    """OutOfMemoryError, which is also CuPy's, for code that catches that."""

    def init(self: Any, text: str) -> None:
        MemoryError.__init__(self, text)

    def reduce(self: Any) -> Any:
        return OutOfMemoryError, (str(self),)

    bases = (OutOfMemoryError, cupy.cuda.memory.OutOfMemoryError)
    own = {
        "__init__": init,
        "__reduce__": reduce,
        "__module__": OutOfMemoryError.__module__,
        "__doc__": OutOfMemoryError.__doc__,
    }
    return type("OutOfMemoryError", bases, own)


def in_bytes(count: int) -> str:
    """A number of bytes, for people: "1.50 GiB"."""
    if count < 1024:
        return f"{count} B"
    size, unit = count / 1024, "KiB"
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{size:.2f} {unit}"
