"""How much memory of a GPU is in use, and how much may be: the functions of ``torch.cuda`` for it, on CuPy's memory pool."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gpugrad.arrays import allocator
from gpugrad.arrays.allocator import in_bytes
from gpugrad.arrays.devices import Device, DeviceLike, cuda_is_available, gpu, import_cupy, on
from gpugrad.errors import GpugradError, OptionError


@contextmanager
def _pool(device: int | DeviceLike | None) -> Iterator[tuple[Any, Any]]:
    """CuPy, with the device current, and the pool that it allocates from."""
    with on(gpu(device)):
        cupy = import_cupy()
        pool = allocator.pool_of(cupy)
        if pool is None:
            raise GpugradError(
                f"CuPy's allocator is {cupy.cuda.get_allocator()!r}, which belongs to no pool that says how much it has handed out"
            )
        allocator.reclaim()
        yield cupy, pool


def memory_allocated(device: int | DeviceLike | None = None) -> int:
    """Bytes in use on a GPU by arrays of this process: of gpugrad, and of CuPy itself.

    They are those of the blocks that CuPy's pool has handed out, each rounded up to 512 bytes, on all streams and for all threads.
    Not among them are CUDA itself, what libraries allocate on their own, and blocks that the pool keeps for reuse
    (:func:`memory_reserved` counts those too).
    """
    with _pool(device) as (_, pool):
        return int(pool.used_bytes())


def max_memory_allocated(device: int | DeviceLike | None = None) -> int:
    """The most bytes that were in use at once, as :func:`memory_allocated` counts them, since the start of the process or since
    :func:`reset_peak_memory_stats`.

    It is taken after each allocation, for all threads and streams together. Within ``cupy.cuda.using_allocator`` nothing is counted.
    Raises GpugradError where the user has given CuPy another allocator, which gpugrad leaves as it is: until
    :func:`reset_peak_memory_stats` was called there is no peak of it.
    """
    with _pool(device) as (cupy, pool):
        counted = allocator.counted(cupy)
        if counted is None:
            raise GpugradError(
                "max_memory_allocated: CuPy was given another allocator than its own, whose peak is not counted; "
                "gg.cuda.reset_peak_memory_stats() starts to count it"
            )
        return max(counted.peaks.get(cupy.cuda.Device().id, 0), int(pool.used_bytes()))


def reset_peak_memory_stats(device: int | DeviceLike | None = None) -> None:
    """Begin a new peak for :func:`max_memory_allocated`, at what is in use now.

    If the user has given CuPy the allocator of another pool, it is wrapped, to be counted. Raises GpugradError if it does not count.
    """
    with _pool(device) as (cupy, pool):
        counted = allocator.counted(cupy, start=True)
        assert counted is not None
        counted.peaks[cupy.cuda.Device().id] = int(pool.used_bytes())


def memory_reserved(device: int | DeviceLike | None = None) -> int:
    """Bytes that CuPy's pool has taken from a GPU: in use, or kept to be handed out again."""
    with _pool(device) as (_, pool):
        return int(pool.total_bytes())


def empty_cache() -> None:
    """Give back to the GPUs what CuPy's pool keeps and nobody uses, so that other processes can have it; waits for the GPUs.

    Does not make more memory available to this process: the pool does it itself before it runs out. Without a GPU, does nothing.
    """
    if not cuda_is_available():
        return
    allocator.reclaim(wait=True)
    cupy = import_cupy()
    counted = allocator.counted(cupy)
    for index in {cupy.cuda.Device().id, *(counted.peaks if counted else ())}:  # others need not be woken up
        with _pool(index) as (_, pool):
            pool.free_all_blocks()


def set_memory_limit(limit: int | float | None, device: int | DeviceLike | None = None) -> None:
    """Let arrays of this process take at most so much of a GPU: bytes, as an integer, or a fraction of its memory, as a float.

    None lifts the limit. It holds for what is allocated from now on; beyond it OutOfMemoryError is raised.
    Raises OptionError for a negative number, and for a fraction above 1 or of 0.
    """
    good = limit is None or (isinstance(limit, int) and not isinstance(limit, bool) and limit > 0)
    if not good and not (isinstance(limit, float) and 0 < limit <= 1):
        raise OptionError(
            f"set_memory_limit: limit is {limit!r}, expected a number of bytes, a fraction of the memory between 0.0 and 1.0, or None"
        )
    with _pool(device) as (_, pool):
        if isinstance(limit, float):
            pool.set_limit(fraction=limit)
        else:
            pool.set_limit(size=limit or 0)


def memory_summary(device: int | DeviceLike | None = None) -> str:
    """What is known of the memory of a GPU, for people: in use, at most in use, cached, free, and the largest live tensors."""
    with _pool(device) as (cupy, pool):
        index = cupy.cuda.Device().id
        free, total = cupy.cuda.runtime.memGetInfo()
        used, held, limit = pool.used_bytes(), pool.total_bytes(), pool.get_limit()
        counted = allocator.counted(cupy)
        lines = [
            ("in use", in_bytes(used)),
            ("at most in use", in_bytes(max(used, counted.peaks.get(index, 0))) if counted else "not counted"),
            ("cached by the pool", in_bytes(held - used)),
            ("limit of the pool", in_bytes(limit) if 0 < limit < total else "none"),
            ("free on the GPU", in_bytes(free)),
            ("in all", in_bytes(total)),
        ]
        table = [f"  {name:<20}{value:>12}" for name, value in lines]
        largest = ["", "largest live tensors:", *(f"  {text}" for text in allocator.holders(index, 10))]
        return "\n".join([f"memory of {Device('cuda', index)}", *table, *(largest if len(largest) > 2 else [])])
