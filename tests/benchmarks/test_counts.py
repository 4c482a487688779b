"""The guard on the hot paths: what they call, allocate and launch is what is stored. And the counters count, and would tell."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpugrad.families import TABLES

STANDIN = os.environ.get("GPUGRAD_TEST_STANDIN") == "1"
CPU = os.environ.get("GPUGRAD_TEST_BACKENDS") != "cupy"
FEW = {"step": {"calls": 10, "arrays": 2}}


def module(name: str) -> Any:
    return importlib.import_module(f"benchmarks.{name}")


@pytest.mark.parametrize(
    "part",
    [
        pytest.param("cpu", marks=pytest.mark.skipif(not CPU, reason="counted in the run that is not of CuPy alone")),
        pytest.param("stand-in", marks=pytest.mark.skipif(not STANDIN, reason="counted with GPUGRAD_TEST_STANDIN=1")),
    ],
)
def test_the_hot_paths_do_what_they_did(part: str) -> None:
    counts = module("counts")
    stored = counts.stored()
    found, left_out = counts.counted(part)
    told = counts.differences(stored[part], found, complete=not left_out)
    assert not told, "\n".join([f"the stored counts are of {stored['versions']}", *told])
    if left_out:
        pytest.skip(left_out)


def test_what_is_stored_are_the_workloads() -> None:
    stored, workloads = module("counts").stored(), module("workloads")
    assert set(stored["cpu"]) == {*workloads.RECORDED, *workloads.PLAIN, *workloads.COMPILED}
    assert set(stored["stand-in"]) == set(workloads.STANDIN)


# The comparison -----------------------------------------------------------------------------------------------------


def test_one_call_more_is_told() -> None:
    (told,) = module("counts").differences(FEW, {"step": {"calls": 11, "arrays": 2}})
    assert told == (
        "step: 11 calls, stored 10: find what costs more, or, if it has to, store it with `python -m benchmarks.counts --write`."
    )


def test_one_call_less_is_told() -> None:
    (told,) = module("counts").differences(FEW, {"step": {"calls": 9, "arrays": 2}})
    assert told == "step: 9 calls, stored 10: improved, store it with `python -m benchmarks.counts --write`."


@pytest.mark.parametrize(("now", "sentences"), [(970, 0), (1000, 0), (1030, 0), (969, 1), (1031, 1)])
def test_many_calls_may_vary_a_little(now: int, sentences: int) -> None:
    assert len(module("counts").differences({"step": {"calls": 1000}}, {"step": {"calls": now}})) == sentences


@pytest.mark.parametrize(
    ("found", "complete", "beginning"),
    [
        ({**FEW, "other": {"calls": 1}}, True, "other: 1 calls, none stored;"),
        ({"step": {"calls": 10}}, True, "step: arrays stored and no longer counted;"),
        ({}, True, "step: all stored and no longer counted;"),
        ({}, False, ""),
    ],
)
def test_other_workloads_than_the_stored_ones_are_told(found: Any, complete: bool, beginning: str) -> None:
    told = module("counts").differences(FEW, found, complete=complete)
    assert [sentence.startswith(beginning) for sentence in told] == [True] * bool(beginning)


@pytest.mark.parametrize("workload", ["op of two operands", "chain of 20 ops, forward and backward"])
def test_a_slower_engine_is_told(workload: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more call for each op."""
    workloads, count = module("workloads"), module("counters").calls
    step = (workloads.RECORDED | workloads.PLAIN)[workload]()
    step()
    before = count(step)
    for name in ("multiply", "add", "sin", "tanh"):
        kernel = TABLES[name][np.ndarray]
        monkeypatch.setitem(TABLES[name], np.ndarray, lambda *operands, kernel=kernel: kernel(*operands))
    told = module("counts").differences({workload: before}, {workload: count(step)})
    assert [sentence.partition(" calls, stored ")[0] for sentence in told] == [
        f"{workload}: {before['calls'] + (1 if workload.startswith('op') else 20)}"
    ]


# The counters -------------------------------------------------------------------------------------------------------


def test_calls_are_those_of_functions() -> None:
    def other() -> None:
        len("abc")

    def step() -> None:
        [other() for _ in range(2)]
        sum(i for i in (1, 2))  # the generator goes on twice and ends

    assert module("counters").calls(step) == {"calls": 5, "C calls": 3}


def test_calls_in_numpy_and_in_folders_that_are_left_out_are_not_counted() -> None:
    x, count = np.ones(3), module("counters").calls
    assert count(lambda: np.linalg.norm(x)) == {"calls": 0, "C calls": 0}
    assert count(lambda: len(x))["C calls"] == 1
    assert count(lambda: len(x), str(Path(__file__).parent))["C calls"] == 0


def test_arrays_are_those_that_numpy_allocates() -> None:
    def step() -> None:
        x = np.empty(100, np.uint8)
        x = np.zeros(10, np.uint8)  # while the other lives
        x[2:4].reshape(2, 1)
        np.empty(50, np.uint8)

    assert module("counters").arrays(step) == {"arrays": 3, "peak bytes": 110}


def test_what_a_step_replaces_makes_room() -> None:
    kept = []

    def step() -> None:
        kept.clear()
        kept.append(np.empty(100, np.uint8))

    counters = module("counters")
    assert counters.arrays(step) == {"arrays": 1, "peak bytes": 100}
    kept[0].resize(1000, refcheck=False)  # and lives on afterwards, as any array
    assert kept.pop().size == 1000


def test_blocks_are_those_that_stay() -> None:
    assert module("counters").held(lambda: (object(), object(), [object() for _ in range(5)].clear())) == {"blocks held": 3}


# The command --------------------------------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, counting nothing, and storing in a file of its own."""
    counts = module("counts")
    monkeypatch.setattr(counts, "FILE", tmp_path / "counts.json")
    monkeypatch.setattr(counts, "counted", lambda part: (FEW, ""))
    return counts


def test_counts_are_stored_and_compared(command: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    assert command.main([]) == 1
    assert command.main(["--write"]) == 0
    stored = json.loads(command.FILE.read_text())
    assert stored == {"versions": stored["versions"], "cpu": FEW, "stand-in": FEW}
    assert stored["versions"]["numpy"] == np.__version__
    assert command.main([]) == 0
    monkeypatch.setattr(command, "counted", lambda part: ({"step": {"calls": 10, "arrays": 3}}, ""))
    capsys.readouterr()
    assert command.main([]) == 1
    printed = capsys.readouterr().out
    assert "      calls  arrays\nstep     10  2 -> 3\n" in printed
    assert printed.count("step: 3 arrays, stored 2: find what costs more") == 2


def test_part_of_the_counts_is_not_stored(command: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(command, "counted", lambda part: ({}, "no compiler"))
    assert command.main(["--write"]) == 2
    assert not command.FILE.exists()
    assert "nothing is stored: no compiler" in capsys.readouterr().out
