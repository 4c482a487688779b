"""A row for functions that all compute the same: void unless they do, then measured in turn, each compared with the first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy

from benchmarks.method import Column, Row, disagreement, interleaved, ratio, spreads

SAMPLES = 16
"""Elements of each result that are compared, beside the mean of all."""


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


def numbers(result: Any) -> list[float]:
    """A few elements and the mean of each array in a result: an array, a number, or a tuple or list of those."""
    if isinstance(result, (tuple, list)):
        return [x for part in result for x in numbers(part)]
    while hasattr(result, "detach"):  # a Tensor of gpugrad or of PyTorch
        result = result.detach().cpu().numpy()
    flat = numpy.asarray(result, dtype=numpy.float64).reshape(-1)
    chosen = flat[:: max(1, flat.size // SAMPLES)][:SAMPLES]
    return [*(float(x) for x in chosen), float(numpy.mean(flat))]
