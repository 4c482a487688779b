"""op: what recording costs, over the NumPy (or CuPy) call that an op makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

import gpugrad as gg
from benchmarks.devices import waiting
from gpugrad.bench.method import Column, Row, excess, interleaved, spreads

REPEATS = 500
LIMIT = 1.0  # microseconds; on the CPU


def run(device: str, rounds: int) -> list[Row]:
    """A recorded function of two operands, the same as an operator, and a function of one: 64 float32."""
    rng = numpy.random.default_rng(0)
    values = [rng.uniform(0.5, 1.5, 64).astype(numpy.float32) for _ in range(2)]
    x, y = (gg.tensor(v, device=device, requires_grad=True) for v in values)
    a, b = x.detach().array, y.detach().array
    library = "NumPy" if device == "cpu" else "CuPy"
    xp = numpy if device == "cpu" else gg.arrays.devices.import_cupy()
    return [
        _row(f"multiply(x, y), {library}", device, rounds, _two(gg.multiply, x, y), _two(xp.multiply, a, b)),
        _row(f"x * y, {library}", device, rounds, _operator(x, y), _operator(a, b)),
        _row(f"exp(x), {library}", device, rounds, _one(gg.exp, x), _one(xp.exp, a)),
    ]


def _row(work: str, device: str, rounds: int, ours: Callable[[], None], bare: Callable[[], None]) -> Row:
    wait = waiting(device)
    seconds = interleaved([Column("gpugrad", ours, wait, REPEATS), Column("bare call", bare, wait, REPEATS)], rounds=rounds)
    limit = LIMIT if device == "cpu" else None
    return Row("op", work, "us", spreads(seconds, 1e6), [excess(seconds, "gpugrad", "bare call", limit, scale=1e6, unit="us")])


def _one(function: Callable[[Any], Any], x: Any) -> Callable[[], None]:
    def step() -> None:
        for _ in range(REPEATS):
            function(x)

    return step


def _two(function: Callable[[Any, Any], Any], x: Any, y: Any) -> Callable[[], None]:
    def step() -> None:
        for _ in range(REPEATS):
            function(x, y)

    return step


def _operator(x: Any, y: Any) -> Callable[[], None]:
    def step() -> None:
        for _ in range(REPEATS):
            x * y

    return step
