"""Calling compiled kernels: the launcher, its plans, and the number of threads.

A kernel is ``void kernel(char *const *p, const int64_t *n, const double *s, char *scratch, int64_t begin, int64_t end)``. It
processes the items begin to end - 1; `p` are the arrays' data pointers, `n` its own integers, `s` its scalars, and `scratch`
memory that no other thread uses, aligned to 64 bytes, its content undefined. Any split of the items must give the same result.
"""

from __future__ import annotations

import ctypes
import functools
import operator
import os
import threading
from array import array
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from gpugrad.compile import build
from gpugrad.errors import OptionError

Launcher = Callable[..., None]

_lock = threading.Lock()
_library: ctypes.PyDLL | None = None  # calls keep the GIL
_launcher: Launcher | None = None
_threads = 0  # 0: the environment decides
_MOST_THREADS = 1024  # as in runtime.c
_PATIENCE = 300_000
"""Nanoseconds for which an idle thread looks for work: longer than what lies between most kernels of a step."""


def contiguous(x: Any) -> Any:
    """A NumPy array as kernels in C read it: without gaps, and aligned; x itself if it is."""
    return x if x.flags.c_contiguous and x.flags.aligned else x.copy(order="C")


def launcher() -> Launcher | None:
    """The built-in function ``launch(plan, *arrays, *scalars)``; None, after a line of information, where nothing compiles.

    It runs the kernel of a :func:`plan` on as many arrays and numbers as the plan says, and returns None. Arrays are objects with
    the buffer protocol, with any strides, of which the kernel gets the address of the first element; one that is only read may be a
    tuple, :class:`~gpugrad.compile.pieces.Pieces`, if the kernel reads one element of it in each item. The GIL is released while a
    kernel of more than 20 microseconds runs; one of more than 60, or of more than 8 while the others look for work, is shared among
    :func:`get_num_threads` threads.

    Raises TypeError for a wrong number or type of arguments, BufferError for an array that must be writable and is not,
    ValueError for a plan that is not valid, MemoryError if there is no scratch memory. What the kernel does with the
    addresses is not checked.
    """
    global _library, _launcher
    if _launcher is None:
        with _lock:
            if _launcher is None:
                source = Path(__file__).with_suffix(".c").read_text(encoding="utf-8")
                library = build.load(source, "runtime")
                if library is None:
                    return None
                _library = ctypes.PyDLL(library._name, handle=library._handle)
                make = _library.gpugrad_launcher
                make.argtypes, make.restype = (), ctypes.py_object
                _library.gpugrad_set_threads(min(get_num_threads(), _MOST_THREADS))
                _library.gpugrad_set_patience(ctypes.c_int64(_patience()))
                _launcher = make()
    return _launcher


def plan(
    address: int,
    items: int,
    cost: int,
    arrays: int,
    outputs: int,
    scalars: int,
    scratch: int = 0,
    grain: int = 1,
    integers: Iterable[int] = (),
) -> bytes:
    """What the launcher has to know of a kernel, once for all its calls with the same shapes.

    :param address: of the kernel's machine code.
    :param items: how many the kernel processes in all; no call has more, or other ones than 0 to items - 1.
    :param cost: estimated nanoseconds for all items together, on one thread.
    :param arrays: how many are passed; the first `outputs` of them are written.
    :param scalars: how many numbers are passed after the arrays.
    :param scratch: bytes of memory that the kernel needs for itself, for each thread.
    :param grain: each call but the last gets a multiple of this number of items.
    :param integers: the kernel's own, its `n`.
    """
    return array("q", (address, items, int(cost), arrays, outputs, scalars, scratch, grain, *integers)).tobytes()


def set_num_threads(n: int) -> None:
    """Let `n` threads, the calling one included, work on a large kernel. OptionError for less than one, TypeError for what is no integer."""
    global _threads
    n = operator.index(n)
    if n < 1:
        raise OptionError(f"set_num_threads: got {n}, expected 1 or more threads")
    with _lock:
        _threads = n
        if _library is not None:
            _library.gpugrad_set_threads(min(n, _MOST_THREADS))


def get_num_threads() -> int:
    """How many threads work on a large kernel.

    What was set last; else the environment's GPUGRAD_NUM_THREADS, else OMP_NUM_THREADS, else the processors that this process
    may use, as they were when they were first asked for.
    """
    return _threads or _default_threads()


def chosen_threads() -> int:
    """What was set last, 0 for nothing: what plans that depend on the number of threads are kept by."""
    return _threads


def _patience() -> int:
    """What an idle thread waits before it sleeps; with OMP_WAIT_POLICY=passive, as OpenMP has it, nothing."""
    return 0 if os.environ.get("OMP_WAIT_POLICY", "").strip().lower() == "passive" else _PATIENCE


@functools.cache  # reading the environment and asking the system take as long as a small kernel
def _default_threads() -> int:
    for name in ("GPUGRAD_NUM_THREADS", "OMP_NUM_THREADS"):
        first = os.environ.get(name, "").partition(",")[0].strip()  # OMP_NUM_THREADS may list nested levels
        if first.isdecimal() and int(first) > 0:
            return int(first)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()  # it may have been held by a thread that the child does not have
    _default_threads.cache_clear()  # which processors it may use, the child may choose anew


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _forget() -> None:
    """For tests: as if no launcher had been asked for and no number of threads set. Threads that were started stay."""
    global _library, _launcher, _threads
    with _lock:
        _library, _launcher, _threads = None, None, 0
        _default_threads.cache_clear()
