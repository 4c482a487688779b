"""A step length along a direction that satisfies the strong Wolfe conditions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

DECREASE = 1e-4
"""Of the slope at 0: how much the loss must fall, at least (the Armijo condition)."""

CURVATURE = 0.9
"""Of the slope at 0: how steep the loss may still be."""


class Point(NamedTuple):
    """A step length t, and what was found there: the loss, its gradient, and its slope along the direction."""

    t: float
    loss: float
    gradient: Any
    slope: float


def strong_wolfe(
    evaluate: Callable[[float], Point], start: Point, t: float, size: float, limit: int, tolerance: float = 1e-9
) -> tuple[Point, int]:
    """A point that satisfies the conditions, or the best one, and how many were evaluated (Nocedal and Wright, algorithms 3.5 and 3.6).

    `evaluate` finds the point of a step length, `t` is the first one tried, `start` the point of t = 0. `size` is the largest
    component of the direction: the search ends where the bracket is shorter than `tolerance` for it, or after `limit` steps.
    """
    previous, point = start, evaluate(t)
    steps = 0
    bracket = None
    while steps < limit and bracket is None:
        if _too_high(point, start) or (steps > 1 and point.loss >= previous.loss):
            bracket = [previous, point]
        elif _flat(point, start):
            return point, steps + 1
        elif point.slope >= 0:
            bracket = [previous, point]
        else:
            bounds = point.t + 0.01 * (point.t - previous.t), point.t * 10
            previous, point = point, evaluate(_lowest(previous, point, bounds))
            steps += 1
    if bracket is None:
        best = start if start.loss <= point.loss else point
        return best, steps + 1
    return _zoom(evaluate, bracket, start, size, steps, limit, tolerance)


def _zoom(
    evaluate: Callable[[float], Point],
    bracket: list[Point],
    start: Point,
    size: float,
    steps: int,
    limit: int,
    tolerance: float,
) -> tuple[Point, int]:
    """Narrow a bracket that holds a point which satisfies the conditions."""
    low, high = _ordered(bracket)
    slow = False  # whether the last step was close to an end of the bracket
    while steps < limit and not abs(bracket[1].t - bracket[0].t) * size < tolerance:
        least, largest = sorted(p.t for p in bracket)
        t = _lowest(bracket[0], bracket[1], (least, largest))
        margin = 0.1 * (largest - least)
        close = min(largest - t, t - least) < margin
        if close and (slow or not least < t < largest):
            t = largest - margin if abs(t - largest) < abs(t - least) else least + margin
            slow = False
        else:
            slow = close
        point = evaluate(t)
        steps += 1
        if _too_high(point, start) or point.loss >= bracket[low].loss:
            bracket[high] = point
            low, high = _ordered(bracket)
            continue
        if _flat(point, start):
            return point, steps + 1
        if point.slope * (bracket[high].t - bracket[low].t) >= 0:
            bracket[high] = bracket[low]
        bracket[low] = point
    return bracket[low], steps + 1


def _too_high(point: Point, start: Point) -> bool:
    return point.loss > start.loss + DECREASE * point.t * start.slope


def _flat(point: Point, start: Point) -> bool:
    return abs(point.slope) <= -CURVATURE * start.slope


def _ordered(bracket: list[Point]) -> tuple[int, int]:
    return (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)


def _lowest(a: Point, b: Point, bounds: tuple[float, float]) -> float:
    """Where the cubic through two points, with their slopes, is lowest within bounds; their middle if it has no minimum."""
    if a.t > b.t:
        a, b = b, a
    middle = (bounds[0] + bounds[1]) / 2
    if a.t == b.t:
        return middle
    mean = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = mean * mean - a.slope * b.slope
    if not square >= 0:  # nan too
        return middle
    root = math.sqrt(square)
    denominator = b.slope - a.slope + 2 * root
    if denominator == 0:
        return middle
    return min(max(b.t - (b.t - a.t) * ((b.slope + root - mean) / denominator), bounds[0]), bounds[1])
