"""lstm: a training step of the LSTM of gpugrad/bench/lstm.py."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from benchmarks import peers
from benchmarks.cases.lstm_by_hand import with_numpy
from benchmarks.contest import Contest, Target
from benchmarks.libraries import NUMPY
from benchmarks.training import adam, columns, log_softmax_loss
from gpugrad.bench.lstm import BATCH, WORK, problem
from gpugrad.bench.training import FIRST_STEPS, TOLERANCE


def loss(np: Any, parameters: Mapping[str, Any], x: Any, labels: Any) -> Any:
    """The classifier for JAX: the inputs of all steps are one product, the steps a scan."""
    jax = peers.jax()
    sums = x @ parameters["lstm.weight_ih_l0"].T + (parameters["lstm.bias_ih_l0"] + parameters["lstm.bias_hh_l0"])
    weight = parameters["lstm.weight_hh_l0"].T

    def step(state: Any, inputs: Any) -> Any:
        h, c = state
        i, f, g, o = np.split(inputs + h @ weight, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * np.tanh(g)
        return (jax.nn.sigmoid(o) * np.tanh(c), c), None

    zeros = np.zeros((x.shape[1], weight.shape[0]), x.dtype)
    (h, _), _ = jax.lax.scan(step, (zeros, zeros), sums)
    return log_softmax_loss(np, h @ parameters["head.weight"].T + parameters["head.bias"], labels)


CONTESTS = (
    Contest(
        "lstm", f"{WORK}, batch {BATCH}, per step", problem,
        {**columns(loss, adam()), NUMPY: with_numpy},
        targets=(Target(1.0),), tolerance=TOLERANCE, agree=FIRST_STEPS, memory_limit=1.0, small=partial(problem, 1),
    ),
)  # fmt: skip
