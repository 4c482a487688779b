"""What the C library does with the memory of NumPy's arrays that are freed: it is kept for the next ones.

A training step frees arrays of megabytes and makes as many of the same sizes in the next. glibc gives such memory back to the
system and asks for it again, which fills each page with zeros: up to a quarter of a step. It learns to keep more from the
largest array that a program has freed. Here it is told at once, and to keep what a step of a million numbers in each array needs.
"""

from __future__ import annotations

import contextlib
import ctypes
import os

LARGEST = 32 << 20
"""Bytes of the largest arrays whose memory is kept: the most that glibc takes for this."""

KEPT = 8 * LARGEST
"""Bytes of free memory at the end of the heap that are kept: four times what glibc could come to by itself."""

_NAMES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


def keep_freed_memory() -> bool:
    """Set the thresholds of malloc, unless the user has; False where that is so, and where the C library is not glibc."""
    if any(name in os.environ for name in _NAMES) or "threshold" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        return bool(mallopt(_M_MMAP_THRESHOLD, LARGEST) and mallopt(_M_TRIM_THRESHOLD, KEPT))
    return False
