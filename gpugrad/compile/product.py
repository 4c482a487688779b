"""Products of NumPy's matrices, and triangular systems, by kernels written in C, product.c: the plans for them, by shapes and strides.

NumPy's own products are as quick on one thread. But OpenBLAS, which most builds of NumPy have underneath, keeps threads of its own:
after each product they look for the next one for a tenth of a second, and take processors from all other kernels meanwhile. A
training step on two cores took up to half as long again. Here products run on the threads that the other kernels run on, too.

The sums are in an order that depends on K and the dtype alone: the same bits on any number of threads, whatever rows are beside a row.
"""

from __future__ import annotations

import functools
import math
from itertools import pairwise
from typing import Any

import numpy

from gpugrad.compile.handwritten import handwritten, suits, to_be_told
from gpugrad.compile.runtime import chosen_threads, get_num_threads, plan

_COLUMNS, _DEPTH_BYTES = 192, 2**11  # of a block, at most: what is packed of y stays in the second level of the cache,
_X_BYTES = 2**19  # and x in the third
_PANEL, _VECTOR = 48, 16  # columns of the widest panel and the widest vector of product.c
_LEAST_BLOCK, _LEAST_NARROW = 2**18, 2**17  # multiplications, some 5 and 2.5 microseconds
_SUBSTITUTED = 2**16  # elements of the right side of a block, at most
_FEWEST = 4, 8  # rows and columns: with less, a product reads its operands once, and packing them would be half of the work
_NANOSECONDS = 0.005  # of a float32 multiplication and addition, about, and for each byte
_KERNELS = ("product", "substitute")

_Shape = tuple[int, ...]
_Layout = tuple[
    bool, int, int
]  # of a matrix in a stack: whether its columns are contiguous, the pitch of its rows or columns, the next


def product(x: Any, y: Any, bias: Any = None) -> Any:
    """x @ y + bias: (..., M, K), (..., K, N) and (N,) -> (..., M, N); None where there is no kernel for these operands.

    There is one for float32 and for float64 arrays of one dtype with four rows and eight columns or more, whose rows or columns are
    contiguous, in stacks of one shape or one stack and a single matrix; and none where NumPy has to warn of nan or overflow.
    """
    operands: tuple[Any, ...] = (x, y) if bias is None else (x, y, bias)
    if not suits(*operands) or not x.flags.aligned or not y.flags.aligned or not (bias is None or bias.flags.aligned):
        return None
    of_bias = None if bias is None else (bias.shape, bias.strides)
    call = _call(x.dtype.char, x.shape, x.strides, y.shape, y.strides, of_bias, chosen_threads())
    if call is None:
        return None
    launch, made, shape = call
    out, exceptions = numpy.empty(shape, x.dtype), numpy.zeros(1, numpy.int64)
    launch(made, out, exceptions, *operands)
    return None if exceptions[0] and to_be_told(int(exceptions[0])) else out


@functools.lru_cache(1024)
def _call(
    kind: str,
    x_shape: _Shape,
    x_strides: _Shape,
    y_shape: _Shape,
    y_strides: _Shape,
    bias: tuple[_Shape, _Shape] | None,
    chosen: int,
) -> tuple[Any, bytes, _Shape] | None:
    """The launcher, the plan and the shape of the result; None where there is no kernel, or nothing to compute.

    `chosen` is what get_num_threads depends on, and quicker.
    """
    itemsize = numpy.dtype(kind).itemsize
    (rows, depth), columns = x_shape[-2:], y_shape[-1]
    fits = y_shape[-2] == depth and (x_shape[:-2] == y_shape[:-2] or len(x_shape) == 2 or len(y_shape) == 2)
    if not fits or rows < _FEWEST[0] or columns < _FEWEST[1] or bias not in (None, ((columns,), (itemsize,))):
        return None
    of_x, of_y = _layout(x_shape, x_strides, itemsize), _layout(y_shape, y_strides, itemsize)
    shape = (*(x_shape[:-2] or y_shape[:-2]), rows, columns)
    stack, work = math.prod(shape[:-2]), math.prod(shape) * depth
    found = handwritten(__file__, kind, _KERNELS) if of_x and of_y and work else None
    if of_x is None or of_y is None or found is None:
        return None
    launch, addresses = found
    parts = -(-depth * itemsize // _DEPTH_BYTES)
    at_once = -(-depth // parts)  # of K
    high, down, wide, whole, narrow = _blocks(stack, rows, columns, at_once, itemsize, get_num_threads())
    items = down * (whole + -(-(columns - whole * wide) // narrow))  # no narrow ones where less than nothing is left
    scratch = itemsize * at_once * (-(-wide // _PANEL) * _PANEL + high)
    (x_across, x_pitch, x_next), (y_across, y_pitch, y_next) = of_x, of_y
    biased = bias is not None
    operands = (rows, columns, depth, x_pitch, y_pitch, x_next, y_next, x_across, y_across, biased)
    integers = (*operands, high, down, wide, whole, narrow, at_once)
    made = plan(addresses["product"], items, int(work * itemsize * _NANOSECONDS), 4 + biased, 2, 0, scratch, integers=integers)
    return launch, made, shape


def _layout(shape: _Shape, strides: _Shape, itemsize: int) -> _Layout | None:
    """How a stack of matrices lies; None where there is no kernel for that."""
    outer = [(size, stride) for size, stride in zip(shape[:-2], strides[:-2], strict=True) if size != 1]
    if any(a != size * b for (_, a), (size, b) in pairwise(outer)):  # one step leads from each matrix to the next
        return None
    after, step, across = (outer[-1][1] if outer else 0), *strides[-2:]
    if after < 0 or any(stride % itemsize for stride in (after, step, across)):
        return None
    rows, columns = shape[-2:]
    if across == itemsize and step >= columns * itemsize:
        return False, step // itemsize, after // itemsize
    if step == itemsize and across >= rows * itemsize:
        return True, across // itemsize, after // itemsize
    return None


def _blocks(stack: int, rows: int, columns: int, depth: int, itemsize: int, threads: int) -> tuple[int, int, int, int, int]:
    """Rows of a block, the rows of blocks, columns of a block, how many of these lie side by side, and the columns of the others.

    As large as the cache allows, or smaller, so that all threads get as much to do and end at about the same time.
    """
    high, wide = min(rows, max(_X_BYTES // itemsize // depth // 8 * 8, 64)), min(columns, _COLUMNS)
    while (
        threads > 1 and stack * -(-rows // high) * -(-columns // wide) < 4 * threads and high * wide * depth >= 2 * _LEAST_BLOCK
    ):
        if wide >= 2 * _PANEL:
            wide = -(-wide // 2 // _PANEL) * _PANEL
        elif high >= 16:
            high = -(-high // 2 // 8) * 8
        else:
            break
    down, along = stack * -(-rows // high), -(-columns // wide)
    whole = columns // wide - -(-threads // down)  # narrow blocks beside none that are wide would be slower
    if threads == 1 or whole < 1 or wide % _VECTOR or down * along > 16 * threads or high * _VECTOR * depth < _LEAST_NARROW:
        return high, down, wide, along, wide
    return high, down, wide, whole, _VECTOR


def substitute(x: Any, y: Any, upper: bool, unitriangular: bool) -> bool:
    """Write the solutions of triangular systems x, (..., K, K) or one (K, K), over the right sides y (..., K, N), whose rows are contiguous.

    Only the triangle is read. False where there is no kernel for these operands, and nothing was done.
    """
    if not suits(x, y) or not x.flags.aligned or not y.flags.aligned or not y.flags.writeable:
        return False
    call = _substitution(x.dtype.char, x.shape, x.strides, y.shape, y.strides, upper, unitriangular, chosen_threads())
    if call is None:
        return False
    launch, made = call
    launch(made, y, x)
    return True


@functools.lru_cache(1024)
def _substitution(
    kind: str,
    x_shape: _Shape,
    x_strides: _Shape,
    y_shape: _Shape,
    y_strides: _Shape,
    upper: bool,
    unitriangular: bool,
    chosen: int,
) -> tuple[Any, bytes] | None:
    """The launcher and the plan; None where there is no kernel, or nothing to compute."""
    itemsize = numpy.dtype(kind).itemsize
    size, columns, stack = y_shape[-2], y_shape[-1], math.prod(y_shape[:-2])
    if x_shape[-2:] != (size, size) or x_shape[:-2] not in ((), y_shape[:-2]) or not size * columns * stack:
        return None
    of_x, of_y = _layout(x_shape, x_strides, itemsize), _layout(y_shape, y_strides, itemsize)
    found = handwritten(__file__, kind, _KERNELS) if of_x and of_y and (not of_y[0] or columns == 1) else None
    if of_x is None or of_y is None or found is None:
        return None
    launch, addresses = found
    pitch = y_strides[-2] // itemsize
    step, across = (1, of_x[1]) if of_x[0] else (of_x[1], 1)
    last, sign = (size - 1, -1) if upper else (0, 1)
    threads = get_num_threads()
    wide = -(-columns // (threads if stack < threads else 1))
    wide = min(-(-wide // _PANEL) * _PANEL, max(_PANEL, _SUBSTITUTED // size // _PANEL * _PANEL))
    integers = (
        size, columns, sign * pitch, of_y[2], sign * step, sign * across, of_x[2], last * (step + across), last * pitch,
        unitriangular, wide,
    )  # fmt: skip
    lanes = -(-columns // 8) * 8
    cost = stack * size * size * (lanes * itemsize * _NANOSECONDS / 2 + 0.5)
    scratch = itemsize * size * (wide + 8)
    items = stack * -(-columns // wide)
    return launch, plan(addresses["substitute"], items, int(cost), 2, 1, 0, scratch, integers=integers)
