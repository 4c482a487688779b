"""tiny: a training step of an 8-16-16-2 network, batch 1, cross-entropy, SGD: what is left is what the engine costs."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import numpy

from benchmarks.cases.mlp import loss, mygrad_loss
from benchmarks.contest import Contest, Step, Target
from benchmarks.libraries import NUMPY, PYTORCH
from benchmarks.training import columns, sgd
from gpugrad.bench.mlp import problem
from gpugrad.bench.training import FIRST_STEPS, TOLERANCE, Training

SIZES = (8, 16, 16, 2)
LR = 0.01


def by_hand(training: Training, device: str) -> Step:
    """The step in NumPy, derived by hand."""
    parameters = [numpy.array(value) for value in training.state().values()]
    layers = list(zip(parameters[::2], parameters[1::2], strict=True))
    data = itertools.cycle(training.batches)

    def step() -> Any:
        x, labels = next(data)
        rows = numpy.arange(len(labels))
        inputs = [x]
        for weight, bias in layers:
            inputs.append(numpy.maximum(x := inputs[-1] @ weight.T + bias, 0))
        scores = x - x.max(1, keepdims=True)
        scores -= numpy.log(numpy.exp(scores).sum(1, keepdims=True))
        g = numpy.exp(scores)
        g[rows, labels] -= 1
        g /= len(labels)
        for i in reversed(range(len(layers))):
            weight, bias = layers[i]
            of_weight, of_bias = g.T @ inputs[i], g.sum(0)
            if i:
                g = (g @ weight) * (inputs[i] > 0)
            weight -= LR * of_weight
            bias -= LR * of_bias
        return -scores[rows, labels].mean()

    return step


CONTESTS = (
    Contest(
        "tiny", "-".join(map(str, SIZES)) + ", batch 1, SGD, per step", partial(problem, 1, SIZES, "SGD", LR),
        {**columns(loss, sgd(LR), autograd=True, mygrad=mygrad_loss), NUMPY: by_hand},
        targets=(Target(0.5, (PYTORCH,)),),
        tolerance=TOLERANCE, agree=FIRST_STEPS, unit="us", memory_limit=None,  # some kB: the heaps of processes vary by more
    ),
)  # fmt: skip
