"""Pinned (page-locked) host memory: a GPU copies to and from it while the host goes on.

An array in it is a ``numpy.ndarray`` like any other; CuPy's pool keeps the memory.
"""

from __future__ import annotations

import math
import sys
import threading
from collections import deque
from typing import Any

import numpy

_PINNED = 1  # cudaMemoryTypeHost


def empty(shape: tuple[int, ...], dtype: Any) -> Any:
    """A new numpy.ndarray in pinned memory; CuPy must have been imported."""
    dtype = numpy.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size == 0:  # there is nothing to pin
        return numpy.empty(shape, dtype)
    return numpy.ndarray(shape, dtype, buffer=sys.modules["cupy"].cuda.alloc_pinned_memory(size))


def is_pinned(array: Any) -> bool:
    """Whether a raw array is in pinned memory, so far as CUDA knows; without waiting for a GPU."""
    cupy = sys.modules.get("cupy")  # which has pinned the memory, if anybody has
    if cupy is None or not isinstance(array, numpy.ndarray) or array.size == 0:
        return False
    try:
        return bool(cupy.cuda.runtime.pointerGetAttributes(array.ctypes.data).type == _PINNED)
    except cupy.cuda.runtime.CUDARuntimeError:  # there is no GPU
        return False


def pin(array: Any) -> Any:
    """A copy of a numpy.ndarray in pinned memory; the array itself if it is there."""
    if is_pinned(array):
        return array
    out = empty(array.shape, array.dtype)
    out[...] = array
    return out


def fetch(array: Any) -> Any:
    """A copy of a CuPy array in pinned memory, which is complete when the current stream of its device has come so far."""
    out = empty(array.shape, array.dtype)
    if array.size:
        cupy = sys.modules["cupy"]
        with array.device:
            array.get(out=out, blocking=False)
            copied = cupy.cuda.get_current_stream().record(cupy.cuda.Event(disable_timing=True))
        _hold(copied, out)
    return out


# Copies under way: their memory must not go back to the pool before they are complete, even if nobody wants them any longer.
_under_way: deque[tuple[Any, Any]] = deque()
_lock = threading.Lock()


def _hold(copied: Any, out: Any) -> None:
    with _lock:
        while _under_way and _under_way[0][0].done:
            _under_way.popleft()
        _under_way.append((copied, out))
