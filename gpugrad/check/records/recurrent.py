"""The record of gpugrad/nn/functional/recurrent.py."""

from __future__ import annotations

from typing import Any

import numpy

from gpugrad.check.records.case import Call, Case, call, real
from gpugrad.nn.functional.cells import CELLS
from gpugrad.nn.functional.recurrent import recurrent


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + numpy.exp(-x))


def _step(cell: str, x: Any, r: Any, h: Any, c: Any) -> tuple[Any, Any]:
    """The states after a step, of what its input and the state before add to the gates."""
    if cell == "GRU":
        (xr, xz, xn), (hr, hz, hn) = numpy.split(x, 3, axis=1), numpy.split(r, 3, axis=1)
        z = _sigmoid(xz + hz)
        return (1 - z) * numpy.tanh(xn + _sigmoid(xr + hr) * hn) + z * h, None
    if cell == "LSTM":
        i, f, g, o = numpy.split(x + r, 4, axis=1)
        c = _sigmoid(f) * c + _sigmoid(i) * numpy.tanh(g)
        return _sigmoid(o) * numpy.tanh(c), c
    return (numpy.tanh(x + r) if cell == "RNN_TANH" else numpy.maximum(x + r, 0)), None


def _recurrent(
    x: Any, h: Any, c: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any, *, cell: str, sizes: tuple[int, ...], reverse: bool
) -> tuple[Any, ...]:  # fmt: skip
    """Sequence by sequence."""
    width = x.dtype if x.dtype.itemsize > 2 else numpy.float32
    dtype = x.dtype
    x, h, c, w_ih, w_hh, b_ih, b_hh, w_hr = (
        None if z is None else numpy.array(z, dtype=width) for z in (x, h, c, w_ih, w_hh, b_ih, b_hh, w_hr)
    )
    out = numpy.empty((len(x), h.shape[1]), width)
    starts = numpy.cumsum([0, *sizes])
    for i in range(sizes[0]):
        steps = [t for t, n in enumerate(sizes) if i < n]
        for t in reversed(steps) if reverse else steps:
            one, memory = h[i : i + 1], None if c is None else c[i : i + 1]
            of_x, of_h = x[starts[t] + i][None] @ w_ih.T, one @ w_hh.T
            if b_ih is not None:
                of_x, of_h = of_x + b_ih, of_h + b_hh
            new, memory = _step(cell, of_x, of_h, one, memory)
            h[i] = out[starts[t] + i] = (new if w_hr is None else new @ w_hr.T)[0]
            if memory is not None:
                c[i] = memory[0]
    return tuple(z.astype(dtype) for z in (out, h, c) if z is not None)


def _call(
    cell: str, sizes: tuple[int, ...], *, bias: bool = True, projected: int = 0, reverse: bool = False, hidden: int = 3
) -> Call:
    rows, features = CELLS[cell].gates * hidden, 2
    return call(
        real(sum(sizes), features), real(sizes[0], projected or hidden), real(sizes[0], hidden) if CELLS[cell].memory else None,
        real(rows, features), real(rows, projected or hidden), real(rows) if bias else None, real(rows) if bias else None,
        real(projected, hidden) if projected else None, cell=cell, sizes=sizes, reverse=reverse,
    )  # fmt: skip


CASES = [
    Case(
        "recurrent",
        [
            _call(cell, (2, 2, 2)),
            _call(cell, (2, 2), bias=False, reverse=True),
            _call(cell, (3, 2, 2, 1)),
            _call(cell, (3, 2, 1), reverse=True),
            *([_call(cell, (2, 2), projected=2), _call(cell, (2, 1), projected=1, reverse=True)] if cell == "LSTM" else []),
        ],
        _recurrent,
        label=cell,
        function=recurrent,
    )
    for cell in ("RNN_TANH", "LSTM", "GRU")
]
CASES.append(Case("recurrent", [_call("RNN_RELU", (2, 2, 1))], _recurrent, label="RNN_RELU", function=recurrent))
