"""The laws by which times grow, fitted to the rows of a series: a fixed cost and a cost per unit of what grows, or why none is stated.

With which power of a size the work grows is known: layers cost what they cost each, matrices grow with the square of their width. So two
constants are fitted, neither below 0. What is minimised is the squared error of log(t), so that all sizes count alike. The interval of
the cost per unit spans that of the fits that leave one size out, which tell whether it hangs on one row, and of fits to times drawn from
between the quartiles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy

from benchmarks.report import number
from gpugrad.bench.method import Comparison, Row, Spread, ratio_label

FEWEST = 3
"""Sizes that a fit of two constants needs, so that one can be left out."""

FURTHEST = 1.5
"""How many times its law a time may be, or the law the time. Two that are off by more, one each way, can be 2.25 times apart: then the
law does not even tell a size from its double."""

DRAWS = 20


@dataclass(frozen=True)
class Unit:
    """What grows: a word for it, and the power of a size that counts it."""

    name: str
    power: int = 1


UNITS: Mapping[str, Unit] = {
    "growth.width": Unit("width^2", 2),
    "growth.depth": Unit("layer"),
    "growth.batch": Unit("row"),
    "growth.tensors": Unit("tensor"),
    "growth.graph": Unit("op"),
}
"""By the case of a series: those of cases/growth.py."""


@dataclass(frozen=True)
class Fit:
    """The law of a column: seconds for a size n are ``fixed + cost * n**power``, with the interval of `cost`. None where none is stated.

    `furthest` is the time that is furthest from the law, as a multiple of what that says. `text` says all, or why there is no law.
    """

    case: str
    column: str
    unit: str
    power: int
    text: str
    fixed: float | None = None
    cost: float | None = None
    low: float | None = None
    high: float | None = None
    furthest: float | None = None


def fits(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The law of every column of every series of rows, as JSON takes it."""
    return [asdict(one) for found in _laws(rows).values() for one in found]


def told(rows: Sequence[Row]) -> list[Row]:
    """The rows, and one for each series: the cost per unit, its ratios to the peers', and the laws, which begin with their columns."""
    return [*rows, *(_row(case, found) for case, found in _laws(rows).items())]


def _row(case: str, laws: Sequence[Fit]) -> Row:
    """Its ratios have a unit: they follow from those of the sizes, and are not counted beside them."""
    per = f"per {UNITS[case].name}"
    costs = {one.column: (one.cost, one.low or 0.0, one.high or 0.0) for one in laws if one.cost}
    unit, scale = _unit(min((cost for cost, *_ in costs.values()), default=1.0))
    figures = {name: Spread(*(value / scale for value in values)) for name, values in costs.items()}
    ours = laws[0].column
    ratios = [
        Comparison(ratio_label(ours, name), _quotient(figures[ours], theirs), unit=per)
        for name, theirs in figures.items()
        if name != ours and ours in figures and theirs.low
    ]
    return Row(case, f"cost {per}", unit, figures, ratios, note="; ".join(f"{one.column}: {one.text}" for one in laws))


def _quotient(a: Spread, b: Spread) -> Spread:
    return Spread(a.median / b.median, a.low / b.high, a.high / b.low)


def _laws(rows: Iterable[Row]) -> dict[str, list[Fit]]:
    """By case, for every column."""
    series: dict[str, dict[str, list[tuple[int, Spread]]]] = {}
    for row in rows:
        if row.case in UNITS and row.size and not row.void:
            for column, spread in row.figures.items():
                scale = _SECONDS[row.unit]
                seconds = Spread(spread.median * scale, spread.low * scale, spread.high * scale)
                series.setdefault(row.case, {}).setdefault(column, []).append((row.size, seconds))
    return {case: [fit(case, column, points) for column, points in columns.items()] for case, columns in series.items()}


def fit(case: str, column: str, points: Sequence[tuple[int, Spread]]) -> Fit:
    """The law of one column, from sizes and seconds."""
    name, power = UNITS[case].name, UNITS[case].power
    if len(points) < FEWEST:
        return Fit(case, column, name, power, f"no law: {len(points)} sizes are too few")
    units = numpy.asarray([float(size) ** power for size, _ in points])
    seconds, low, high = numpy.asarray([(spread.median, spread.low, spread.high) for _, spread in points]).T
    fixed, cost = constants(units, seconds)
    times = seconds / (fixed + cost * units)
    i = int(numpy.abs(numpy.log(times)).argmax())
    furthest = float(times[i])
    apart = max(furthest, 1 / furthest)
    if apart > FURTHEST:
        why = f"no law: at size {points[i][0]:,} the time is {number(furthest)} times that of the best fit"
        return Fit(case, column, name, power, why, furthest=furthest)
    generator = numpy.random.default_rng(0)
    draws = [numpy.exp(generator.uniform(numpy.log(low), numpy.log(high))) for _ in range(DRAWS)]
    others = [(units, drawn) for drawn in draws] + [(units[k], seconds[k]) for k in ~numpy.eye(len(points), dtype=bool)]
    costs = [cost, *(constants(*given)[1] for given in others)]
    scale = _unit(cost)[1]
    start = f"{duration(fixed)} + " if fixed > seconds.min() / 100 else ""
    interval = f"{number(min(costs) / scale)} to {number(max(costs) / scale)}"
    text = f"{start}{duration(cost)} per {name} ({interval}, within {100 * (apart - 1):.0f} %)"
    return Fit(case, column, name, power, text, fixed, cost, min(costs), max(costs), furthest)


_SHARES = 10.0 ** numpy.linspace(-6, 6, 241)
_GRID = numpy.concatenate([[(0.0, 1.0)], numpy.stack([_SHARES, numpy.ones_like(_SHARES)], axis=1), [(1.0, 0.0)]])
"""Shares of the fixed cost and of the largest size's units, from one without the other to the other without the one."""


def constants(units: Any, seconds: Any) -> tuple[float, float]:
    """The fixed cost and the cost per unit that fit best. With their shares the best whole is known, so one number is searched for."""
    largest = units.max()
    grid = _GRID
    for _ in range(3):  # each time between the neighbours of what was best
        logarithms = numpy.log(seconds) - numpy.log(grid @ [numpy.ones_like(units), units / largest])
        best = int(logarithms.var(axis=1).argmin())
        fixed, grown = numpy.exp(logarithms[best].mean()) * grid[best]
        grid = numpy.linspace(grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)], 41)
    return float(fixed), float(grown / largest)


_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def _unit(seconds: float) -> tuple[str, float]:
    """The unit in which a time is readable, in seconds."""
    return next(((unit, one) for unit, one in _SECONDS.items() if seconds >= one), ("ns", 1e-9))


def duration(seconds: float) -> str:
    """A time in the unit in which it is readable."""
    unit, scale = _unit(seconds)
    return f"{number(seconds / scale)} {unit}"
