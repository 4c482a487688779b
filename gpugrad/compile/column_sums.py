"""Sums over the rows of NumPy's matrices, the gradients of biases, by a kernel written in C, column_sums.c.

NumPy's sums take longer where rows are narrow, and run on one thread.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy

from gpugrad.compile.handwritten import handwritten, suits
from gpugrad.compile.runtime import plan

_NARROW, _WIDE = 32, 512
"""Columns, at most, of the matrices that are folded, and about those to which they are."""

_FOLDED = 2**13
"""Elements from which on they are folded."""

_PART = 2**16
"""Elements of a part, about."""


def column_sums(x: Any) -> Any:
    """The sums over the rows of a contiguous matrix; None where there is no kernel for it."""
    if not suits(x) or not x.flags.c_contiguous or not x.flags.aligned:
        return None
    rows, columns = x.shape
    if columns <= _NARROW and x.size >= _FOLDED:  # few numbers side by side would wait for each other
        together = _WIDE // columns
        whole = rows - rows % together
        sums = column_sums(x[:whole].reshape(whole // together, together * columns))
        if sums is None:
            return None
        out = numpy.add.reduce(sums.reshape(together, columns), 0)
        return out + numpy.add.reduce(x[whole:], 0) if whole < rows else out
    call = _sums_call(x.dtype.char, rows, columns)
    if call is None:
        return None
    launch, made, parts = call
    sums = numpy.empty(columns if parts == 1 else (parts, columns), x.dtype)
    launch(made, sums, x)
    return sums if parts == 1 else numpy.add.reduce(sums, 0)


@functools.lru_cache(256)
def _sums_call(kind: str, rows: int, columns: int) -> tuple[Any, bytes, int] | None:
    """The launcher, the plan and the number of parts whose sums are to be added; None where there is no kernel, or nothing to add."""
    found = handwritten(__file__, kind, ("column_sums",)) if rows * columns else None
    if found is None:
        return None
    launch, addresses = found
    high = min(max(_PART // columns, 64), 512)  # so that they are few, and a sum of many numbers loses few digits
    parts = -(-rows // high)
    cost = rows * columns * numpy.dtype(kind).itemsize * 0.03
    return launch, plan(addresses["column_sums"], parts, int(cost), 2, 1, 0, integers=(rows, columns, high)), parts
