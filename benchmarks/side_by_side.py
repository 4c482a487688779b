"""A row for functions that all compute the same: void unless they do, then measured in turn, each compared with the first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gpugrad.bench.method import Column, Row, disagreement, interleaved, numbers, ratio, spreads


def side_by_side(
    case: str,
    work: str,
    steps: Mapping[str, Callable[[], Any]],
    limits: Mapping[str, float],
    *,
    rounds: int,
    tolerance: float,
    compared: Callable[[Any], Any] = lambda result: result,
    scale: float = 1e3,
    unit: str = "ms",
    note: str = "",
) -> Row:
    """`steps` by the names of their columns, ours first. `limits`: how many times as long as a column ours may take.

    `compared` is what of a step's result has to be the same, within `tolerance`.
    """
    void = disagreement({name: numbers(compared(step())) for name, step in steps.items()}, tolerance)
    if void:
        return Row(case, work, void=void)
    seconds = interleaved([Column(name, step) for name, step in steps.items()], rounds=rounds)
    ours, *others = steps
    comparisons = [ratio(seconds, ours, name, limits.get(name)) for name in others]
    return Row(case, work, unit, spreads(seconds, scale), comparisons, note=note)
