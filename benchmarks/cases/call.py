"""call: what calling a compiled function costs, over the NumPy calls that it stands for: x * y + x of 4 float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

import gpugrad as gg
from gpugrad.bench.method import Column, Row, disagreement, excess, interleaved, not_run, numbers, spreads
from gpugrad.compile.compiled import Compiled

REPEATS = 200
LIMIT = 3.0
"""Microseconds over NumPy's, for a compiled function of arrays."""


def run(device: str, rounds: int) -> list[Row]:
    """On arrays: what gg.fuse calls, and gg.fuse itself; on Tensors that record: gg.fuse, which records a node."""
    if device != "cpu":
        return [not_run("call", "on a GPU the case bandwidth counts launches; run it with --device cpu")]
    rng = numpy.random.default_rng(0)
    x, y = (rng.uniform(0.5, 1.5, 4).astype(numpy.float32) for _ in range(2))
    tensors = (gg.tensor(x, requires_grad=True), gg.tensor(y, requires_grad=True))
    fused = gg.fuse(_function)
    return [
        _row("compiled function of arrays", rounds, Compiled(_function), (x, y), LIMIT),
        _row("gg.fuse, arrays", rounds, fused, (x, y)),
        _row("gg.fuse, Tensors that record", rounds, fused, tensors),
        _row("op by op, Tensors that record", rounds, _function, tensors),
    ]


def _row(work: str, rounds: int, function: Callable[..., Any], given: tuple[Any, Any], limit: float | None = None) -> Row:
    bare = tuple(x.detach().numpy() if isinstance(x, gg.Tensor) else x for x in given)
    work = f"x * y + x of 4 float32, {work}"
    void = disagreement({"gpugrad": numbers(function(*given)), "NumPy": numbers(_function(*bare))}, 1e-6)
    if void:
        return Row("call", work, void=void)
    columns = [
        Column("gpugrad", _repeated(function, *given), repeats=REPEATS),
        Column("bare call", _repeated(_function, *bare), repeats=REPEATS),
    ]
    seconds = interleaved(columns, rounds=rounds)
    return Row(
        "call", work, "us", spreads(seconds, 1e6), [excess(seconds, "gpugrad", "bare call", limit, scale=1e6, unit="us")]
    )


def _function(x: Any, y: Any) -> Any:
    return x * y + x


def _repeated(function: Callable[[Any, Any], Any], x: Any, y: Any) -> Callable[[], None]:
    def step() -> None:
        for _ in range(REPEATS):
            function(x, y)

    return step
