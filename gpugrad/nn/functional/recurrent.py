"""A recurrent layer in one direction as one op: the inputs of all steps are one product, and so is the gradient of each weight.

Sequences of different lengths lie step by step, as in a PackedSequence: the rows of step 0, one for each sequence, then those of
step 1 without the sequences that have ended, and so on; the longest sequence comes first. So a step computes with the first rows
of the state, whichever way it runs: a sequence that has ended keeps its last state, one that has not begun its initial one.

What runs step by step has a kernel for NumPy's arrays (``compile/recurrent.py``); elsewhere a step is one product and one kernel,
forward and backward. For derivatives of higher order the definitions run on Tensors.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy

from gpugrad.arrays.kernels import Kernels
from gpugrad.compile import recurrent as native
from gpugrad.families import composite
from gpugrad.joint import jointly
from gpugrad.nn.functional.cells import CELLS
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.ops.contraction import matmul
from gpugrad.ops.creation import raw_full
from gpugrad.ops.reduction import sum
from gpugrad.ops.shape import concat, matrix_transpose, reshape, unstack
from gpugrad.tape import Tensor, raw

Sizes = tuple[int, ...]


class Gradients(NamedTuple):
    """What :func:`_steps_gradient` returns; rows are those of all steps."""

    sums: Any  # (rows, gates * hidden): of what the inputs add to the gates
    products: Any  # the same of what the states add
    h: Any
    c: Any
    b_ih: Any
    b_hh: Any
    before: Any  # (rows, width): no gradient, but the states that the steps began with
    projected: Any  # (rows, width): of the projected states; None without projection
    after: Any  # (rows, hidden): no gradient, but the states before they were projected; None likewise


def _steps(
    x: Any, h: Any, c: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any, /, *, cell: str, sizes: Sizes, reverse: bool
) -> tuple[Any, Any, Any, Any]:
    """The states of all steps, the last h and c, and what the gradient needs: here, of each step, what the cell keeps, the state
    before, and the one after it without projection."""
    kind = CELLS[cell]
    sums = matmul(x, matrix_transpose(w_ih))
    if b_ih is not None and kind.joined:
        b_ih, b_hh = b_ih + b_hh, None
    inputs = _split(sums if b_ih is None else sums + b_ih, sizes)
    outputs: list[Any] = [None] * len(sizes)
    kept: list[Any] = [None] * len(sizes)
    for t in _order(sizes, reverse):
        before, memory = _first(h, sizes[t]), _first(c, sizes[t])
        product = matmul(before, matrix_transpose(w_hh))
        after, memory, needed = kind.forward(inputs[t], product, b_hh, before, memory)
        outputs[t] = after if w_hr is None else matmul(after, matrix_transpose(w_hr))
        kept[t] = needed, before, after
        h, c = _replaced(h, outputs[t]), _replaced(c, memory)
    return concat(outputs), h, c, kept


def _steps_gradient(
    dout: Any, dh: Any, dc: Any, w_hh: Any, w_hr: Any, kept: Any, /, *, cell: str, sizes: Sizes, reverse: bool
) -> Gradients:
    """The gradients of `sums`, h and c, and what those of the weights are made of."""
    kind = CELLS[cell]
    arriving = _split(dout, sizes)
    found: list[Any] = [None] * len(sizes)
    for t in _order(sizes, not reverse):
        of_state, g, of_projected = _first(dh, sizes[t]), arriving[t], None
        if w_hr is not None:
            of_projected = of_state + g
            of_state, g = matmul(of_projected, w_hr), 0
        of_sum, of_product, direct, memory = kind.gradient(of_state, g, _first(dc, sizes[t]), kept[t][0])
        before = matmul(of_product, w_hh)
        found[t] = of_sum, of_product, of_projected
        dh, dc = _replaced(dh, before if direct is None else before + direct), _replaced(dc, memory)
    of_sums, of_products, projected = zip(*found, strict=True)
    _, befores, afters = zip(*kept, strict=True)
    sums = concat(of_sums)
    products = sums if kind.joined else concat(of_products)
    b_ih = sum(sums, axis=0)
    return Gradients(
        sums, products, dh, dc, b_ih, b_ih if kind.joined else sum(products, axis=0), concat(befores),
        None if w_hr is None else concat(projected), None if w_hr is None else concat(afters),
    )  # fmt: skip


def _order(sizes: Sizes, reverse: bool) -> Iterable[int]:
    return reversed(range(len(sizes))) if reverse else range(len(sizes))


def _split(x: Any, sizes: Sizes) -> Sequence[Any]:
    """The rows of each step."""
    if sizes[0] == sizes[-1]:
        return unstack(reshape(x, (len(sizes), sizes[0], x.shape[1])))
    ends = itertools.accumulate(sizes, initial=0)
    return [x[start:stop, :] for start, stop in itertools.pairwise(ends)]


def _first(x: Any, n: int) -> Any:
    return x if x is None or x.shape[0] == n else x[:n, :]


def _replaced(x: Any, rows: Any) -> Any:
    """x with its first rows replaced by these."""
    if x is None or x.shape[0] == rows.shape[0]:
        return rows
    return concat([rows, x[rows.shape[0] :, :]])


_STEPS = Kernels("recurrent_steps", _steps, standard=False)
_STEPS_GRADIENT = Kernels("recurrent_steps_gradient", _steps_gradient, standard=False)


def _native_steps(
    x: Any, h: Any, c: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any, /, **options: Any
) -> tuple[Any, Any, Any, Any]:
    operands = (x, h, c, w_ih, w_hh, b_ih, b_hh, w_hr)
    return (native.forward if native.takes(options["cell"], *operands) else _steps)(*operands, **options)


def _native_steps_gradient(dout: Any, dh: Any, dc: Any, w_hh: Any, w_hr: Any, kept: Any, /, **options: Any) -> Gradients:
    if isinstance(kept, native.Kept):
        return Gradients(*native.backward(dout, dh, dc, w_hh, w_hr, kept, **options))
    return _steps_gradient(dout, dh, dc, w_hh, w_hr, kept, **options)


_STEPS[numpy.ndarray] = _native_steps
_STEPS_GRADIENT[numpy.ndarray] = _native_steps_gradient


def _forward(
    x: Any, h: Any, c: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any, /, **options: Any
) -> tuple[list[Any], Any]:
    """The results of :func:`recurrent`, and what the gradient needs."""
    operands = _wide((x, h, c, w_ih, w_hh, b_ih, b_hh, w_hr))
    steps = _steps if any(isinstance(z, Tensor) for z in operands) else _STEPS[type(x)]
    *results, kept = steps(*operands, **options)
    return [narrow(y, x) for y in results if y is not None], kept


def _gradient(
    gradients: list[Any], operands: tuple[Any, ...], kept: Any, wanted: tuple[bool, ...], **options: Any
) -> list[Any]:
    """The gradients of all operands, None unless `wanted`; `gradients` are those of the results, None where none arrived."""
    x, h, c, w_ih, w_hh, _, _, w_hr = _wide(operands)
    dout, dh, dc, *_ = _wide((*gradients, None))
    if dout is None:
        dout = _zeros(w_hh, (x.shape[0], w_hh.shape[1]))
    dh = _zeros(h, h.shape) if dh is None else dh
    dc = _zeros(c, c.shape) if dc is None and c is not None else dc
    steps = _steps_gradient if any(isinstance(z, Tensor) for z in operands) else _STEPS_GRADIENT[type(dout)]
    found = steps(dout, dh, dc, w_hh, w_hr, kept, **options)
    makers: tuple[Callable[[], Any], ...] = (
        lambda: matmul(found.sums, w_ih),
        lambda: found.h,
        lambda: found.c,
        lambda: matmul(matrix_transpose(found.sums), x),
        lambda: matmul(matrix_transpose(found.products), found.before),
        lambda: found.b_ih,
        lambda: found.b_hh,
        lambda: matmul(matrix_transpose(found.projected), found.after),
    )
    return [make() if wants else None for make, wants in zip(makers, wanted, strict=True)]


def _wide(operands: Iterable[Any]) -> list[Any]:
    return [None if x is None else wide(x) for x in operands]


def _zeros(like: Any, shape: tuple[int, ...]) -> Any:
    return raw_full(raw(like), tuple(shape), 0, like.dtype)


@composite
def recurrent(
    input: Any, h: Any, c: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any, /,
    *, cell: str, sizes: Sizes, reverse: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """One recurrent layer in one direction: the states of all steps, the last h, and the last c of a cell that has one.

    Shapes: input (rows, features), where step t has ``sizes[t]`` rows, fewer and fewer; h (sizes[0], width), c (sizes[0], hidden) or
    None; w_ih (gates * hidden, features), w_hh (gates * hidden, width), b_ih and b_hh (gates * hidden,) or both None, w_hr
    (width, hidden) or None, where width is hidden; the first result (rows, width). With `reverse` from the last step to the first.
    `cell` is a key of ``cells.CELLS``. Dtypes: real floating, the same for all; 16 bits are computed with in float32. The caller
    checks all of that.
    Sources: S. Hochreiter, J. Schmidhuber, "Long short-term memory", 1997; K. Cho et al., "Learning phrase representations using RNN
    encoder-decoder for statistical machine translation", 2014; H. Sak et al., "Long short-term memory based recurrent neural
    network architectures for large vocabulary speech recognition", 2014, for the projection.
    """
    operands = (input, h, c, w_ih, w_hh, b_ih, b_hh, w_hr)
    options: dict[str, Any] = {"cell": cell, "sizes": sizes, "reverse": reverse}
    _STEPS.combined[tuple(type(raw(x)) for x in operands)]  # raises where they are of different libraries
    return jointly(cell, operands, functools.partial(_forward, **options), functools.partial(_gradient, **options))
