"""chain: 20 elementwise ops on 64 float32, forward and backward; the time per op is that of the engine, not of the arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

import gpugrad as gg
from benchmarks import peers
from benchmarks.devices import gpugrad_columns, torch_column, waiting
from gpugrad.bench.method import Column, Comparison, Row, Spread, disagreement, interleaved, ratio, spreads

ROUNDS_OF_FOUR = 5
OPS = 4 * ROUNDS_OF_FOUR
LIMIT = 3.5  # microseconds per op, on the CPU

rng = numpy.random.default_rng(0)
START, FACTOR, TERM = (rng.uniform(0.5, 1.5, 64).astype(numpy.float32) for _ in range(3))


def run(device: str, rounds: int) -> list[Row]:
    """gpugrad, PyTorch, HIPS autograd, and NumPy by hand as the floor."""
    columns = [Column(name, with_gpugrad(on), waiting(on), OPS) for name, on in gpugrad_columns(device).items()]
    ours = columns[0].name
    torch = peers.torch(device)
    if torch is not None:
        wait = (lambda: None) if device == "cpu" else torch.cuda.synchronize
        columns.append(Column(torch_column(device), with_torch(torch, device), wait, OPS))
    if device == "cpu":
        if peers.autograd() is not None:
            columns.append(Column("HIPS autograd", with_autograd(), repeats=OPS))
        columns.append(Column("NumPy by hand", by_hand, repeats=OPS))
    void = disagreement({column.name: _numbers(column.step()) for column in columns}, 1e-4)
    work = f"{OPS} ops of 64 float32, per op"
    if void:
        return [Row("chain", work, void=void)]
    seconds = interleaved(columns, rounds=rounds)
    comparisons = []
    if device == "cpu":
        own = Spread.of([value * 1e6 for value in seconds[ours]])
        comparisons.append(Comparison(f"{ours}, per op", own, LIMIT, "us"))
    comparisons += [ratio(seconds, ours, c.name, 1.0 if c.name == "PyTorch eager" else None) for c in columns[1:]]
    return [Row("chain", work, "us", spreads(seconds, 1e6), comparisons)]


def _numbers(gradient: Any) -> list[float]:
    """The gradient of a column as numbers, read back from where it is."""
    while hasattr(gradient, "detach"):  # a Tensor of gpugrad or of PyTorch
        gradient = gradient.detach().cpu().numpy()
    return [float(x) for x in gradient]


def with_gpugrad(device: str) -> Callable[[], Any]:
    """The chain's gradient, with gpugrad."""
    x = gg.tensor(START, device=device, requires_grad=True)
    w, b = gg.asarray(FACTOR, device=device), gg.asarray(TERM, device=device)

    def step() -> Any:
        x.grad = None
        z = x
        for _ in range(ROUNDS_OF_FOUR):
            z = gg.tanh(gg.sin(z * w + b))
        gg.sum(z).backward()
        return x.grad

    return step


def with_torch(torch: Any, device: str) -> Callable[[], Any]:
    """The same with PyTorch."""
    x = torch.tensor(START, device=device, requires_grad=True)
    w, b = torch.tensor(FACTOR, device=device), torch.tensor(TERM, device=device)

    def step() -> Any:
        x.grad = None
        z = x
        for _ in range(ROUNDS_OF_FOUR):
            z = torch.tanh(torch.sin(z * w + b))
        torch.sum(z).backward()
        return x.grad

    return step


def with_autograd() -> Callable[[], Any]:
    """The same with HIPS autograd."""
    import autograd
    import autograd.numpy as np

    def chain(z: Any) -> Any:
        for _ in range(ROUNDS_OF_FOUR):
            z = np.tanh(np.sin(z * FACTOR + TERM))
        return np.sum(z)

    gradient = autograd.grad(chain)
    return lambda: gradient(START)


def by_hand() -> Any:
    """The same in NumPy, derived by hand: no engine could do with fewer calls."""
    z, sines, outs = START, [], []
    for _ in range(ROUNDS_OF_FOUR):
        s = z * FACTOR
        s = s + TERM
        sines.append(s)
        z = numpy.tanh(numpy.sin(s))
        outs.append(z)
    numpy.add.reduce(z)
    g = numpy.ones_like(z)
    for s, out in zip(reversed(sines), reversed(outs), strict=True):
        g = g * (1 - out * out)
        g = g * numpy.cos(s)
        g = g * FACTOR
    return g
