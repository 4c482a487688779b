"""Matrix products by cuBLAS, without copies where layouts allow.

cuBLAS takes column-major matrices, transposed or not, with columns at any distance, and stacks of them at one distance from each other.
A row-major matrix is the transpose of a column-major one, so X Y is computed as (Y^T X^T)^T: cuBLAS is given y, then x, and what it writes
is the row-major result. Operands of other layouts are copied.
"""

from __future__ import annotations

import math
from typing import Any

import cupy
import numpy

from gpugrad.arrays.cuda import cublas

_LAUNCH = 4 << 20
"""Bytes whose copying takes about as long as one more launch [expected]: what decides between a copy and a loop of products."""


class _Kinds(dict[Any, "cublas.Arithmetic | None"]):
    """The arithmetic of a dtype, None for one that cuBLAS does not multiply: a table that fills itself."""

    def __missing__(self, dtype: Any) -> cublas.Arithmetic | None:
        found = self[dtype] = cublas.ARITHMETIC.get(dtype.name)
        return found


_kinds = _Kinds()


def matmul(x: Any, y: Any, /) -> Any:
    """The op ``matmul`` in float16, bfloat16, float32, float64, complex64 and complex128; 16-bit products are summed in float32.

    Returns NotImplemented for other dtypes, for shapes that do not fit, and where cuBLAS is not at hand.
    """
    if cublas.unusable or not (isinstance(x, cupy.ndarray) and isinstance(y, cupy.ndarray)):
        return NotImplemented
    dtype, mixed = x.dtype, x.dtype != y.dtype
    if mixed:
        dtype = numpy.promote_types(dtype, y.dtype)
    kind = _kinds[dtype]
    left, right = x.shape, y.shape
    if kind is None or not (left and right) or left[-1] != right[-2 if len(right) > 1 else 0]:
        return NotImplemented
    batch: tuple[int, ...] = ()
    if len(left) > 2 or len(right) > 2:
        batch = left[:-2]
        if batch != right[:-2]:
            try:
                batch = numpy.broadcast_shapes(batch, right[:-2])
            except ValueError:
                return NotImplemented
    out = cupy.ndarray(batch + left[-2:-1] + (right[-1:] if len(right) > 1 else ()), dtype)
    if out.size == 0:
        return out
    if left[-1] == 0:
        out.fill(0)
        return out
    if mixed:
        x, y = x.astype(dtype, copy=False), y.astype(dtype, copy=False)
    done = bmm(kind, x, y, out, batch) if batch else gemm(kind, x, y, out)
    return out if done else NotImplemented


def gemm(kind: cublas.Arithmetic, x: Any, y: Any, out: Any) -> bool:
    """out = x @ y for matrices or vectors of one dtype, not empty; False if cuBLAS does not do it."""
    (m, k), x_strides = _matrix(x, 0)
    (_, n), y_strides = _matrix(y, 1)
    x_layout, y_layout = _layout(x, m, k, x_strides), _layout(y, k, n, y_strides)
    if x_layout is None or y_layout is None:
        return gemm(kind, x.copy() if x_layout is None else x, y.copy() if y_layout is None else y, out)
    memory = out.data
    return cublas.gemm(
        kind, memory.device_id, y_layout[0], x_layout[0], n, m, k, y.data.ptr, y_layout[1], 0, x.data.ptr, x_layout[1], 0, memory.ptr, 0, 1
    )  # fmt: skip


def bmm(kind: cublas.Arithmetic, x: Any, y: Any, out: Any, batch: tuple[int, ...]) -> bool:
    """out = x @ y for stacks whose leading axes broadcast to `batch`; False if cuBLAS does not do it.

    A stack times one matrix is one product where all rows of the stack lie at one distance; else all axes that can be walked in one
    stride make one product of a batch. Where several remain, the choice is between copying what is in the way and a loop over all
    but the longest: a launch costs as much as copying a few megabytes, so large operands are looped over, which saves memory too.
    """
    (m, k), x_strides = _matrix(x, 0)
    (_, n), y_strides = _matrix(y, 1)
    x_steps, y_steps, out_steps = _steps(x, batch), _steps(y, batch), out.strides[: len(batch)]
    axes = _merged(batch, x_steps, y_steps, out_steps)
    if len(axes) == 1 and axes[0][2] == 0 and (m == 1 or axes[0][1] == m * x_strides[0]):
        count, step, _, _ = axes.pop()
        m, x_strides = m * count, (step if m == 1 else x_strides[0], x_strides[1])
    x_layout, y_layout = _layout(x, m, k, x_strides, x_steps), _layout(y, k, n, y_strides, y_steps)
    if x_layout is None or y_layout is None:
        return bmm(kind, x.copy() if x_layout is None else x, y.copy() if y_layout is None else y, out, batch)
    size, memory = out.itemsize, out.data
    offsets = [(y.data.ptr, x.data.ptr, memory.ptr)]
    count, x_step, y_step, out_step = longest = max(axes, default=(1, 0, 0, 0))
    if len(axes) > 1:
        copy_x = len(_merged(batch, x_steps, x_steps, out_steps)) > 1
        copy_y = len(_merged(batch, y_steps, y_steps, out_steps)) > 1
        total = math.prod(batch)
        if total * k * (copy_x * m + copy_y * n) * size < (total // count - 1) * _LAUNCH:
            return bmm(kind, _spread(x, batch) if copy_x else x, _spread(y, batch) if copy_y else y, out, batch)
        axes.remove(longest)
        for length, to_x, to_y, to_out in axes:
            offsets = [(b + i * to_y, a + i * to_x, c + i * to_out) for b, a, c in offsets for i in range(length)]
    return all(
        cublas.gemm(
            kind, memory.device_id, y_layout[0], x_layout[0], n, m, k,
            b, y_layout[1], y_step // size, a, x_layout[1], x_step // size, c, out_step // size, count,
        )
        for b, a, c in offsets
    )  # fmt: skip


def _matrix(x: Any, axis: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shape of the last two axes and their strides in bytes; a vector gets another axis, of length 1."""
    shape, strides = x.shape, x.strides
    if len(shape) > 1:
        return shape[-2:], strides[-2:]
    return ((1, *shape), (0, *strides)) if axis == 0 else ((*shape, 1), (*strides, 0))


def _layout(x: Any, rows: int, columns: int, strides: tuple[int, ...], steps: tuple[int, ...] = ()) -> tuple[int, int] | None:
    """How cuBLAS reads a matrix or a stack of them: 0 if row-major, 1 if column-major, and the distance of rows or columns in elements.

    None if it cannot, for strides that are negative, zero or no multiple of an element.
    """
    size = x.itemsize
    row, column = strides
    if x.data.ptr % size:
        return None
    for step in steps:
        if step < 0 or step % size:
            return None
    if (column == size or columns == 1) and (rows == 1 or (row >= columns * size and row % size == 0)):
        return 0, columns if rows == 1 else row // size
    if (row == size or rows == 1) and column >= rows * size and column % size == 0:
        return 1, column // size
    return None


def _steps(x: Any, batch: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of the leading axes in bytes, broadcast to `batch`."""
    steps = [0 if count == 1 else stride for count, stride in zip(x.shape[:-2], x.strides[:-2], strict=True)]
    return (*[0] * (len(batch) - len(steps)), *steps)


def _merged(
    batch: tuple[int, ...], x_steps: tuple[int, ...], y_steps: tuple[int, ...], out_steps: tuple[int, ...]
) -> list[tuple[int, int, int, int]]:
    """The axes of stacks: length and strides. Neighbours that are walked in one stride in both operands, and in out, are one axis."""
    axes: list[tuple[int, int, int, int]] = []
    for count, x, y, out in zip(batch, x_steps, y_steps, out_steps, strict=True):
        if count == 1:
            continue
        if axes and axes[-1][1] == count * x and axes[-1][2] == count * y:  # out is contiguous
            count *= axes.pop()[0]
        axes.append((count, x, y, out))
    return axes


def _spread(x: Any, batch: tuple[int, ...]) -> Any:
    """A copy that is contiguous, with all of the batch."""
    return cupy.broadcast_to(x, batch + x.shape[-2:]).copy()
