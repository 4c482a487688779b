"""Single ops over sizes, forward, on raw float32 arrays: what a device gains by itself, without the tape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from gpugrad.arrays.devices import Device
from gpugrad.bench.case import Case, Work, there, uniform
from gpugrad.nn import functional
from gpugrad.ops.contraction import matmul
from gpugrad.ops.elementwise import multiply
from gpugrad.ops.indexing import take
from gpugrad.ops.reduction import sum

COLUMNS = 512
"""Of the matrices whose rows are normalized."""

TABLE = 1 << 16
"""Rows of the table that is gathered from; a row has 64 elements."""

ELEMENTS = (1 << 10, 1 << 15, 1 << 20, 1 << 23, 1 << 25)


def _of(function: Callable[..., Any], operands: Callable[[int], Sequence[Any]]) -> Callable[[int, Device], Work]:
    """How to prepare an op: `operands` are NumPy arrays."""

    def prepare(size: int, device: Device) -> Work:
        arrays = there(operands(size), device)
        return Work.of(lambda: function(*arrays))

    return prepare


def _rows(size: int) -> tuple[int, int]:
    return size // COLUMNS, COLUMNS


def _gathered(size: int) -> list[Any]:
    return [*uniform((TABLE, 64)), numpy.random.default_rng(0).integers(0, TABLE, size)]


CASES = (
    Case("multiply", "x * y, elements", ELEMENTS, _of(multiply, lambda n: uniform((n,), (n,)))),
    Case("sum", "of all elements", ELEMENTS, _of(sum, lambda n: uniform((n,)))),
    Case("matmul", "of square matrices, rows", (64, 256, 512, 1024, 2048), _of(matmul, lambda n: uniform((n, n), (n, n)))),
    Case(
        "softmax", f"of rows of {COLUMNS}, elements", ELEMENTS,
        _of(lambda x: functional.softmax(x, -1), lambda n: uniform(_rows(n))),
    ),
    Case(
        "layer_norm", f"of rows of {COLUMNS} with weight and bias, elements", ELEMENTS,
        _of(lambda x, w, b: functional.layer_norm(x, COLUMNS, w, b), lambda n: uniform(_rows(n), (COLUMNS,), (COLUMNS,))),
    ),
    Case(
        "conv2d", "3 x 3, 16 to 32 channels, images of 32 x 32", (1, 4, 16, 64, 256),
        _of(lambda x, w: functional.conv2d(x, w, padding=1), lambda n: uniform((n, 16, 32, 32), (32, 16, 3, 3))),
    ),
    Case(
        "take", f"rows of 64 out of {TABLE:,}, rows taken", (1 << 6, 1 << 10, 1 << 14, 1 << 18),
        _of(lambda x, indices: take(x, indices, axis=0), _gathered),
    ),
)  # fmt: skip
