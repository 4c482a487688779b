"""Cases on devices: the same numbers first, then times by turns; and from which size a device wins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from gpugrad import cuda
from gpugrad.arrays.allocator import ran_out
from gpugrad.arrays.devices import Device
from gpugrad.bench.case import Case
from gpugrad.bench.effort import Time
from gpugrad.bench.method import SETTLE, Column, Row, Spread, disagreement, interleaved, ratio, spreads

UNDECIDED = "undecided"
LATE = "no time was left"


class Measure(Protocol):
    """What :func:`gpugrad.bench.method.interleaved` is; tests measure without a clock."""

    def __call__(
        self, columns: Sequence[Column], *, rounds: int, burst: float, settle: float, trial: int, late: Callable[[], bool]
    ) -> Mapping[str, Sequence[float]]: ...


def rows(case: Case, devices: Sequence[Device], time: Time, *, measure: Measure = interleaved) -> Iterator[Row]:
    """A row for each size that the effort of `time` asks for, none if no device has this work."""
    having = [device for device in devices if device.type in case.devices]
    sizes = time.effort.sizes(case) if having else ()
    for size in sizes:
        first = size == sizes[0]
        yield _row_or_why_not(case, size, having, time, measure, first=first)
        time.reserved -= case.reserve if first else 0.0


def faster(row: Row) -> str:
    """The columns that are faster than the first, or the first if it is faster than all others, or "undecided".

    One is faster than another if its quartiles lie below. Nothing for less than two columns.
    """
    if len(row.figures) < 2:
        return ""
    (first, spread), *others = row.figures.items()
    winners = [name for name, other in others if other.below(spread)]
    if not winners and all(spread.below(other) for _, other in others):
        return first
    return ", ".join(winners) or UNDECIDED


def crossover(rows: Sequence[Row], ours: str, theirs: str) -> int | None:
    """The size from which on, at every larger one that was measured, `ours` is faster than `theirs`; None if there is none.

    Where the quartiles of the two overlap, and where they disagree, `ours` is not faster.
    """
    found = None
    for row in sorted((row for row in rows if row.void or row.figures), key=lambda row: row.size or 0, reverse=True):
        if row.void or not row.figures[ours].below(row.figures[theirs]):
            break
        found = row.size
    return found


def _row_or_why_not(case: Case, size: int, devices: Sequence[Device], time: Time, measure: Measure, *, first: bool) -> Row:
    """The row; or, as the others are measured all the same, one that says why there is none."""
    if time.left(first=first) <= 0:
        return _not_run(case, size, LATE)
    try:
        return _row(case, size, devices, time, measure, first=first)
    except Exception as error:
        text = " ".join(str(error).split())
        if isinstance(error, MemoryError) or ran_out(error):  # the first clause; what else holds memory is long
            return _not_run(case, size, text.partition(";")[0] or "out of memory")
        return _void(case, size, f"{type(error).__name__}: {text}")


def _row(case: Case, size: int, devices: Sequence[Device], time: Time, measure: Measure, *, first: bool) -> Row:
    works = {device: case.prepare(size, device) for device in devices}
    numbers: dict[str, list[float]] = {}
    for device, work in works.items():  # compiles what has to be compiled
        numbers[str(device)] = work.numbers()
        if time.left(first=first) <= 0:
            return _not_run(case, size, LATE)
    scale = max(1.0, *(abs(x) for x in numbers[str(devices[0])]))
    void = disagreement(numbers, case.tolerance * scale)
    if void:
        return _void(case, size, void)
    columns = [Column(str(device), work.step, waiting(device)) for device, work in works.items()]
    effort, rounds = time.effort, time.effort.rounds
    if time.limited:
        rounds = time.rounds([_once(column, time) for column in columns], first=first, reserve=case.reserve)
    if not rounds:
        return _not_run(case, size, LATE)
    seconds = measure(
        columns, rounds=rounds, burst=effort.burst, settle=SETTLE, trial=effort.trial, late=lambda: time.left(first=True) <= 0
    )
    if time.limited and len(next(iter(seconds.values()))) < effort.least:  # steps took longer than the one that was asked
        return _not_run(case, size, LATE)
    figures = spreads(seconds)
    ours, *others = figures
    comparisons = [ratio(seconds, ours, other) for other in others]
    return Row(case.name, case.label(size), "s", figures, comparisons, note=_rates(case, size, figures), size=size)


def _once(column: Column, time: Time) -> float:
    """About the seconds that a step takes, to tell how many there is time for."""
    start = time.clock()
    column.step()
    column.synchronize()
    return time.clock() - start


def waiting(device: Device) -> Callable[[], None]:
    """A function that waits until a GPU has finished; on the CPU there is nothing to wait for."""
    return (lambda: cuda.synchronize(device)) if device.type == "cuda" else (lambda: None)


def _rates(case: Case, size: int, figures: Mapping[str, Spread]) -> str:
    if case.moved is None:
        return ""
    moved = case.moved(size)
    return ", ".join(f"{name}: {moved / spread.median / 1e9:.3g} GB/s" for name, spread in figures.items() if spread.median)


def _not_run(case: Case, size: int, why: str) -> Row:
    return Row(case.name, case.label(size), note=f"not run: {why}", size=size)


def _void(case: Case, size: int, why: str) -> Row:
    return Row(case.name, case.label(size), void=why, size=size)


def crossovers(case: Case, found: Sequence[Row], devices: Sequence[Device]) -> list[dict[str, Any]]:
    """From which size each device but the first is faster than the first, for work of several sizes that the first has, too."""
    first, *others = devices
    if first.type not in case.devices or sum(bool(row.figures) for row in found) < 2:
        return []
    names = [str(device) for device in others if device.type in case.devices]
    return [{"case": case.name, "device": x, "against": str(first), "size": crossover(found, x, str(first))} for x in names]
