"""adam: an update of 1,000,000 float32 parameters, in one tensor and in twenty, against NumPy's passes and PyTorch's fused kernel."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy

import gpugrad as gg
from benchmarks import machine, peers
from benchmarks.apart import apart
from benchmarks.cases.adam_by_hand import BETA1, BETA2, EPS, LR, update
from benchmarks.contest import side_by_side
from gpugrad.bench.method import Row, not_run

SIZE = 1_000_000
TENSORS = (1, 20)
TOLERANCE = 1e-6
LIMITS = {"NumPy by hand": 0.35, "PyTorch eager": 1.0}


def run(device: str, rounds: int) -> list[Row]:
    """On one thread and, where there are as many cores, on two."""
    if device != "cpu":
        return [not_run("adam", "it compares kernels for the CPU; run it with --device cpu")]
    return apart("cases.fused_adam", rounds, (1, 2)[: machine.cores()])


def rows(rounds: int) -> list[Row]:
    """A step of each optimizer on the same parameters and gradients; void unless the first steps agree."""
    found = []
    for count in TENSORS:
        rng = numpy.random.default_rng(0)
        arrays = [rng.standard_normal((2, SIZE // count)).astype(numpy.float32) for _ in range(count)]
        steps = {"gpugrad": with_gpugrad(arrays), "NumPy by hand": with_numpy(arrays)}
        torch = peers.torch()
        if torch is not None:
            steps["PyTorch eager"] = with_torch(torch, arrays)
        work = f"Adam (PyTorch: fused=True), {SIZE:,} parameters in {count} tensor{'s' if count > 1 else ''}"
        found.append(side_by_side("adam", work, steps, LIMITS, rounds=rounds, tolerance=TOLERANCE))
    return found


def with_gpugrad(arrays: list[Any]) -> Callable[[], Any]:
    """A step with gpugrad. `arrays` hold a row of parameters and a row of gradients each."""
    parameters = [gg.tensor(p, requires_grad=True) for p, _ in arrays]
    for parameter, (_, g) in zip(parameters, arrays, strict=True):
        parameter.grad = gg.tensor(g)
    optimizer = gg.optim.Adam(parameters, LR, (BETA1, BETA2), EPS)

    def step() -> Any:
        optimizer.step()
        return parameters

    return step


def with_torch(torch: Any, arrays: list[Any]) -> Callable[[], Any]:
    """The same with PyTorch's optimizer that updates a tensor in one pass."""
    parameters = [torch.tensor(p, requires_grad=True) for p, _ in arrays]
    for parameter, (_, g) in zip(parameters, arrays, strict=True):
        parameter.grad = torch.tensor(g)
    optimizer = torch.optim.Adam(parameters, lr=LR, betas=(BETA1, BETA2), eps=EPS, fused=True)

    def step() -> Any:
        optimizer.step()
        return parameters

    return step


def with_numpy(arrays: list[Any]) -> Callable[[], Any]:
    """The same in NumPy, in place, a pass over memory for each operation."""
    states = [(p.copy(), g, numpy.zeros_like(p), numpy.zeros_like(p), numpy.empty_like(p)) for p, g in arrays]
    number = itertools.count(1)

    def step() -> Any:
        t = next(number)
        for p, g, m, v, s in states:
            update(numpy, p, g, m, v, s, t)
        return [p for p, *_ in states]

    return step
