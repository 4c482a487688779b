"""The laws by which times grow: t = fixed + factor * n**power, fitted to the rows of a series, or the reason why none is stated.

What is minimised is the squared error of log(t), so that all sizes count alike. The interval of the power spans that of fits to times
drawn anew from each row's quartiles (a parametric bootstrap) and those of all fits that leave one size out, which tell whether it
hangs on one row.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy

from benchmarks.report import number
from gpugrad.bench.method import Row, Spread

FEWEST = 5
"""Sizes that a fit of three constants needs, one of which is left out in turn."""

WIDEST = 0.5
"""The widest interval with which a power is stated."""

LEAST = 2.0
"""How many times the smallest time the largest must be: of less it cannot be told how it grows."""

DRAWS = 40
POWERS = (0.0, 4.0)
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
_DEVIATION = 1.349  # a normal distribution's quartiles are so many standard deviations apart


@dataclass(frozen=True)
class Fit:
    """The law of a column: seconds for a size n are ``fixed + factor * n**power``. None for what the times do not tell; `text` says it."""

    case: str
    column: str
    fixed: float | None
    factor: float | None
    power: float | None
    power_low: float | None
    power_high: float | None
    text: str


def fits(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The law of every column of every series of rows, as JSON takes it."""
    return [asdict(fit(case, column, points)) for case, columns in _series(rows).items() for column, points in columns.items()]


def told(rows: Sequence[Row]) -> list[Row]:
    """The rows; the largest of each series notes the laws, which begin with the name of their column."""
    found = list(rows)
    for case, columns in _series(rows).items():
        laws = [f"{column}: {fit(case, column, points).text}" for column, points in columns.items()]
        largest = max((row for row in found if row.case == case and _fitted(row)), key=lambda row: row.size or 0)
        note = "; ".join([*filter(None, [largest.note]), *laws])
        found[found.index(largest)] = replace(largest, note=note)
    return found


def _fitted(row: Row) -> bool:
    return bool(row.size) and not row.void and row.unit in _SECONDS


def _series(rows: Iterable[Row]) -> dict[str, dict[str, list[tuple[float, Spread]]]]:
    """Sizes and seconds by case and column."""
    found: dict[str, dict[str, list[tuple[float, Spread]]]] = {}
    for row in rows:
        if _fitted(row):
            for column, spread in row.figures.items():
                scale = _SECONDS[row.unit]
                seconds = Spread(spread.median * scale, spread.low * scale, spread.high * scale)
                found.setdefault(row.case, {}).setdefault(column, []).append((float(row.size or 0), seconds))
    return found


def fit(case: str, column: str, points: Sequence[tuple[float, Spread]]) -> Fit:
    """The law of one column, from sizes and seconds."""

    def refused(why: str, low: float | None = None, high: float | None = None) -> Fit:
        return Fit(case, column, None, None, None, low, high, f"no law: {why}")

    sizes = numpy.array([size for size, _ in points])
    seconds = numpy.array([spread.median for _, spread in points])
    if len(points) < FEWEST:
        return refused(f"{len(points)} sizes are too few")
    if seconds[sizes.argmax()] < LEAST * seconds[sizes.argmin()]:
        return refused(f"less than {LEAST:g} times as long for the largest size as for the smallest")
    fixed, factor, power = constants(sizes, seconds)
    generator = numpy.random.default_rng(0)
    deviation = numpy.array([math.log(spread.high / spread.low) / _DEVIATION for _, spread in points])
    draws = [seconds * numpy.exp(deviation * generator.standard_normal(len(points))) for _ in range(DRAWS)]
    keep = ~numpy.eye(len(points), dtype=bool)
    others = [(sizes, drawn) for drawn in draws] + [(sizes[k], seconds[k]) for k in keep]
    powers = [power, *(constants(*given, first=(fixed, factor, power))[2] for given in others)]
    low, high = min(powers), max(powers)
    if high - low > WIDEST:
        return refused(f"the power may be anything between {low:.2f} and {high:.2f}", low, high)
    start = f"{duration(fixed)} + " if fixed > seconds.min() / 100 else ""
    text = f"{start}{duration(factor)} n^{power:.2f} (power {low:.2f} to {high:.2f})"
    return Fit(case, column, fixed, factor, power, low, high, text)


Constants = tuple[float, float, float]
"""fixed, factor and power, in seconds; none of them is negative."""


def constants(sizes: Any, seconds: Any, first: Constants | None = None) -> Constants:
    """Those that fit best, searched for from several starts, or from `first`."""
    least_squares = importlib.import_module("scipy.optimize").least_squares  # slow to import, and only a fit needs it

    largest, longest = float(sizes.max()), float(seconds.max())
    n, t = sizes / largest, seconds / longest  # so that at the largest size the law is fixed + factor
    logarithms = numpy.log(t)

    def error(found: Any) -> Any:
        fixed, factor, power = found
        return numpy.log(fixed + factor * n**power) - logarithms

    def slopes(found: Any) -> Any:
        fixed, factor, power = found
        grown = n**power
        whole = fixed + factor * grown
        return numpy.stack([1 / whole, grown / whole, factor * grown * numpy.log(n) / whole], axis=1)

    bounds = ([0.0, 1e-9, POWERS[0]], [2.0, 4.0, POWERS[1]])
    if first is None:
        starts = [(t.min() * share, 1.0, power) for share in (0.05, 0.9) for power in (0.7, 1.6)]
    else:
        fixed, factor, power = first
        starts = [tuple(numpy.clip((fixed / longest, factor * largest**power / longest, power), *bounds))]
    best = min((least_squares(error, start, slopes, bounds) for start in starts), key=lambda found: found.cost)
    fixed, factor, power = (float(x) for x in best.x)
    return fixed * longest, factor * longest / largest**power, power


def duration(seconds: float) -> str:
    """A time in the unit in which it is readable."""
    units: Mapping[str, float] = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
    unit = next((unit for unit, one in units.items() if seconds >= one), "ns")
    return f"{number(seconds / units[unit])} {unit}"
