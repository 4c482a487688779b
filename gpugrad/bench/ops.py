"""Single ops over sizes, in float32: forward on raw arrays, and the gradients of those whose backward is work of another kind.

The gradient of a product is a product, that of a sum a copy. But those of convolution and of norms are kernels of their own, and
that of gathering is a scatter, where indices meet: people train, so these are measured with their forward pass, on the tape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

import gpugrad
from gpugrad.arrays.devices import Device
from gpugrad.bench.case import Case, Work, there, uniform
from gpugrad.bench.method import numbers
from gpugrad.nn import functional
from gpugrad.ops.contraction import matmul
from gpugrad.ops.elementwise import exp, multiply
from gpugrad.ops.indexing import take
from gpugrad.ops.reduction import sum

COLUMNS = 512
"""Of the matrices whose rows are normalized and whose columns are summed."""

TABLE = 1 << 16
"""Rows of the table that is gathered from; a row has 64 elements."""

ELEMENTS = (1 << 10, 1 << 15, 1 << 20, 1 << 23, 1 << 25)
FEW = (1 << 20, 1 << 10)

Operands = Callable[[int], Sequence[Any]]


def _forward(function: Callable[..., Any], operands: Operands) -> Callable[[int, Device], Work]:
    """How to prepare an op: `operands` are NumPy arrays."""

    def prepare(size: int, device: Device) -> Work:
        arrays = there(operands(size), device)
        return Work.of(lambda: function(*arrays))

    return prepare


def _gradient(function: Callable[..., Any], operands: Operands) -> Callable[[int, Device], Work]:
    """How to prepare an op with its gradients of all operands that have one; that of the result is made once."""

    def prepare(size: int, device: Device) -> Work:
        inputs = [gpugrad.Tensor(x).requires_grad_(x.dtype == numpy.float32) for x in there(operands(size), device)]
        leaves = [x for x in inputs if x.requires_grad]
        with gpugrad.no_grad():
            shape = function(*inputs).shape
        (weights,) = there(uniform(shape), device)

        def step() -> list[Any]:
            for x in leaves:
                x.grad = None
            function(*inputs).backward(weights)
            return [x.grad for x in leaves]

        return Work(step, lambda: numbers(step()))

    return prepare


def _gathered(size: int) -> list[Any]:
    return [*uniform((TABLE, 64)), numpy.random.default_rng(0).integers(0, TABLE, size)]


def _matrix(size: int) -> tuple[int, int]:
    return size // COLUMNS, COLUMNS


def _softmax(x: Any) -> Any:
    return functional.softmax(x, -1)


def _layer_norm(x: Any, weight: Any, bias: Any) -> Any:
    return functional.layer_norm(x, COLUMNS, weight, bias)


def _conv2d(x: Any, weight: Any) -> Any:
    return functional.conv2d(x, weight, padding=1)


def _take(x: Any, indices: Any) -> Any:
    return take(x, indices, axis=0)


def _trained(
    name: str,
    work: str,
    grows: str,
    sizes: Sequence[int],
    quick: Sequence[int],
    function: Callable[..., Any],
    operands: Operands,
) -> tuple[Case, Case]:
    """An op and its gradients."""
    return (
        Case(name, work, grows, sizes, quick, _forward(function, operands)),
        Case(f"{name} gradient", f"forward and backward, {work}", grows, sizes, quick[:1], _gradient(function, operands)),
    )


_TRAINED = (
    _trained("softmax", f"of rows of {COLUMNS}", "elements", ELEMENTS, FEW, _softmax, lambda n: uniform(_matrix(n))),
    _trained(
        "layer_norm", f"of rows of {COLUMNS}, with weight and bias", "elements", ELEMENTS, FEW,
        _layer_norm, lambda n: uniform(_matrix(n), (COLUMNS,), (COLUMNS,)),
    ),
    _trained(
        "conv2d", "3 x 3, 16 to 32 channels, images of 32 x 32", "images", (1, 4, 16, 64, 256), (4, 1),
        _conv2d, lambda n: uniform((n, 16, 32, 32), (32, 16, 3, 3)),
    ),
    _trained(
        "take", f"rows of 64 out of {TABLE:,}", "rows taken", (1 << 6, 1 << 10, 1 << 14, 1 << 18), (1 << 14, 1 << 6),
        _take, _gathered,
    ),
)  # fmt: skip

CASES = (
    Case("multiply", "x * y", "elements", ELEMENTS, FEW, _forward(multiply, lambda n: uniform((n,), (n,)))),
    Case("exp", "of all elements", "elements", ELEMENTS, FEW, _forward(exp, lambda n: uniform((n,)))),
    Case("sum", "of all elements", "elements", ELEMENTS, FEW, _forward(sum, lambda n: uniform((n,)))),
    Case(
        "sum over axis 0", f"of {COLUMNS} columns", "elements", ELEMENTS, FEW,
        _forward(lambda x: sum(x, axis=0), lambda n: uniform(_matrix(n))),
    ),
    Case(
        "matmul", "of square matrices", "rows", (64, 256, 512, 1024, 2048), (512, 64),
        _forward(matmul, lambda n: uniform((n, n), (n, n))),
    ),
    *(forward for forward, _ in _TRAINED),
    *(gradient for _, gradient in _TRAINED),
)  # fmt: skip
