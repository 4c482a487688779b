"""Flat arrays in pieces: what lies in many arrays, handed to a kernel as if it lay in one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from gpugrad.arrays.dtypes import DType


class Pieces(tuple[Any, ...]):
    """NumPy arrays whose elements, in this order, count as those of one flat array, and ints: gaps of so many elements.

    A kernel that is :func:`~gpugrad.compile.accelerate.accelerated` takes it for a contiguous array of one axis, which it reads
    element by element beside others of that shape, and leaves the gaps out: nothing is written there either. The arrays must be
    contiguous, aligned and of one dtype.
    """

    dtype: DType
    shape: tuple[int]
    flags = SimpleNamespace(c_contiguous=True, aligned=True)

    @classmethod
    def of(cls, parts: list[Any], size: int, dtype: DType) -> Pieces:
        """Of arrays and gaps with `size` elements in all."""
        pieces = cls(parts)
        pieces.dtype, pieces.shape = dtype, (size,)
        return pieces

    @property
    def strides(self) -> tuple[int]:
        """Of the array that they stand for, in bytes."""
        return (self.dtype.itemsize,)

    def stretches(self) -> Iterator[tuple[slice, list[Any]]]:
        """The arrays that have no gap between them, and where in the flat array they are."""
        begin = end = 0
        arrays: list[Any] = []
        for part in (*self, 0):
            if isinstance(part, int):
                if arrays:
                    yield slice(begin, end), arrays
                begin = end = end + part
                arrays = []
            else:
                end += math.prod(part.shape)
                arrays.append(part)
