"""Cases on devices: the same numbers first, then times by turns; and from which size a device wins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gpugrad import cuda
from gpugrad.arrays.devices import Device
from gpugrad.bench.case import Case
from gpugrad.bench.method import BURST, SETTLE, Column, Row, Spread, disagreement, interleaved, ratio, spreads

UNDECIDED = "undecided"


class Measure(Protocol):
    """What :func:`gpugrad.bench.method.interleaved` is; tests measure without a clock."""

    def __call__(
        self, columns: Sequence[Column], *, rounds: int, burst: float, settle: float
    ) -> Mapping[str, Sequence[float]]: ...


@dataclass(frozen=True)
class Effort:
    """How much is measured: rounds, seconds for a column in a round, whether all sizes, and seconds after which no row is begun."""

    rounds: int = 15
    burst: float = BURST
    all_sizes: bool = True
    seconds: float = float("inf")

    def sizes(self, case: Case) -> Sequence[int]:
        """Those of the case that are measured."""
        return case.sizes if self.all_sizes else case.sizes[: case.quick]


FULL = Effort()
QUICK = Effort(rounds=5, burst=0.02, all_sizes=False, seconds=20.0)


def rows(
    case: Case,
    devices: Sequence[Device],
    effort: Effort = FULL,
    *,
    measure: Measure = interleaved,
    late: Callable[[], bool] = lambda: False,
) -> Iterator[Row]:
    """A row for each size, none if no device has this work. Once it is `late`, no row is measured any more."""
    having = [device for device in devices if device.type in case.devices]
    for size in effort.sizes(case) if having else ():
        if late():
            yield _not_run(case, size, "no time was left")
            continue
        try:
            yield _row(case, size, having, effort, measure)
        except MemoryError as error:
            yield _not_run(case, size, str(error) or "out of memory")
        except Exception as error:  # the other rows are measured all the same
            yield _void(case, size, f"{type(error).__name__}: {error}")


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


def _row(case: Case, size: int, devices: Sequence[Device], effort: Effort, measure: Measure) -> Row:
    works = {device: case.prepare(size, device) for device in devices}
    numbers = {str(device): work.numbers() for device, work in works.items()}
    largest = max((abs(x) for x in numbers[str(devices[0])]), default=0.0)
    void = disagreement(numbers, case.tolerance * max(1.0, largest))
    if void:
        return _void(case, size, void)
    columns = [Column(str(device), work.step, waiting(device)) for device, work in works.items()]
    seconds = measure(columns, rounds=effort.rounds, burst=effort.burst, settle=SETTLE)
    figures = spreads(seconds)
    first, *others = figures
    comparisons = [ratio(seconds, first, other) for other in others]
    return Row(case.name, case.label(size), "s", figures, comparisons, note=_rates(case, size, figures), size=size)


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
