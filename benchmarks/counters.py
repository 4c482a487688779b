"""What one call of a function does, counted: calls of functions, arrays of NumPy, memory that stays, work sent to a pretend GPU.

No count is a time: each is the same in every run, however busy the machine is.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy

Step = Callable[[], Any]

_NUMPY = str(Path(numpy.__file__).parent)
_COMPREHENSIONS = ("<listcomp>", "<dictcomp>", "<setcomp>")


def calls(step: Step, *without: str) -> dict[str, int]:
    """Calls of Python functions (a generator's each time it goes on), and of C functions and methods by Python functions.

    What NumPy does inside is left out, and what the files do whose paths begin with one of `without`: it is not ours, and changes with
    the version. So are comprehensions, which are functions in Python 3.11 alone. Calls of classes, of ufuncs and of compiled
    kernels are no calls of functions to Python: they show in :func:`arrays` at most.
    """
    python, c, elsewhere = -1, 0, (_NUMPY, *without)  # the step itself does not count

    def count(frame: types.FrameType, event: str, function: Any) -> None:
        nonlocal python, c
        code = frame.f_code
        if code.co_filename.startswith(elsewhere):
            return
        if event == "call":
            python += code.co_name not in _COMPREHENSIONS
        elif event == "c_call":
            c += function is not sys.setprofile

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        step()
    finally:
        sys.setprofile(before)
    return {"calls": python, "C calls": c}


def held(step: Step, times: int = 200) -> dict[str, int]:
    """Blocks of memory that Python keeps for the result of a step, with all that it refers to and that is new; of 512 bytes at most each."""
    kept: list[Any] = [None] * times
    for i in range(times):  # so that dictionaries and lists which grow have grown
        kept[i] = step()
    kept[:] = [None] * times
    gc.collect()  # which also gives back what Python keeps of freed tuples and the like, to use again
    before = sys.getallocatedblocks()
    for i in range(times):
        kept[i] = step()
    return {"blocks held": round((sys.getallocatedblocks() - before) / times)}


def arrays(step: Step) -> dict[str, int]:
    """Arrays that NumPy allocates, 0-d ones included, and the most bytes that arrays take during the step, over the least."""
    with _watching() as seen:
        for _ in range(2):  # so that what the step replaces was allocated within, too
            step()
        seen.count, seen.most, seen.least = 0, seen.live, seen.live
        step()
        return {"arrays": seen.count, "peak bytes": seen.most - seen.least}


def launches(step: Step, cupy: Any) -> dict[str, int]:
    """On the stand-in for CuPy: gpugrad's kernels that are launched, allocations, and the most bytes in use, over the least."""
    pool, malloc = cupy.get_default_memory_pool(), cupy.cuda.get_allocator()
    used = [pool.used_bytes()]

    def counted(size: int) -> Any:
        used.append(pool.used_bytes())
        memory = malloc(size)
        used.append(pool.used_bytes())
        return memory

    with cupy.cuda.using_allocator(counted), cupy.standin.counting() as seen:
        step()
    return {"kernels": seen.kernel_launches, "allocations": len(used) // 2, "peak bytes": max(used) - min(used)}


# NumPy's allocator, as NEP 49 lets C code replace it ----------------------------------------------------------------

# Called with the interpreter's lock held, and without giving it up: NumPy's own functions may expect to hold it.
_MALLOC = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_CALLOC = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
_FREE = ctypes.PYFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_SET_HANDLER, _GET_HANDLER = 304, 305  # places in the table of NumPy's C API, which stay


class _Handler(ctypes.Structure):
    """PyDataMem_Handler, version 1."""

    _fields_ = (
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("context", ctypes.c_void_p),
        ("malloc", _MALLOC),
        ("calloc", _CALLOC),
        ("realloc", ctypes.c_void_p),
        ("free", _FREE),
    )


@contextmanager
def _watching() -> Iterator[types.SimpleNamespace]:
    """Counts the arrays that are allocated within the block, and the bytes that they take while they live; no reallocation."""
    seen = types.SimpleNamespace(count=0, live=0, most=0, least=0)
    address, capsule = ctypes.pythonapi.PyCapsule_GetPointer, ctypes.pythonapi.PyCapsule_New
    address.restype, address.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    capsule.restype, capsule.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    api = ctypes.cast(address(numpy._core._multiarray_umath._ARRAY_API, None), ctypes.POINTER(ctypes.c_void_p))
    set_handler = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(api[_SET_HANDLER])
    default = ctypes.PYFUNCTYPE(ctypes.py_object)(api[_GET_HANDLER])()
    inner = _Handler.from_address(address(default, b"mem_handler"))

    def took(size: int) -> None:
        seen.count += 1
        seen.live += size
        seen.most = max(seen.most, seen.live)

    def malloc(context: int | None, size: int) -> int | None:
        took(size)
        return inner.malloc(context, size)

    def calloc(context: int | None, count: int, size: int) -> int | None:
        took(count * size)
        return inner.calloc(context, count, size)

    def free(context: int | None, place: int | None, size: int) -> None:
        seen.live -= size
        seen.least = min(seen.least, seen.live)
        inner.free(context, place, size)

    ours = _Handler(b"gpugrad", 1, inner.context, _MALLOC(malloc), _CALLOC(calloc), inner.realloc, _FREE(free))
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(ours))  # arrays that were made within refer to it for ever
    set_handler(capsule(ctypes.addressof(ours), b"mem_handler", None))
    try:
        yield seen
    finally:
        set_handler(default)
        ctypes.memmove(ctypes.byref(ours), ctypes.byref(inner), ctypes.sizeof(_Handler))  # and are freed by NumPy's own
