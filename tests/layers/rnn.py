"""Recurrent layers and cells. Sequences are packed and padded again inside of a run, with functions of the same names in PyTorch."""

from __future__ import annotations

import itertools
from typing import Any

from gpugrad.check.records.case import real
from layers.case import LayerCase, call

MODES = {"RNN": 1, "LSTM": 2, "GRU": 1}  # and how many states they have
LENGTHS = [4, 4, 2]


def packed(layer: Any, nn: Any, x: Any, *state: Any) -> Any:
    """A padded batch, with padded results."""
    utils, first = nn.utils.rnn, layer.batch_first
    out, last = layer(utils.pack_padded_sequence(x, LENGTHS, batch_first=first), *state)
    return utils.pad_packed_sequence(out, batch_first=first, padding_value=-1.0)[0], last


def initial(count: int, states: int, *shape: int, width: int = 0) -> Any:
    """Initial states (count, *shape) each, the first with `width` columns."""
    drawn = [real(count, *shape) for _ in range(states)]
    if width:
        drawn[0] = real(count, *shape[:-1], width)
    return tuple(drawn) if states > 1 else drawn[0]


def label(**options: Any) -> str:
    return ", ".join(f"{name}={value}" for name, value in options.items())


CASES = [
    LayerCase(name, call(3, 4, **options), call(x, *state), label(**options, x=x.shape, state=bool(state)))
    for name, states in MODES.items()
    for x, state, options in (
        (real(5, 2, 3), [], {}),
        (real(2, 5, 3), [initial(2, states, 2, 4)], {"bidirectional": True, "batch_first": True}),
        (real(3, 2, 3), [initial(4, states, 2, 4)], {"num_layers": 2, "bidirectional": True}),
        (real(5, 3), [], {"bias": False}),
        (real(3, 3), [initial(2, states, 4)], {"num_layers": 2, "batch_first": True}),
    )
]
CASES += [
    LayerCase(name, call(3, 4, **options), call(x, *state), "packed " + label(**options, state=bool(state)), run=packed)
    for name, states in MODES.items()
    for x, state, options in (
        (real(4, 3, 3), [initial(1, states, 3, 4)], {}),
        (real(3, 4, 3), [], {"bidirectional": True, "batch_first": True, "num_layers": 2}),
    )
]
CASES += [
    LayerCase("RNN", call(3, 4, 1, "relu"), call(real(4, 2, 3)), "relu"),
    LayerCase("LSTM", call(3, 4, proj_size=2), call(real(4, 2, 3)), "projected"),
    LayerCase("LSTM", call(3, 4, 2, proj_size=2, bidirectional=True), call(real(4, 3, 3), initial(4, 2, 3, 4, width=2)),
              "projected, packed", run=packed),
    LayerCase("LSTM", call(3, 4, 2, dropout=0.5), call(real(4, 2, 3)), "dropout", draws=1),
    LayerCase("LSTM", call(3, 4, 2, dropout=0.5), call(real(4, 2, 3)), "dropout, eval", train=False),
    LayerCase("LSTM", call(3, 40), call(real(3, 30, 3)), "large enough for kernels"),
    LayerCase("GRU", call(3, 40), call(real(3, 30, 3)), "large enough for kernels"),
]  # fmt: skip
CASES += [
    LayerCase(f"{name}Cell", call(3, 4, **options), call(x, *state), label(**options, x=x.shape, state=bool(state)))
    for (name, states), (x, shape, options) in itertools.product(
        MODES.items(), ((real(2, 3), (2, 4), {}), (real(3), (4,), {"bias": False}))
    )
    for state in ([], [initial(shape[0], states, *shape[1:])])
]
CASES += [LayerCase("RNNCell", call(3, 4, nonlinearity="relu"), call(real(2, 3)), "relu")]
