"""How an array's elements lie in memory, as kernels have to know it."""

from __future__ import annotations

from typing import Any

from gpugrad.errors import UntraceableError


def contiguous(array: Any) -> bool:
    """Whether the elements lie one after the other, the last axis fastest."""
    return bool(array.flags.c_contiguous)


def strides(array: Any) -> tuple[int, ...]:
    """In elements. Raises UntraceableError for strides that are no whole number of elements."""
    size = array.itemsize
    if any(s % size for s in array.strides):
        raise UntraceableError("an array's elements lie between those of others")
    return tuple(s // size for s in array.strides)


def stretched(array: Any) -> tuple[int, ...]:
    """The axes along which an array repeats its elements."""
    if 0 not in array.strides:
        return ()
    return tuple(i for i, (n, stride) in enumerate(zip(array.shape, array.strides, strict=True)) if stride == 0 and n > 1)


def unstretched(array: Any) -> Any:
    """A view of an array without the repetition of elements along broadcast axes, as gradients of sums have them."""
    axes = stretched(array)
    return array[tuple(slice(0, 1) if i in axes else slice(None) for i in range(array.ndim))] if axes else array
