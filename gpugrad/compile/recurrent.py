"""The steps of a recurrent layer on NumPy's arrays by ``recurrent.c``: all steps of some sequences at a time, on each thread.

A step is a product of a few rows with the weight and some arithmetic. NumPy would call a library for the one, which starts its
threads for a hundredth of a millisecond of work, and a kernel for the other. Here a block of sequences runs through all steps by
itself: the weight, packed in the order in which it is read, stays in the cache, and so does the state.
"""

from __future__ import annotations

import functools
import itertools
from typing import Any, NamedTuple

import numpy

from gpugrad.compile.handwritten import handwritten, suits
from gpugrad.compile.runtime import contiguous, plan

Sizes = tuple[int, ...]

ROWS = 8  # sequences of a work item, as in recurrent.c
PANEL = 128  # bytes of a row of a panel of the weight, likewise
_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
_NANOSECONDS = 0.02  # of a multiplication and an addition, on one thread
_KERNELS = tuple(cell.lower() + suffix for cell in _GATES for suffix in ("", "_gradient"))


class Kept(NamedTuple):
    """What the gradient needs of the forward pass."""

    sums: Any  # as recurrent.c leaves them
    kept: Any
    states: Any  # the initial h and the results, one after the other
    h: Any  # the initial states
    c: Any
    after: Any  # (rows, hidden): what is projected


def takes(cell: str, *arrays: Any) -> bool:
    """Whether there is a kernel for these arrays: those of :func:`forward`."""
    dtype, w_hr = arrays[0].dtype, arrays[-1]
    known = cell in _GATES and suits(*(x for x in arrays if x is not None)) and arrays[0].size > 0
    projects = w_hr is None or (cell == "LSTM" and w_hr.shape[0] < w_hr.shape[1])
    return known and projects and handwritten(__file__, dtype.char, _KERNELS) is not None


def forward(
    x: Any, h: Any, c: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any, *, cell: str, sizes: Sizes, reverse: bool
) -> tuple[Any, Any, Any, Kept]:
    """The results of all steps, the last states, and what the gradient needs."""
    (rows, features), gates, (batch, width) = x.shape, len(w_ih), h.shape
    hidden = gates // _GATES[cell]
    # Few features: a step multiplies its inputs itself. More are a product that a library is as good at, for all steps at once.
    inside = features <= width
    sums = numpy.empty((rows, gates), x.dtype) if inside else x @ w_ih.T
    h, c = contiguous(h), None if c is None else contiguous(c)
    states = numpy.empty((rows + batch, width), sums.dtype)
    initial, out = (states[rows:], states[:rows]) if reverse else (states[:batch], states[batch:])
    initial[...] = h
    last_h, last_c = h.copy(), None if c is None else c.copy()
    kept = out if gates == hidden else numpy.empty((rows, hidden), sums.dtype)
    biases = [numpy.zeros(gates, sums.dtype) if b is None else contiguous(b) for b in (b_ih, b_hh)]
    after = out if w_hr is None else numpy.empty((rows, hidden), sums.dtype)
    w = _packed(w_hh.T)
    outputs = sums, out, kept, last_h, last_h if last_c is None else last_c, after
    inputs = w, *biases, w if w_hr is None else _packed(w_hr.T), *((contiguous(x), _packed(w_ih.T)) if inside else (w, w))
    _run(cell, "", sizes, hidden, width, reverse, features if inside else 0, *outputs, *inputs)
    return out, last_h, last_c, Kept(sums, kept, states, h, c, after)


def backward(
    dout: Any, dh: Any, dc: Any, w_hh: Any, w_hr: Any, given: Kept, *, cell: str, sizes: Sizes, reverse: bool
) -> tuple[Any, ...]:
    """As the Gradients of ``nn/functional/recurrent.py``."""
    sums, kept, states, h, c, after = given
    rows, batch, hidden = len(sums), len(h), sums.shape[1] // _GATES[cell]
    out = states[:rows] if reverse else states[batch:]
    dx = numpy.empty(sums.shape, sums.dtype)
    db_ih = numpy.zeros((_blocks(batch), sums.shape[1]), sums.dtype)
    dr, db_hh = (numpy.empty_like(dx), numpy.zeros_like(db_ih)) if cell == "GRU" else (dx, db_ih)
    dh, dc = numpy.array(dh, order="C"), None if dc is None else numpy.array(dc, order="C")
    w = _packed(w_hh)
    projected = dh if w_hr is None else numpy.empty_like(out)
    outputs = dx, dr, dh, dh if dc is None else dc, projected, db_ih, db_hh
    inputs = w, contiguous(dout), sums, out, kept, h, h if c is None else c, w if w_hr is None else _packed(w_hr)
    _run(cell, "_gradient", sizes, hidden, h.shape[1], reverse, 0, *outputs, *inputs)
    if sizes[0] == sizes[-1]:
        before = states[batch:] if reverse else states[:rows]
    else:
        before = states[_before(sizes, reverse)]
    of_b_ih = numpy.add.reduce(db_ih, 0)
    of_b_hh = of_b_ih if db_hh is db_ih else numpy.add.reduce(db_hh, 0)
    return dx, dr, dh, dc, of_b_ih, of_b_hh, before, *((None, None) if w_hr is None else (projected, after))


def _blocks(batch: int) -> int:
    """How many work items there are."""
    return -(-batch // ROWS)


@functools.lru_cache(64)
def _before(sizes: Sizes, reverse: bool) -> Any:
    """Where among the initial state and the results the state before each row is."""
    rows, batch = sum(sizes), sizes[0]
    starts = [0, *itertools.accumulate(sizes)]
    places = []
    for t, n in enumerate(sizes):
        place = numpy.arange(n)
        if reverse:
            after = sizes[t + 1] if t + 1 < len(sizes) else 0
            places.append(place + numpy.where(place < after, starts[t + 1], rows))
        else:
            places.append(place + (batch + starts[t - 1] if t else 0))
    return numpy.concatenate(places)


def _packed(w: Any) -> Any:
    """A matrix cut into panels of columns, the last one filled with zeros: [panel][row][column]."""
    depth, columns = w.shape
    width = PANEL // w.dtype.itemsize
    whole, rest = divmod(columns, width)
    out = numpy.empty((whole + (rest > 0), depth, width), w.dtype)
    out[:whole] = w[:, : whole * width].reshape(depth, whole, width).transpose(1, 0, 2)
    if rest:
        out[whole, :, :rest] = w[:, whole * width :]
        out[whole, :, rest:] = 0
    return out


def _run(cell: str, suffix: str, sizes: Sizes, hidden: int, width: int, reverse: bool, features: int, *arrays: Any) -> None:
    """Call a kernel of recurrent.c."""
    launch, made = _plan(cell, suffix, arrays[0].dtype, sizes, hidden, width, reverse, features, len(arrays))
    launch(made, *arrays)


@functools.lru_cache(256)
def _plan(
    cell: str, suffix: str, dtype: Any, sizes: Sizes, hidden: int, width: int, reverse: bool, features: int, arrays: int
) -> tuple[Any, bytes]:
    """The launcher, and the plan of a kernel."""
    found = handwritten(__file__, dtype.char, _KERNELS)
    assert found is not None
    launch, addresses = found
    gates = _GATES[cell] * hidden
    products = gates * (width + features) + (hidden * width if width != hidden else 0)
    made = plan(
        addresses[cell.lower() + suffix], _blocks(sizes[0]), int(sum(sizes) * products * _NANOSECONDS), arrays, 7 if suffix else 6, 0,
        scratch=ROWS * gates * dtype.itemsize,
        integers=[len(sizes), hidden, width, reverse, features, 0, *itertools.accumulate(sizes)],
    )  # fmt: skip
    return launch, made
