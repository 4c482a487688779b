"""mlp: a training step of a 784-512-256-10 network, batch 128, cross-entropy, Adam; the same weights and data for all."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from benchmarks import peers
from benchmarks.cases.devices import gpugrad_columns, torch_column, waiting
from benchmarks.cases.mlp_numpy import with_numpy
from gpugrad.bench.method import Column, Row, disagreement, interleaved, ratio, spreads
from gpugrad.bench.mlp import BATCH, FIRST_STEPS, SIZES, TOLERANCE, Batches, Step, Weights, problem, with_gpugrad

LIMITS = {"PyTorch eager": 1.0, "PyTorch cuda": 0.7}
"""How many times as long as a column a step may take, by the name of the column."""


def run(device: str, rounds: int) -> list[Row]:
    """gpugrad, PyTorch eager with its default Adam, and NumPy by hand; void unless the first losses agree."""
    weights, batches = problem()
    steps: dict[str, tuple[Step, Callable[[], None]]] = {}
    for name, on in gpugrad_columns(device).items():
        steps[name] = with_gpugrad(weights, batches, on), waiting(on)
    ours = next(iter(steps))
    torch = peers.torch(device)
    if torch is not None:
        wait = (lambda: None) if device == "cpu" else torch.cuda.synchronize
        steps[torch_column(device)] = with_torch(torch, weights, batches, device), wait
    if device == "cpu":
        steps["NumPy by hand"] = with_numpy(weights, batches), lambda: None
    work = "-".join(map(str, SIZES)) + f", batch {BATCH}, Adam, per step"
    losses = {name: [step()() for _ in range(FIRST_STEPS)] for name, (step, _) in steps.items()}
    void = disagreement(losses, TOLERANCE)
    if void:
        return [Row("mlp", work, void=void)]
    seconds = interleaved([Column(name, step, wait) for name, (step, wait) in steps.items()], rounds=rounds, burst=0.15)
    comparisons = [ratio(seconds, ours, name, LIMITS.get(name)) for name in steps if name != ours]
    note = "losses of the first steps: " + ", ".join(f"{loss:.5f}" for loss in losses[ours])
    return [Row("mlp", work, "ms", spreads(seconds, 1e3), comparisons, note=note)]


def with_torch(torch: Any, weights: Weights, batches: Batches, device: str) -> Step:
    """The step with PyTorch."""
    layers: list[Any] = []
    for w, _ in weights:
        layers += [torch.nn.Linear(w.shape[1], w.shape[0]), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    state = {}
    for i, (w, b) in enumerate(weights):
        state[f"{2 * i}.weight"], state[f"{2 * i}.bias"] = torch.tensor(w), torch.tensor(b)
    model.load_state_dict(state)
    model.to(device)
    optimizer = torch.optim.Adam(model.parameters())
    data = itertools.cycle([(torch.tensor(x, device=device), torch.tensor(y, device=device)) for x, y in batches])

    def step() -> Callable[[], float]:
        x, y = next(data)
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item  # type: ignore[no-any-return]

    return step
