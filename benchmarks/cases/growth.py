"""growth: how the time of a step grows with width, depth, batch, number of tensors and length of the graph; ../growth.py fits the laws."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy

import gpugrad as gg
from benchmarks import contest, growth, machine, peers
from benchmarks.apart import apart
from benchmarks.cases import mlp
from benchmarks.contest import Build, Contest, Step
from benchmarks.formulas import COLUMNS, Formula
from benchmarks.libraries import AUTOGRAD, GPUGRAD, JAX, PYTORCH
from benchmarks.training import adam, columns
from gpugrad.bench.method import Row
from gpugrad.bench.mlp import problem
from gpugrad.bench.training import FIRST_STEPS, TOLERANCE, Training

ROUNDS = 5
BURST = 0.05
"""Fewer rounds and shorter bursts than elsewhere: there are many sizes, and a law is fitted to all of them together."""

WITHOUT_JAX = "without JAX: XLA takes too long to compile a function of so many ops"

_TRAINING = {
    name: build for name, build in columns(mlp.loss, adam(), autograd=True).items() if name in (GPUGRAD, PYTORCH, JAX, AUTOGRAD)
}


def _step(case: str, size: int, work: str, made: Callable[[], Training]) -> Contest:
    return Contest(
        f"growth.{case}", f"{work}, Adam, per step", made, _TRAINING, tolerance=TOLERANCE, agree=FIRST_STEPS, size=size
    )


def width() -> Iterator[Contest]:
    """The matrices grow with the square."""
    for n in (32, 64, 128, 256, 512):
        yield _step("width", n, f"3 layers of {n}, batch 64", partial(problem, 64, (n,) * 4))


def depth() -> Iterator[Contest]:
    """More layers."""
    for n in (2, 4, 8, 16, 32):
        yield _step("depth", n, f"{n} layers of 64, batch 64", partial(problem, 64, (64,) * (n + 1)))


def batch() -> Iterator[Contest]:
    """More rows in the same products; the optimizer's part stays."""
    for n in (8, 32, 128, 512, 2048):
        yield _step("batch", n, f"3 layers of 128, batch {n}", partial(problem, n, (128,) * 4))


def tensors() -> Iterator[Contest]:
    """An optimizer's step alone."""
    for n in (4, 16, 64, 256, 1024):
        yield Contest(
            "growth.tensors", f"step of Adam for {n} tensors of 1,024", partial(_parameters, n), _without_jax(n, 256, _ADAM),
            tolerance=1e-5, agree=FIRST_STEPS, compared=lambda found: (found[0], found[-1]), size=n,
        )  # fmt: skip


def graph() -> Iterator[Contest]:
    """The time of the engine, not of the arithmetic."""
    for n in (16, 64, 256, 1024, 4096):
        yield Contest(
            "growth.graph", f"chain of {n} ops on 64 numbers, forward + backward", partial(_chain, n), _without_jax(n, 256, COLUMNS),
            tolerance=1e-3, size=n,
        )  # fmt: skip


SERIES: Mapping[str, Callable[[], Iterator[Contest]]] = {
    series.__name__: series for series in (width, depth, batch, tensors, graph)
}
"""What grows, by name; the contests of a series differ in their size alone. ../growth.py knows the unit of each."""


def run(device: str, rounds: int, names: Sequence[str] = tuple(SERIES)) -> list[Row]:
    """A row for each size, then one for each series, with its laws."""
    found = []
    for name in names:
        found += apart("cases.growth", min(rounds, ROUNDS), (machine.threads(),), name, device)
    return growth.told(found)


def rows(rounds: int, name: str, device: str) -> list[Row]:
    """The rows of a series, by its name."""
    return [_noted(one, contest.timed(one, device, rounds, BURST)) for one in SERIES[name]()]


def _noted(one: Contest, row: Row) -> Row:
    """The row, which says who is left out."""
    return row if JAX in one.columns else replace(row, note="; ".join(filter(None, [row.note, WITHOUT_JAX])))


def _without_jax(size: int, largest: int, chosen: Mapping[str, Build]) -> Mapping[str, Build]:
    """All columns, but above the largest size that XLA compiles in seconds."""
    return chosen if size <= largest else {name: build for name, build in chosen.items() if name != JAX}


def _chain(length: int) -> Formula:
    """A sum of sines of sines, and so on, in each of which there is a product; two ops per link."""

    def function(xp: Any, x: Any) -> Any:
        for _ in range(length // 2):
            x = xp.sin(x * 1.25)
        return xp.sum(x)

    return Formula([numpy.random.default_rng(0).uniform(0.5, 1.5, 64).astype(numpy.float32)], function)


def _parameters(count: int) -> Any:
    """Parameters and their gradients, which stay the same."""
    return numpy.random.default_rng(0).standard_normal((2, count, 1024)).astype(numpy.float32)


def _with(library: Any, place: Callable[[Any], Any], given: Any) -> Step:
    """Adam of gpugrad or of torch."""
    parameters = [place(p).requires_grad_() for p in given[0]]
    for parameter, g in zip(parameters, given[1], strict=True):
        parameter.grad = place(g)
    optimizer = library.optim.Adam(parameters)

    def step() -> Any:
        optimizer.step()
        return parameters

    return step


def _with_gpugrad(given: Any, device: str) -> Step:
    return _with(gg, lambda array: gg.asarray(array, device=device), given)


def _with_torch(given: Any, device: str) -> Step:
    torch = peers.torch(device)
    return _with(torch, lambda array: torch.tensor(array, device=device), given)


def _with_jax(given: Any, device: str) -> Step:
    """Adam written out for all parameters in one compiled function, which may use their memory again."""
    jax = peers.jax()
    np = jax.numpy
    rule, count = adam()

    def whole(parameters: Any, states: Any, t: Any, gradients: Any) -> Any:
        made = [rule(np, p, g, state, t) for p, state, g in zip(parameters, states, gradients, strict=True)]
        return [p for p, _ in made], [state for _, state in made], t + 1

    compiled = jax.jit(whole, donate_argnums=(0, 1, 2))
    parameters, gradients = ([jax.device_put(array) for array in arrays] for arrays in given)
    held = [parameters, [tuple(np.zeros_like(p) for _ in range(count)) for p in parameters], np.asarray(1, np.float32)]

    def step() -> Any:
        held[:] = compiled(*held, gradients)
        return held[0]

    return step


_ADAM: dict[str, Build] = {GPUGRAD: _with_gpugrad, PYTORCH: _with_torch, JAX: _with_jax}
