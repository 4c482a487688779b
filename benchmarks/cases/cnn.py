"""cnn: a training step of the CNN of gpugrad/bench/cnn.py."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from benchmarks import peers
from benchmarks.cases.cnn_by_hand import with_numpy
from benchmarks.contest import Contest, Target
from benchmarks.libraries import NUMPY
from benchmarks.training import adam, columns, log_softmax_loss
from gpugrad.bench.cnn import BATCH, WORK, problem
from gpugrad.bench.training import FIRST_STEPS, TOLERANCE


def loss(np: Any, parameters: Mapping[str, Any], x: Any, labels: Any) -> Any:
    """The network in JAX, channels last, which XLA is faster with on a CPU; parameters are named by the layers' places in the Sequential."""
    lax = peers.jax().lax

    def convolution(x: Any, layer: int) -> Any:
        weight, bias = parameters[f"{layer}.weight"].transpose(2, 3, 1, 0), parameters[f"{layer}.bias"]
        out = lax.conv_general_dilated(x, weight, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return np.maximum(out + bias, 0)

    def pooled(x: Any) -> Any:
        return lax.reduce_window(x, -np.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    x = pooled(convolution(convolution(x.transpose(0, 2, 3, 1), 0), 2))
    x = pooled(convolution(x, 5)).transpose(0, 3, 1, 2)
    return log_softmax_loss(np, x.reshape(x.shape[0], -1) @ parameters["9.weight"].T + parameters["9.bias"], labels)


CONTESTS = (
    Contest(
        "cnn", f"{WORK}, batch {BATCH}, per step", problem, {**columns(loss, adam()), NUMPY: with_numpy},
        targets=(Target(1.2),), tolerance=TOLERANCE, agree=FIRST_STEPS, memory_limit=1.0, small=partial(problem, 1),
    ),
)  # fmt: skip
