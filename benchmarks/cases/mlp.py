"""mlp: a training step of a 784-512-256-10 network, batch 128, cross-entropy, Adam."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from benchmarks.cases.mlp_by_hand import with_cupy, with_numpy
from benchmarks.contest import Contest, Target
from benchmarks.libraries import CUPY, NUMPY
from benchmarks.training import adam, columns, log_softmax_loss
from gpugrad.bench.mlp import BATCH, SIZES, problem
from gpugrad.bench.training import FIRST_STEPS, TOLERANCE


def network(np: Any, parameters: Mapping[str, Any], x: Any) -> Any:
    """The scores, with NumPy's names; parameters are named as in a Sequential of Linear and ReLU."""
    layers = len(parameters) // 2
    for i in range(layers):
        x = x @ parameters[f"{2 * i}.weight"].T + parameters[f"{2 * i}.bias"]
        if i < layers - 1:
            x = np.maximum(x, 0)
    return x


def loss(np: Any, parameters: Mapping[str, Any], x: Any, labels: Any) -> Any:
    """The loss of the network, with NumPy's names."""
    return log_softmax_loss(np, network(np, parameters, x), labels)


def mygrad_loss(mygrad: Any, parameters: Mapping[str, Any], x: Any, labels: Any) -> Any:
    """The same with MyGrad's own cross-entropy."""
    return mygrad.nnet.losses.softmax_crossentropy(network(mygrad, parameters, x), labels)


CONTESTS = (
    Contest(
        "mlp", "-".join(map(str, SIZES)) + f", batch {BATCH}, Adam, per step", problem,
        {**columns(loss, adam(), autograd=True, mygrad=mygrad_loss), NUMPY: with_numpy, CUPY: with_cupy},
        targets=(Target(1.0),), device_targets=(Target(0.7, ("PyTorch cuda",)),),
        tolerance=TOLERANCE, agree=FIRST_STEPS, memory_limit=1.0, small=partial(problem, 4, (8, 6, 4, 2)),
    ),
)  # fmt: skip
