"""Rows, void rows and crossovers, by a measure without a clock."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

import gpugrad as gg
from gpugrad.arrays.devices import CPU, Device, import_cupy
from gpugrad.bench import compare, mlp, ops, report
from gpugrad.bench.case import Case, Work
from gpugrad.bench.compare import UNDECIDED, crossover, crossovers, faster, rows
from gpugrad.bench.effort import FULL, QUICK, Time
from gpugrad.bench.method import Column, Row, Spread

OTHER = Device("cuda", 1)
COPIES = {"to the GPU", "from pinned", "to the CPU"}
SMALL = {"matmul": 8, "conv2d": 1, "conv2d gradient": 1, "take": 8, "take gradient": 8}
TRAINING = dict.fromkeys(("MLP step", "CNN step", "GPT step", "LSTM step"), 2)


def small(case: Case) -> int:
    """A size for a test."""
    return TRAINING.get(case.name) or SMALL.get(case.name, 4096 if case.name in COPIES else 1024)


def once(columns: Sequence[Column], **_: Any) -> dict[str, list[float]]:
    """Each step once and nothing timed: the n-th column takes n seconds."""
    for column in columns:
        column.step()
        column.synchronize()
    return {column.name: [i + 1.0] * 3 for i, column in enumerate(columns)}


def case(numbers: Mapping[str, list[float]], **options: Any) -> Case:
    """Work that gives these numbers on these devices."""
    return work(lambda _, device: Work(lambda: None, lambda: numbers[str(device)]), **options)


def work(prepare: Any, **options: Any) -> Case:
    """A case of two sizes."""
    return Case("work", "nothing", "elements", (1, 2), (2, 1), prepare, **options)


@pytest.fixture(autouse=True)
def without_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cases of these tests compute nothing, so the devices need not exist."""
    monkeypatch.setattr(compare, "waiting", lambda device: lambda: None)


def row(size: int, cpu: tuple[float, float, float], cuda: tuple[float, float, float]) -> Row:
    return Row("case", str(size), "s", {"cpu": Spread(*cpu), "cuda:1": Spread(*cuda)}, size=size)


LOSES, TIES, WINS = ((1.0, 0.9, 1.1), (3.0, 2.9, 3.1)), ((1.0, 0.9, 1.2), (1.1, 1.0, 1.3)), ((3.0, 2.9, 3.1), (1.0, 0.9, 1.1))


def test_a_row_has_a_figure_for_each_device_and_ratios_to_the_first() -> None:
    found = list(rows(case({"cpu": [1.0], "cuda:1": [1.00001]}), [CPU, OTHER], Time(FULL), measure=once))
    assert [r.size for r in found] == [1, 2]
    assert {name: spread.median for name, spread in found[0].figures.items()} == {"cpu": 1.0, "cuda:1": 2.0}
    (comparison,) = found[0].comparisons
    assert (comparison.label, comparison.spread.median, faster(found[0])) == ("cpu / cuda:1", 0.5, "cpu")
    assert [faster(r) for r in rows(case({"cpu": [1.0]}), [CPU], Time(FULL), measure=once)] == ["", ""]


@pytest.mark.parametrize(
    ("cpu", "cuda", "void"),
    [
        ([1.0, 2.0], [1.0, 2.001], "cuda:1 gave 2.001 and cpu 2 as number 2 of 2"),
        ([1.0], [math.nan], "cuda:1 gave nan and cpu 1 as number 1 of 1"),
        ([1.0], [1.0, 2.0], "cuda:1 gave 2 numbers and cpu 1"),
        ([1e6], [1e6 + 50], ""),  # relative to the largest
    ],
)
def test_devices_that_disagree_are_not_timed(cpu: list[float], cuda: list[float], void: str) -> None:
    def never(columns: Sequence[Column], **_: Any) -> Any:
        assert not void
        return once(columns)

    for found in rows(case({"cpu": cpu, "cuda:1": cuda}), [CPU, OTHER], Time(FULL), measure=never):
        assert found.void.startswith(void) and found.failed == bool(void) == (not found.figures)


def test_work_is_measured_where_it_exists() -> None:
    """A transfer has no column for the CPU, and no rows without a GPU."""
    copying = case({"cuda:1": [1.0]}, devices=("cuda",), moved=lambda size: size * 2 * 10**9)
    found = list(rows(copying, [CPU, OTHER], Time(FULL), measure=once))
    assert [list(r.figures) for r in found] == [["cuda:1"]] * 2
    assert [r.note for r in found] == ["cuda:1: 2 GB/s", "cuda:1: 4 GB/s"]
    assert not list(rows(copying, [CPU], Time(FULL), measure=once))
    assert crossovers(copying, found, [CPU, OTHER]) == []


@pytest.mark.parametrize(
    ("error", "note", "void"),
    [
        (MemoryError("too much"), "not run: too much", ""),
        (gg.OutOfMemoryError("cuda:0 is out of memory; the largest tensors are"), "not run: cuda:0 is out of memory", ""),
        (ValueError("wrong\n  at all"), "", "ValueError: wrong at all"),
    ],
)
def test_a_row_that_fails_leaves_the_others(error: Exception, note: str, void: str) -> None:
    def prepare(size: int, _: Device) -> Work:
        if size == 1:
            raise error
        return Work(lambda: None, lambda: [1.0])

    first, second = rows(work(prepare), [CPU], Time(FULL), measure=once)
    assert (first.note, first.void) == (note, void) and second.figures


def clock(*times: float) -> Any:
    """A clock that shows these times, then the last of them."""
    left = list(times)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def test_once_it_is_late_nothing_is_measured() -> None:
    late = Time(QUICK, 0.4, end=10.0, clock=clock(10.0))
    for row in rows(case({"cpu": [1.0]}), [CPU], late, measure=once):
        assert not row.figures and row.note == "not run: no time was left" and not row.failed


def test_what_was_compiled_may_leave_no_time() -> None:
    numbers: list[int] = []
    compiled = work(lambda size, _: Work(lambda: pytest.fail("a step was run"), lambda: [numbers.append(size) or 1.0]))  # type: ignore[func-returns-value]
    found = list(rows(compiled, [CPU], Time(QUICK, 0.0, end=10.0, clock=clock(0.0, 11.0)), measure=once))
    assert [row.note for row in found] == ["not run: no time was left"] * 2 and numbers == [2]


@pytest.mark.parametrize(("rounds", "measured"), [(2, False), (3, True)])
def test_rounds_that_take_longer_than_was_thought_are_cut(rounds: int, measured: bool) -> None:
    """Fewer than the least of them give no row."""
    now = 0.0

    def slow(columns: Sequence[Column], *, late: Any, **_: Any) -> dict[str, list[float]]:
        nonlocal now
        now = 9.0
        seconds = []
        while not late():
            now += 1.0 / rounds
            seconds.append(1.0)
        return {column.name: seconds for column in columns}

    first, _ = rows(case({"cpu": [1.0]}), [CPU], Time(QUICK, 0.0, end=10.0 - 1e-9, clock=lambda: now), measure=slow)
    assert bool(first.figures) == measured and bool(first.note) != measured


def test_every_case_has_a_row_before_one_has_two() -> None:
    """Of 3 s, cases to come need 2.5: the first size is measured, the second is not."""
    left = Time(QUICK, 2.9, end=3.0, clock=clock(0.1))
    first, second = rows(case({"cpu": [1.0]}, reserve=0.4), [CPU], left, measure=once)
    assert (first.size, second.size) == (2, 1) and left.reserved == pytest.approx(2.5)
    assert first.figures and second.figures  # 2.9 s are left, and 2.5 are reserved
    first, second = rows(case({"cpu": [1.0]}, reserve=0.4), [CPU], Time(QUICK, 4.0, end=3.0, clock=clock(0.1)), measure=once)
    assert first.figures and not second.figures


@pytest.mark.parametrize(
    ("figures", "expected", "size"),
    [
        ((LOSES, WINS, WINS), "cpu cuda:1 cuda:1", 20),
        ((WINS, WINS, WINS), "cuda:1 cuda:1 cuda:1", 10),
        ((LOSES, LOSES, LOSES), "cpu cpu cpu", None),
        ((WINS, TIES, WINS), f"cuda:1 {UNDECIDED} cuda:1", 30),  # not faster at every size from 10 on
        ((LOSES, WINS, TIES), f"cpu cuda:1 {UNDECIDED}", None),
    ],
)
def test_the_crossover_is_where_a_device_begins_to_win_for_good(figures: Any, expected: str, size: int | None) -> None:
    found = [row(10 * (i + 1), *pair) for i, pair in enumerate(figures)]
    assert " ".join(map(faster, found)) == expected
    assert crossover(found, "cuda:1", "cpu") == size
    assert crossovers(case({}), found, [CPU, OTHER]) == [{"case": "work", "device": "cuda:1", "against": "cpu", "size": size}]


@pytest.mark.parametrize(
    ("spreads", "expected"),
    [
        ([(3.0, 2.9, 3.1), (1.0, 0.9, 1.1), (1.0, 0.9, 1.1)], "b, c"),
        ([(3.0, 2.9, 3.1), (1.0, 0.9, 1.1), (3.0, 2.9, 3.1)], "b"),
        ([(1.0, 0.9, 1.1), (3.0, 2.9, 3.1), (4.0, 3.9, 4.1)], "a"),
        ([(1.0, 0.9, 1.1), (1.1, 1.0, 1.2), (4.0, 3.9, 4.1)], UNDECIDED),
    ],
)
def test_of_several_devices_those_that_beat_the_first_are_faster(spreads: Any, expected: str) -> None:
    figures = {name: Spread(*spread) for name, spread in zip("abc", spreads, strict=True)}
    assert faster(Row("case", "work", "s", figures)) == expected


def test_a_void_row_shows_no_win_and_one_that_did_not_run_shows_nothing() -> None:
    wins = [row(10, *LOSES), row(20, *WINS), row(30, *WINS)]
    assert crossover([*wins, Row("case", "40", void="they differ", size=40)], "cuda:1", "cpu") is None
    assert crossover([*wins, Row("case", "40", note="not run: no time was left", size=40)], "cuda:1", "cpu") == 20
    assert crossovers(case({}), wins[:1], [CPU, OTHER]) == []  # one size is no series


@pytest.mark.parametrize("each", [*ops.CASES, *mlp.CASES], ids=lambda each: each.name)
def test_every_case_computes_on_the_cpu(each: Case) -> None:
    work = each.prepare(small(each), CPU)
    first = work.numbers()
    assert first and all(map(math.isfinite, first))
    assert each.prepare(small(each), CPU).numbers() == pytest.approx(first, abs=1e-6)  # what every device gets
    work.step()


GPU = pytest.mark.skipif(not gg.cuda.is_available(), reason="needs CuPy")


@GPU
@pytest.mark.parametrize("each", report.CASES, ids=lambda each: each.name)
def test_every_case_agrees_on_a_gpu_and_its_step_does_not_wait(each: Case) -> None:
    cupy = import_cupy()
    seen: dict[str, Any] = {}

    def counted(columns: Sequence[Column], **_: Any) -> dict[str, list[float]]:
        for column in columns:
            if not hasattr(cupy, "standin"):
                column.step()
                continue
            with cupy.standin.counting() as seen[column.name]:
                column.step()
        return {column.name: [1.0] for column in columns}

    last = Device("cuda", gg.cuda.device_count() - 1)
    (found,) = rows(
        replace(each, sizes=(small(each),)),
        [CPU, last],
        Time(FULL),
        measure=counted,
    )
    assert not found.void and list(found.figures) == ([str(last)] if each.devices == ("cuda",) else ["cpu", str(last)])
    if seen:
        reading = each.name == "to the CPU"
        assert bool(seen[str(last)].host_reads) == reading, seen[str(last)].reads
