"""A training step of a small convolutional network on images of 28 x 28: channels 1-32-64-64, batch 64, cross-entropy, Adam."""

from __future__ import annotations

from typing import Any

import numpy

from gpugrad.bench.training import Training, cross_entropy, training_case

BATCH = 64
CHANNELS = (1, 32, 64, 64)
CLASSES = 10
WORK = f"conv {'-'.join(map(str, CHANNELS))} on 28 x 28, Adam"


def make(library: Any) -> Any:
    """Three 3 x 3 convolutions with ReLU, the size halved after the second and the third, and a linear layer."""
    nn, (a, b, c, d) = library.nn, CHANNELS
    return nn.Sequential(
        nn.Conv2d(a, b, 3, padding=1), nn.ReLU(),
        nn.Conv2d(b, c, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(c, d, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(d * 7 * 7, CLASSES),
    )  # fmt: skip


def problem(batch: int = BATCH) -> Training:
    """Four batches of normal numbers with random labels."""
    rng = numpy.random.default_rng(0)
    batches = [
        (rng.standard_normal((batch, CHANNELS[0], 28, 28)).astype(numpy.float32), rng.integers(0, CLASSES, batch))
        for _ in range(4)
    ]
    return Training(make, cross_entropy, lambda library, parameters: library.optim.Adam(parameters, lr=1e-3), batches)


CASES = (training_case("CNN step", WORK, problem, (4, 16, BATCH), quick=(4, 16)),)
