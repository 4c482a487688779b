"""chain: 20 elementwise ops on 64 float32, forward and backward; the time per op is that of the engine, not of the arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

import gpugrad as gg
from benchmarks import peers
from benchmarks.contest import Contest, Limit, Step, Target
from benchmarks.libraries import AUTOGRAD, GPUGRAD, MYGRAD, NUMPY, PYTORCH

ROUNDS_OF_FOUR = 5
OPS = 4 * ROUNDS_OF_FOUR
LIMIT = 3.5
"""Microseconds per op."""

Operands = Sequence[Any]
"""Where the chain starts, factor and term."""


def problem() -> Operands:
    """Random numbers."""
    rng = numpy.random.default_rng(0)
    return [rng.uniform(0.5, 1.5, 64).astype(numpy.float32) for _ in range(3)]


def chain(library: Any, z: Any, factor: Any, term: Any) -> Any:
    """The sum at the end of the chain, in the functions of a library."""
    for _ in range(ROUNDS_OF_FOUR):
        z = library.tanh(library.sin(z * factor + term))
    return library.sum(z)


def with_gpugrad(operands: Operands, device: str) -> Step:
    """The gradient of where the chain starts, with gpugrad."""
    start, *others = (gg.asarray(x, device=device) for x in operands)
    x = start.requires_grad_()

    def step() -> Any:
        x.grad = None
        chain(gg, x, *others).backward()
        return x.grad

    return step


def with_torch(operands: Operands, device: str) -> Step:
    """The same with PyTorch."""
    torch = peers.torch(device)
    start, *others = (torch.tensor(x, device=device) for x in operands)
    x = start.requires_grad_()

    def step() -> Any:
        x.grad = None
        chain(torch, x, *others).backward()
        return x.grad

    return step


def with_autograd(operands: Operands, device: str) -> Step:
    """The same with HIPS autograd."""
    autograd = peers.autograd()
    start, *others = operands
    gradient = autograd.grad(lambda x: chain(autograd.numpy, x, *others))
    return lambda: gradient(start)


def with_mygrad(operands: Operands, device: str) -> Step:
    """The same with MyGrad, which does not watch for writes into the operands."""
    mygrad = peers.mygrad()
    mygrad.turn_memory_guarding_off()
    start, *others = operands
    x = mygrad.tensor(start)

    def step() -> Any:
        chain(mygrad, x, *others).backward()
        return x.grad

    return step


def by_hand(operands: Operands, device: str) -> Step:
    """The same in NumPy, derived by hand: no engine could do with fewer calls."""
    start, factor, term = operands

    def step() -> Any:
        z, sines, outs = start, [], []
        for _ in range(ROUNDS_OF_FOUR):
            s = z * factor
            s = s + term
            sines.append(s)
            z = numpy.tanh(numpy.sin(s))
            outs.append(z)
        numpy.add.reduce(z)
        g = numpy.ones_like(z)
        for s, out in zip(reversed(sines), reversed(outs), strict=True):
            g = g * (1 - out * out)
            g = g * numpy.cos(s)
            g = g * factor
        return g

    return step


CONTESTS = (
    Contest(
        "chain", f"{OPS} ops of 64 float32, per op", problem,
        {GPUGRAD: with_gpugrad, PYTORCH: with_torch, AUTOGRAD: with_autograd, MYGRAD: with_mygrad, NUMPY: by_hand},
        targets=(Limit(LIMIT), Target(1.0, (PYTORCH,))), repeats=OPS, unit="us",
    ),
)  # fmt: skip
