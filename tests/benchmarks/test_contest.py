"""Contests: what makes a row void, what is left out, what gpugrad is held to. Nothing here measures time."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gpugrad as gg

contest: Any
libraries: Any

PLACES = {"gpugrad": ("cpu", "cuda"), "CuPy by hand": ("cuda",)}
TIMES = {"gpugrad": 4.0, "PyTorch eager": 5.0, "JAX jit": 2.0, "NumPy by hand": 1.0}


@pytest.fixture(autouse=True)
def modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """The modules, every peer present, and the times above, for columns that have run as often as they would be measured."""
    global contest, libraries
    contest, libraries = (importlib.import_module(f"benchmarks.{name}") for name in ("contest", "libraries"))
    for name, library in libraries.LIBRARIES.items():
        present = dataclasses.replace(library, present=lambda device, name=name: device in PLACES.get(name, ("cpu",)))
        monkeypatch.setitem(libraries.LIBRARIES, name, dataclasses.replace(present, wait=lambda result: None))
    monkeypatch.setattr(contest, "interleaved", measured)


def measured(columns: list[Any], *, rounds: int, burst: float, turns: int = 1, often: Any = ()) -> dict[str, list[float]]:
    for column in columns:
        column.step()
        column.synchronize()
    return {column.name: [TIMES[column.name]] * rounds for column in columns}


def gives(*values: float) -> Callable[[Any, str], Callable[[], Any]]:
    """How to prepare a step that gives these values in turn."""

    def build(problem: Any, device: str) -> Callable[[], Any]:
        found = iter([*values, *[values[-1]] * 5])
        return lambda: np.asarray(next(found) + problem)

    return build


def made(columns: dict[str, Any], **options: Any) -> Any:
    return contest.Contest("case", "work", lambda: 1.0, columns, **options)


def test_a_target_is_a_ratio_to_the_fastest_of_those_it_names_that_are_there() -> None:
    columns = {name: gives(1.0) for name in TIMES}
    row = contest.timed(made(columns, targets=(contest.Target(1.0),)), "cpu", 3)
    assert row.comparisons[0].label == "gpugrad / fastest of PyTorch eager, JAX jit"
    assert (row.comparisons[0].spread.median, row.comparisons[0].verdict) == (2.0, "fail")
    others = {c.label: (c.spread.median, c.limit) for c in row.comparisons[1:]}
    assert others == {f"gpugrad / {name}": (4 / time, None) for name, time in list(TIMES.items())[1:]}
    assert row.figures["JAX jit"].median == 2e3
    assert set(row.first) == set(TIMES)

    del columns["JAX jit"]
    row = contest.timed(made(columns, targets=(contest.Target(1.0),)), "cpu", 3)
    assert [(c.label, c.limit) for c in row.comparisons] == [
        ("gpugrad / PyTorch eager", 1.0),
        ("gpugrad / NumPy by hand", None),
    ]


def test_a_row_whose_target_is_undecided_is_measured_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """With more turns for those that decide it; what was measured before is dropped, also where it is undecided again."""
    asked: list[tuple[int, set[str]]] = []
    ours = iter([[1.0, 2.5, 3.5], [1.0, 1.0, 1.0], [1.0, 2.5, 3.5], [1.5, 1.9, 3.0], [1.0, 1.0, 1.0]])

    def interleaved(columns: list[Any], *, turns: int = 1, often: Any = (), **_: Any) -> dict[str, list[float]]:
        asked.append((turns, set(often)))
        return {column.name: [TIMES[column.name]] * 3 for column in columns} | {"gpugrad": next(ours)}

    monkeypatch.setattr(contest, "interleaved", interleaved)
    columns = {name: gives(1.0) for name in TIMES}
    again = (contest.TURNS, {"gpugrad", "PyTorch eager", "JAX jit"})
    for verdict, median, calls in (("pass", 0.5, [(1, set()), again]), ("undecided", 0.95, [(1, set()), again])):
        row = contest.timed(made(columns, targets=(contest.Target(1.0),)), "cpu", 3)
        assert (row.comparisons[0].verdict, row.comparisons[0].spread.median, asked) == (verdict, median, calls)
        assert row.figures["gpugrad"].median == median * 2e3
        assert row.note == f"measured anew, in rounds of {contest.TURNS} turns"
        asked.clear()
    row = contest.timed(made(columns, targets=(contest.Target(1.0),)), "cpu", 3)
    assert (row.comparisons[0].verdict, row.note, asked) == ("pass", "", [(1, set())])


def test_a_row_is_void_unless_all_of_the_first_steps_agree() -> None:
    columns = {"gpugrad": gives(1.0, 2.0, 3.0), "PyTorch eager": gives(1.0, 2.0, 3.1)}
    assert contest.timed(made(columns, agree=2), "cpu", 3).void == ""
    row = contest.timed(made(columns, agree=3), "cpu", 3)
    assert row.void.startswith("PyTorch eager gave 4.1 and gpugrad 4 as number")
    assert not row.figures
    assert contest.timed(made(columns, agree=3, tolerance=0.2), "cpu", 3).void == ""


def test_a_peer_that_fails_is_left_out_and_said_to_be() -> None:
    def fails(problem: Any, device: str) -> Any:
        raise NotImplementedError("no such thing\nand more")

    row = contest.timed(made({"gpugrad": gives(1.0), "JAX jit": fails, "PyTorch eager": gives(1.0)}), "cpu", 3)
    assert list(row.figures) == ["gpugrad", "PyTorch eager"]
    assert row.note == "not run: JAX jit: NotImplementedError: no such thing"
    row = contest.timed(made({"gpugrad": fails, "PyTorch eager": gives(1.0)}), "cpu", 3)
    assert row.void == "gpugrad: NotImplementedError: no such thing"


def test_only_contests_that_want_the_threads_of_a_process_run_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest.machine, "cores", lambda: 2)
    monkeypatch.setattr(contest.machine, "threads", lambda: 2)
    assert made({}).thread_counts() == [2]
    assert made({}, threads=(1, 2, 8)).thread_counts() == [1, 2]
    assert made({}, threads=(8,)).thread_counts() == [2]


@pytest.mark.skipif(not gg.cuda.is_available(), reason="needs CuPy")
def test_on_a_gpu_columns_say_so_and_the_cpu_is_one_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """CuPy by hand and gpugrad compute the same losses as gpugrad on the CPU."""
    mlp = importlib.import_module("benchmarks.cases.mlp")
    names = {"gpugrad cuda": 1.0, "gpugrad cpu": 2.0, "CuPy by hand": 3.0}
    monkeypatch.setattr(contest, "interleaved", lambda columns, **_: {column.name: [names[column.name]] for column in columns})
    small = dataclasses.replace(mlp.CONTESTS[0], problem=mlp.CONTESTS[0].small)
    row = contest.timed(small, "cuda", 1)
    assert (row.void, row.note) == ("", "")
    assert list(row.figures) == list(names)
