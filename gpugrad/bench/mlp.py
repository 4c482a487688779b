"""A training step of a 784-512-256-10 network, batch 128, cross-entropy, Adam; the same weights and data for all."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy

from gpugrad.arrays.devices import Device, DeviceLike
from gpugrad.bench.case import Case, Work
from gpugrad.nn import Linear, ReLU, Sequential
from gpugrad.nn.functional import cross_entropy
from gpugrad.ops.conversion import asarray, tensor
from gpugrad.optim import Adam
from gpugrad.tape import Tensor

SIZES = (784, 512, 256, 10)
BATCH = 128
FIRST_STEPS = 5
TOLERANCE = 1e-4
"""How far the losses of the first steps may be apart."""

Step: TypeAlias = Callable[[], Callable[[], float]]
"""One training step. What it returns reads the loss back, which waits for the GPU and so is not part of the step."""

Weights: TypeAlias = list[tuple[Any, Any]]
Batches: TypeAlias = list[tuple[Any, Any]]


def problem(sizes: tuple[int, ...] = SIZES, batch: int = BATCH) -> tuple[Weights, Batches]:
    """Initial weights, in PyTorch's layout and range, and eight batches, which the steps take in turn: as NumPy arrays."""
    rng = numpy.random.default_rng(0)
    weights: Weights = []
    for n, m in itertools.pairwise(sizes):
        bound = n**-0.5
        w, b = (rng.uniform(-bound, bound, shape).astype(numpy.float32) for shape in ((m, n), (m,)))
        weights.append((w, b))
    batches: Batches = [
        (rng.standard_normal((batch, sizes[0])).astype(numpy.float32), rng.integers(0, sizes[-1], batch)) for _ in range(8)
    ]
    return weights, batches


def with_gpugrad(weights: Weights, batches: Batches, device: DeviceLike) -> Step:
    """The step with gpugrad."""
    layers: list[Any] = []
    state: dict[str, Tensor] = {}
    for i, (w, b) in enumerate(weights):
        layers += [Linear(w.shape[1], w.shape[0]), ReLU()]
        state[f"{2 * i}.weight"], state[f"{2 * i}.bias"] = tensor(w), tensor(b)
    model = Sequential(*layers[:-1])
    model.load_state_dict(state)
    model.to(device)
    optimizer = Adam(model.parameters())
    data = itertools.cycle([(asarray(x, device=device), asarray(y, device=device)) for x, y in batches])

    def step() -> Callable[[], float]:
        x, y = next(data)
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item

    return step


def _prepare(batch: int, device: Device) -> Work:
    step = with_gpugrad(*problem(batch=batch), device)
    return Work(step, lambda: [step()() for _ in range(FIRST_STEPS)])


CASES = (Case("MLP step", f"{'-'.join(map(str, SIZES))}, Adam, batch", (BATCH,), _prepare, tolerance=TOLERANCE),)
