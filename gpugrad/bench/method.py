"""How things are compared: interleaved, by ratios within a round, and without a verdict that the noise does not allow.

Timing one column after the other measures the machine's mood: its clock, its other users. So each round measures every column
once, in turn (A B C, B C A, ...), and columns are compared within a round. What is reported is the median over the rounds and
the quartiles. Nothing here knows what is measured: the backend comparison and benchmarks/ of a checkout share it.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy

from gpugrad.errors import OptionError

BURST = 0.05
"""Seconds for which a column is measured in a round: long against the clock's resolution, short against the machine's moods."""

SETTLE = 0.04
"""Seconds of rest before a burst, at least."""

SAMPLES = 16
"""Elements of each result that are compared, beside the mean of all."""


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Column:
    """One way to do the work: `step` does it once, `synchronize` waits until what steps have launched on a GPU is done.

    A step that repeats its work, because that is too short to be called through a function, says how often in `repeats`.
    """

    name: str
    step: Callable[[], Any]
    synchronize: Callable[[], None] = _nothing
    repeats: int = 1


@dataclass(frozen=True)
class Spread:
    """The median of some measurements and their quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Raises OptionError for no values."""
        if not values:
            raise OptionError("the spread of no measurements was asked for, expected at least one")
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)

    @property
    def width(self) -> float:
        """The distance between the quartiles."""
        return self.high - self.low

    def below(self, other: Spread) -> bool:
        """Whether the quartiles of these lie below those of the others: where they overlap, neither is below."""
        return self.high < other.low


@dataclass(frozen=True)
class Comparison:
    """A figure that two columns give together, such as a ratio, and the most that it may be (None: no target is set)."""

    label: str
    spread: Spread
    limit: float | None = None
    unit: str = ""

    @property
    def verdict(self) -> str:
        """ "pass" or "fail", or "undecided" where the quartiles are as far apart as the median is from the limit."""
        if self.limit is None:
            return ""
        if abs(self.spread.median - self.limit) <= self.spread.width:
            return "undecided"
        return "pass" if self.spread.median <= self.limit else "fail"


@dataclass(frozen=True)
class Row:
    """One piece of work: a figure per column, what they give together, or why there is none of either.

    `size` is what grows from row to row of a case, where something does. `first` holds the seconds that the first step of each
    column took, with what was compiled for it, which the figures leave out.
    """

    case: str
    work: str
    unit: str = ""
    figures: Mapping[str, Spread] = field(default_factory=dict)
    comparisons: Sequence[Comparison] = ()
    void: str = ""
    note: str = ""
    size: int | None = None
    first: Mapping[str, float] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether this row speaks against gpugrad: void, or a target missed."""
        return bool(self.void) or any(c.verdict == "fail" for c in self.comparisons)

    def as_dict(self) -> dict[str, Any]:
        """The row as JSON takes it, verdicts included."""
        found = dataclasses.asdict(self)
        found["comparisons"] = [{**dataclasses.asdict(c), "verdict": c.verdict} for c in self.comparisons]
        return found

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Row:
        """A row from what :meth:`as_dict` made of it."""
        comparisons = [Comparison(c["label"], Spread(**c["spread"]), c["limit"], c["unit"]) for c in found["comparisons"]]
        figures = {name: Spread(**spread) for name, spread in found["figures"].items()}
        return cls(**{**found, "figures": figures, "comparisons": comparisons})


def not_run(case: str, why: str) -> Row:
    """A row for a case that did not run, which is no failure."""
    return Row(case, case, note=f"not run: {why}")


def interleaved(
    columns: Sequence[Column],
    *,
    rounds: int = 15,
    burst: float = BURST,
    settle: float = SETTLE,
    trial: int = 3,
    late: Callable[[], bool] = lambda: False,
    turns: int = 1,
    often: Collection[str] = (),
) -> dict[str, list[float]]:
    """Seconds per repeat of each column, one number per round.

    A round measures the columns in turn, each time starting with another one; every burst has a :func:`rest` before it and a warm-up of
    its own. Columns named in `often` have so many `turns` in a round, each after all the others' turn, and the median of them counts.
    Before all rounds, twice `trial` calls warm up and tell how many fill a burst. Once it is `late` no further round is begun.
    """
    calls = {column.name: _calls(column, burst, trial) for column in columns}
    seconds: dict[str, list[float]] = {column.name: [] for column in columns}
    for number in range(rounds):
        if late():
            break
        found: dict[str, list[float]] = {column.name: [] for column in columns}
        for turn in range(turns):
            start = (number + turn) % len(columns)
            for column in (*columns[start:], *columns[:start]):
                if turn == 0 or column.name in often:
                    rest(settle)
                    _run(column, 1 + calls[column.name] // 4)
                    count = calls[column.name]
                    found[column.name].append(_run(column, count) / count / column.repeats)
        for name, values in found.items():
            seconds[name].append(statistics.median(values))
    return seconds


def rest(settle: float = SETTLE) -> None:
    """Wait until the threads of this process work less than a quarter of the time, `settle` seconds at least, ten times that at most.

    Idle threads of OpenBLAS look for work for 0.1 s after a product and would slow down whoever comes next.
    """
    if not settle:
        return
    for _ in range(20):
        before = time.process_time()
        time.sleep(settle / 2)
        if time.process_time() - before <= settle / 8:
            break
    time.sleep(settle / 2)


def _run(column: Column, count: int) -> float:
    step = column.step
    column.synchronize()
    start = time.perf_counter()
    for _ in range(count):
        step()
    column.synchronize()
    return time.perf_counter() - start


def _calls(column: Column, burst: float, trial: int) -> int:
    """How many calls fill a burst; finding out is the warm-up (caches, lazy imports, kernels that are compiled first)."""
    _run(column, trial)
    return max(1, round(burst * trial / max(_run(column, trial), 1e-9)))


def spreads(seconds: Mapping[str, Sequence[float]], scale: float = 1.0) -> dict[str, Spread]:
    """The spread of each column, in units of 1/`scale` seconds."""
    return {name: Spread.of([value * scale for value in values]) for name, values in seconds.items()}


def ratio(seconds: Mapping[str, Sequence[float]], ours: str, theirs: str, limit: float | None = None) -> Comparison:
    """How many times as long as `theirs` `ours` takes, round by round."""
    values = [a / b for a, b in zip(seconds[ours], seconds[theirs], strict=True)]
    return Comparison(ratio_label(ours, theirs), Spread.of(values), limit)


def ratio_to_fastest(
    seconds: Mapping[str, Sequence[float]], ours: str, theirs: Sequence[str], limit: float | None = None
) -> Comparison:
    """How many times as long as the fastest of `theirs` `ours` takes: the fastest of each round."""
    if len(theirs) == 1:
        return ratio(seconds, ours, theirs[0], limit)
    fastest = [min(values) for values in zip(*(seconds[name] for name in theirs), strict=True)]
    values = [a / b for a, b in zip(seconds[ours], fastest, strict=True)]
    return Comparison(ratio_label(ours, f"fastest of {', '.join(theirs)}"), Spread.of(values), limit)


def ratio_label(ours: str, theirs: str) -> str:
    """What the ratio of two columns is called."""
    return f"{ours} / {theirs}"


def excess(
    seconds: Mapping[str, Sequence[float]], ours: str, theirs: str, limit: float | None = None, *, scale: float, unit: str
) -> Comparison:
    """How much longer than `theirs` `ours` takes, round by round, in `unit`, of which a second has `scale`."""
    values = [(a - b) * scale for a, b in zip(seconds[ours], seconds[theirs], strict=True)]
    return Comparison(f"{ours} - {theirs}", Spread.of(values), limit, unit)


def disagreement(results: Mapping[str, Sequence[float]], tolerance: float) -> str:
    """Why columns that should compute the same do not: the sentence that makes a row void; empty if they do.

    `results` holds the same numbers per column, such as the losses of the first steps; the first column is the reference.
    """
    (reference, expected), *others = results.items()
    for name, found in others:
        if len(found) != len(expected):
            return f"{name} gave {len(found)} numbers and {reference} {len(expected)}"
        for i, (x, y) in enumerate(zip(found, expected, strict=True)):
            if not abs(x - y) <= tolerance:  # also for nan
                which = f"number {i + 1} of {len(expected)}"
                return f"{name} gave {x:.6g} and {reference} {y:.6g} as {which}; expected at most {tolerance:g} apart"
    return ""


def numbers(result: Any) -> list[float]:
    """A few elements and the mean of each array in a result: an array, a number, or a tuple or list of those."""
    if isinstance(result, (tuple, list)):
        return [x for part in result for x in numbers(part)]
    while hasattr(result, "detach"):  # a Tensor of gpugrad or of PyTorch
        result = result.detach().cpu().numpy()
    if hasattr(result, "get"):  # an array of CuPy's
        result = result.get()
    flat = numpy.asarray(result).reshape(-1)
    chosen = flat[:: max(1, flat.size // SAMPLES)][:SAMPLES]
    return [*(float(x) for x in chosen), float(numpy.mean(flat, dtype=numpy.float64))]
