"""optimizers: a step of each over 1,000,000 float32 parameters in twenty tensors, and its memory, against PyTorch's default for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

import gpugrad as gg
from benchmarks import peers
from benchmarks.apart import apart
from benchmarks.contest import side_by_side
from benchmarks.peak_memory import measured
from gpugrad.bench.method import Row, not_run

SHAPE = (200, 250)
TENSORS = 20
THREADS = 2
LIMIT = 1.0
MEMORY_LIMIT = 1.2

OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "SGD": ("SGD", {"lr": 1e-3}),
    "SGD with momentum": ("SGD", {"lr": 1e-3, "momentum": 0.9}),
    **{name: (name, {}) for name in ("Adam", "AdamW", "NAdam", "RAdam", "Adamax", "RMSprop")},
    "RMSprop, centered, with momentum": ("RMSprop", {"centered": True, "momentum": 0.9}),
    **{name: (name, {}) for name in ("Adagrad", "Adadelta", "ASGD", "Rprop", "Muon")},
    "LBFGS": ("LBFGS", {"max_iter": 4, "history_size": 3}),
    **{name: (name, {}) for name in ("Lion", "LAMB", "LARS")},
}
"""The class and its options, by what the row says. PyTorch has not all of them."""

MEMORY = ("Adam", "RMSprop, centered, with momentum", "Muon")
"""Those whose memory is measured, which takes a process for each figure: two and three arrays of state, and matrices on the way."""

_TOLERANCES = {"Muon": 1e-4}
"""How far the parameters may be apart after a step, where not 1e-6: Muon rounds to bfloat16 on the way."""


def run(device: str, rounds: int) -> list[Row]:
    """The times, on two threads, then the memory."""
    if device != "cpu":
        return [not_run("optimizers", "it compares with PyTorch on the CPU; run it with --device cpu")]
    found = apart("cases.optimizers", rounds, (THREADS,))
    for work in MEMORY:
        text = f"{work}: memory of three steps, gradients included"
        found.append(measured("optimizers", text, device, rounds, MEMORY_LIMIT, "cases.optimizers", work))
    return found


def rows(rounds: int) -> list[Row]:
    """A step of each optimizer with the same parameters and gradients in both libraries; void unless the first steps agree."""
    found = []
    for work, (name, _) in OPTIMIZERS.items():
        steps = {"gpugrad": training("gpugrad", work)}
        torch = peers.torch()
        if torch is not None and hasattr(torch.optim, name):
            steps["PyTorch eager"] = training("torch", work)
        text = f"{work}, {SHAPE[0] * SHAPE[1] * TENSORS:,} parameters in {TENSORS} tensors"
        limits = {"PyTorch eager": LIMIT}
        found.append(side_by_side("optimizers", text, steps, limits, rounds=rounds, tolerance=_TOLERANCES.get(work, 1e-6)))
    return found


def training(library: str, work: str, shape: tuple[int, int] = SHAPE) -> Callable[[], Any]:
    """A step of an optimizer, which returns the parameters. Nothing but the step takes time: the gradients stay as they are."""
    rng = numpy.random.default_rng(0)
    arrays = [rng.standard_normal((2, *shape)).astype(numpy.float32) for _ in range(TENSORS)]
    name, options = OPTIMIZERS[work]
    module: Any = gg if library == "gpugrad" else peers.torch()
    parameters = [module.tensor(p, requires_grad=True) for p, _ in arrays]
    for parameter, (_, g) in zip(parameters, arrays, strict=True):
        parameter.grad = module.tensor(g)
    del arrays
    optimizer = getattr(module.optim, name)(parameters, **options)

    def step() -> Any:
        optimizer.step(lambda: 1.0)
        return parameters

    return step


def for_memory(library: str, device: str, work: str) -> tuple[Callable[[], None], Callable[[], None]]:
    """See :func:`benchmarks.cases.memory.measured`."""

    def steps(shape: tuple[int, int]) -> None:
        step = training(library, work, shape)
        for _ in range(3):
            step()

    # Warm with little: an allocator may keep what it has had once, which then is not counted.
    return lambda: steps((4, 5)), lambda: steps(SHAPE)
