"""The same work in several libraries: checked to be the same, then measured in turn, in a process of its own.

A case that is a contest is a module in cases/ with a tuple ``CONTESTS``. Each contest has a row for the time and, if asked for, one for
the most memory in use, which is measured in further processes (peak_memory.py). Caches of compiled code are empty at the beginning.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from benchmarks import machine, peak_memory
from benchmarks.apart import apart
from benchmarks.libraries import FASTEST, GPUGRAD, LIBRARIES, PYTORCH
from gpugrad.bench import method
from gpugrad.bench.method import Column, Comparison, Row, disagreement, excess, interleaved, numbers, ratio_to_fastest, spreads

Step = Callable[[], Any]
"""The work, once. What it returns, arrays or numbers of its library, has to be the same in every library."""

Build = Callable[[Any, str], Step]
"""From the problem and a device to the step."""

BURST = 0.15
"""Seconds for which a column is measured in a round."""

TURNS = 9
"""How often columns are measured in a round where a target was undecided: what was measured before is dropped, whatever comes out."""

SCALES = {"s": 1.0, "ms": 1e3, "us": 1e6}
"""Units in a second."""


@dataclass(frozen=True)
class Target:
    """The most that gpugrad may take, as a multiple of the fastest of `against`, of those that are installed."""

    limit: float
    against: Sequence[str] = FASTEST


@dataclass(frozen=True)
class Limit:
    """The most that gpugrad may take, in the contest's unit; or, with `over`, the most that it may take longer than that column.

    None sets no target: what every column takes longer is told all the same.
    """

    limit: float | None
    over: str = ""


@dataclass(frozen=True)
class Contest:
    """Work for several libraries.

    :param case: the name of the case.
    :param work: a line on what is done, and to what.
    :param problem: makes what all libraries are given, as NumPy arrays, the same in every call.
    :param columns: how each library prepares its step, by the names in libraries.py; gpugrad comes first.
    :param targets: for the CPU. `device_targets` are those for a GPU, of columns as they are named there.
    :param tolerance: how far numbers of the results may be apart.
    :param agree: how many steps' results have to agree before anything is timed.
    :param compared: what of a result has to be the same.
    :param repeats: how often a step repeats the work, for what is too short to be called through a function.
    :param unit: of the times: ms or us.
    :param memory_limit: how many times as much memory as PyTorch it may take on the CPU; None: memory is not measured.
    :param small: a problem whose steps make a library load what it needs, before memory is measured.
    :param threads: the numbers of threads it is measured with, as far as there are as many cores; none: that of the run.
    :param size: what grows from contest to contest, where something does.
    """

    case: str
    work: str
    problem: Callable[[], Any]
    columns: Mapping[str, Build]
    targets: Sequence[Target | Limit] = ()
    device_targets: Sequence[Target | Limit] = ()
    tolerance: float = 1e-4
    agree: int = 1
    compared: Callable[[Any], Any] = lambda result: result
    repeats: int = 1
    unit: str = "ms"
    memory_limit: float | None = None
    small: Callable[[], Any] | None = None
    threads: Sequence[int] = ()
    size: int | None = None

    def thread_counts(self) -> Sequence[int]:
        """The numbers of threads it is measured with here."""
        return [count for count in self.threads if count <= machine.cores()] or [machine.threads()]


def run(module: ModuleType, device: str, rounds: int, case: str = "") -> list[Row]:
    """The rows of a module's contests, or of those of one case: times, then memory."""
    name = module.__name__.removeprefix("benchmarks.")
    contests = _of_case(name, case)
    counts = sorted({count for contest in contests.values() for count in contest.thread_counts()})
    found = [row for count in counts for row in apart("contest", rounds, (count,), name, device, case)]
    for i, contest in contests.items():
        if contest.memory_limit is not None:
            work = f"{contest.work}, peak memory"
            arguments = ("contest", name, str(i))
            found.append(peak_memory.measured(contest.case, work, device, rounds, contest.memory_limit, *arguments))
    return found


def rows(rounds: int, name: str, device: str, case: str) -> list[Row]:
    """The times of those contests of ``benchmarks.<name>`` that want as many threads as this process has, of a case if one is named."""
    contests = _of_case(name, case).values()
    return [timed(contest, device, rounds) for contest in contests if machine.threads() in contest.thread_counts()]


def _of_case(name: str, case: str) -> dict[int, Contest]:
    """The contests of ``benchmarks.<name>`` by their places, all of them or those of a case."""
    contests: Sequence[Contest] = importlib.import_module(f"benchmarks.{name}").CONTESTS
    return {i: contest for i, contest in enumerate(contests) if case in ("", contest.case)}


def timed(contest: Contest, device: str, rounds: int, burst: float = BURST) -> Row:
    """The row of a contest, void unless all results agree; a peer that cannot do the work is left out, which the row says."""
    problem = contest.problem()
    steps: dict[str, tuple[Step, Callable[[Any], None]]] = {}
    results: dict[str, list[float]] = {}
    first: dict[str, float] = {}
    notes = []
    for column, library, place in _columns(contest, device):
        try:
            start = time.perf_counter()
            step = contest.columns[library](problem, place)
            result = step()
            LIBRARIES[library].wait(result)
            first[column] = time.perf_counter() - start
            found = numbers(contest.compared(result))  # before another step, which may use its memory again
            for _ in range(contest.agree - 1):
                found += numbers(contest.compared(step()))
            results[column] = found
        except Exception as error:  # a peer's, whatever it may be: the others are compared all the same
            told = f"{column}: {type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
            if library == GPUGRAD:
                return Row(contest.case, contest.work, void=told, size=contest.size)
            notes.append(f"not run: {told}")
            continue
        steps[column] = step, LIBRARIES[library].wait
    void = disagreement(results, contest.tolerance)
    if void:
        return Row(contest.case, contest.work, void=void, size=contest.size, first=first)
    waited = [_column(name, step, wait, contest.repeats) for name, (step, wait) in steps.items()]
    seconds = interleaved(waited, rounds=rounds, burst=burst)
    targets = contest.targets if device == "cpu" else contest.device_targets
    comparisons = _comparisons(contest, targets, seconds)
    if device == "cpu" and any(comparison.verdict == "undecided" for comparison in comparisons):
        seconds = interleaved(waited, rounds=rounds, burst=burst, turns=TURNS, often=_deciding(targets, list(seconds)))
        comparisons = _comparisons(contest, targets, seconds)
        notes.append(f"measured anew, in rounds of {TURNS} turns")
    note = "; ".join(notes)
    figures = spreads(seconds, SCALES[contest.unit])
    return Row(contest.case, contest.work, contest.unit, figures, comparisons, note=note, size=contest.size, first=first)


def _comparisons(
    contest: Contest, targets: Sequence[Target | Limit], seconds: Mapping[str, Sequence[float]]
) -> list[Comparison]:
    """What the columns give together: the targets, and the ratio to each peer."""
    scale = SCALES[contest.unit]
    ours, *others = seconds
    found: list[Comparison] = []
    for target in targets:
        if isinstance(target, Target):
            present = [name for name in others if name in target.against]
            if present:
                found.append(ratio_to_fastest(seconds, ours, present, target.limit))
        elif not target.over:
            found.append(Comparison(ours, spreads(seconds, scale)[ours], target.limit, contest.unit))
        elif target.over in others:
            found += [
                excess(seconds, name, target.over, target.limit if name == ours else None, scale=scale, unit=contest.unit)
                for name in seconds
                if name != target.over
            ]
    told_of = {comparison.label for comparison in found}
    plain = [ratio_to_fastest(seconds, ours, [name]) for name in others]
    return [*found, *(comparison for comparison in plain if comparison.label not in told_of)]


def _deciding(targets: Sequence[Target | Limit], columns: Sequence[str]) -> set[str]:
    """The columns on which it depends whether a target is met."""
    named = {name for target in targets for name in (target.against if isinstance(target, Target) else (target.over,))}
    return {columns[0], *named.intersection(columns)}


def side_by_side(
    case: str, work: str, steps: Mapping[str, Step], limits: Mapping[str, float], *, rounds: int, tolerance: float
) -> Row:
    """The row of steps that are prepared, on the CPU, by the names of their libraries, gpugrad's first.

    `limits` says how many times as long as one of them gpugrad may take.
    """
    columns: dict[str, Build] = {name: lambda problem, device, step=step: step for name, step in steps.items()}
    targets = [Target(limit, (name,)) for name, limit in limits.items()]
    return timed(Contest(case, work, lambda: None, columns, targets, tolerance=tolerance), "cpu", rounds, method.BURST)


def _columns(contest: Contest, device: str) -> list[tuple[str, str, str]]:
    """The name of each column, its library and its device; gpugrad on a GPU is compared with the CPU of the same machine, too."""
    found = [(LIBRARIES[name].column(device), name, device) for name in contest.columns if LIBRARIES[name].present(device)]
    if device != "cpu":
        found.insert(1, (f"{GPUGRAD} cpu", GPUGRAD, "cpu"))
    return found


def _column(name: str, step: Step, wait: Callable[[Any], None], repeats: int) -> Column:
    """The column; the last result of a burst is what is waited for."""
    last: list[Any] = [None]

    def kept() -> None:
        last[0] = step()

    return Column(name, kept, lambda: wait(last[0]), repeats)


def for_memory(library: str, device: str, name: str, index: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """What peak_memory.py runs to warm a library up, and what it measures: the work from its preparation to its fifth step."""
    contest: Contest = importlib.import_module(f"benchmarks.{name}").CONTESTS[int(index)]
    build = contest.columns[GPUGRAD if library == "gpugrad" else PYTORCH]
    small = build((contest.small or contest.problem)(), device)
    problem = contest.problem()

    def steps() -> None:
        step = build(problem, device)
        for _ in range(5):
            numbers(contest.compared(step()))

    return lambda: numbers(contest.compared(small())), steps
