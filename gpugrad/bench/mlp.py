"""A training step of a 784-512-256-10 network, batch 128, cross-entropy, Adam."""

from __future__ import annotations

import itertools
from typing import Any

import numpy

from gpugrad.bench.training import Training, cross_entropy, training_case

SIZES = (784, 512, 256, 10)
BATCH = 128


def make(library: Any, sizes: tuple[int, ...] = SIZES) -> Any:
    """Linear layers with ReLU between them."""
    nn = library.nn
    layers = [layer for n, m in itertools.pairwise(sizes) for layer in (nn.Linear(n, m), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def problem(batch: int = BATCH, sizes: tuple[int, ...] = SIZES, optimizer: str = "Adam", lr: float = 1e-3) -> Training:
    """Eight batches of normal numbers with random labels."""
    rng = numpy.random.default_rng(0)
    batches = [
        (rng.standard_normal((batch, sizes[0])).astype(numpy.float32), rng.integers(0, sizes[-1], batch)) for _ in range(8)
    ]
    return Training(
        lambda library: make(library, sizes),
        cross_entropy,
        lambda library, parameters: getattr(library.optim, optimizer)(parameters, lr=lr),
        batches,
    )


CASES = (training_case("MLP step", f"{'-'.join(map(str, SIZES))}, Adam", problem, (8, BATCH, 1024), quick=(BATCH,)),)
