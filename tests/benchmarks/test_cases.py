"""What the cases of benchmarks/ compare computes the same, and how rows of other processes come back. Nothing here measures time."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.bench import method
from gpugrad.compile import build
from gpugrad.testing import assert_close

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is compiled here is kept here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPUGRAD_CACHE_DIR", str(tmp_path_factory.mktemp("kernels")))
        build._forget()
        yield
        build._forget()


@pytest.fixture
def without_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch and JAX have tests of their own, and take seconds to import."""
    for name in ("torch", "jax"):
        monkeypatch.setattr(module("peers"), name, lambda device="cpu": None)


def module(name: str) -> Any:
    return importlib.import_module(f"benchmarks.{name}")


def test_the_cases_are_those_that_can_be_named() -> None:
    assert tuple(module("cases").CASES) == module("run").NAMES


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rounds", "1"], "--rounds is 1, expected at least 3: fewer have no quartiles, and so no verdict"),
        (["--threads", "0"], "--threads is 0, expected at least 1"),
        (["nonsense"], "unknown case 'nonsense', expected some of op, chain"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module("machine"), "with_threads", lambda *given: pytest.fail("it began"))
    with pytest.raises(SystemExit) as ended:
        module("run").main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(module("cases").CASES, "op", lambda device, rounds: pytest.fail("it was measured"))
    given = argparse.Namespace(cases=["op"], device="cpu", json=tmp_path, rounds=3)
    assert module("run")._run(given) == 2
    assert f"benchmarks: cannot write {str(tmp_path)!r}" in capsys.readouterr().err


def test_ctrl_c_leaves_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(device: str, rounds: int) -> list[Any]:
        raise KeyboardInterrupt

    monkeypatch.setitem(module("cases").CASES, "op", lambda device, rounds: [method.Row("op", "some work")])
    monkeypatch.setitem(module("cases").CASES, "chain", interrupted)
    file = tmp_path / "results.json"
    assert module("run")._run(argparse.Namespace(cases=["op", "chain", "deep"], device="cpu", json=file, rounds=3)) == 130
    assert [row["work"] for row in json.loads(file.read_text())["rows"]] == ["some work"]
    assert "some work" in capsys.readouterr().out


def test_no_column_takes_minutes_for_a_step() -> None:
    _, ring, _ = module("cases.einsum").CONTESTS
    assert "HIPS autograd" not in ring.columns and len(ring.columns) == 3


def test_the_readme_of_the_results_says_where_every_case_runs() -> None:
    readme = (ROOT / "benchmarks" / "results" / "README.md").read_text(encoding="utf-8")
    table = readme.partition("## What is measured on which device")[2].partition("##")[0]
    lines = [line.split("|")[1:-1] for line in table.splitlines() if line.startswith("| `")]
    where = {name.strip(" `"): (cpu.strip(), gpu.strip()) for names, _, cpu, gpu in lines for name in names.split(",")}
    assert sorted(where) == sorted(module("run").NAMES)
    without = {name for name, (_, gpu) in where.items() if not gpu}
    for name in without:
        assert all(row.note.startswith("not run: ") for row in module("cases").CASES[name]("cuda", 3)), name
    assert {name for name, (cpu, _) in where.items() if not cpu} == {"bandwidth", "gemm"}


@pytest.mark.parametrize("case", ["bandwidth", "gemm"])
def test_what_needs_a_gpu_is_not_run_without_one(case: str) -> None:
    (row,) = module("cases").CASES[case]("cpu", 3)
    assert not row.failed
    assert row.note.startswith("not run: it needs a GPU")


@pytest.mark.parametrize("case", ["call", "kernels", "adam", "optimizers", "deep", "compile", "import", "size"])
def test_what_concerns_the_cpu_alone_is_not_run_on_a_gpu(case: str) -> None:
    (row,) = module("cases").CASES[case]("cuda", 3)
    assert not row.failed
    assert "not run" in row.note and "--device cpu" in row.note


def measured_in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns take 1 s, 2 s, and so on."""

    def interleaved(columns: list[Any], *, rounds: int, burst: float) -> dict[str, list[float]]:
        return {column.name: [1.0 + number] * rounds for number, column in enumerate(columns)}

    monkeypatch.setattr(module("contest"), "interleaved", interleaved)


@pytest.mark.usefixtures("without_peers")
@pytest.mark.parametrize("name", ["kernels", "fused_adam"])
def test_columns_of_a_row_compute_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyTorch and JAX: what is written by hand is right, and no row is void."""
    case = module(f"cases.{name}")
    if name != "kernels":
        monkeypatch.setattr(case, "SIZE", 2000)
    measured_in_no_time(monkeypatch)
    rows = case.rows(3)
    assert [row.void for row in rows] == [""] * len(rows)
    assert all(row.figures["gpugrad"].median == 1e3 for row in rows)


def small(contest: Any) -> Any:
    """The contest in a size that takes no time, between gpugrad and those who need no imports of seconds."""
    columns = {name: build for name, build in contest.columns.items() if name in ("gpugrad", "HIPS autograd", "NumPy by hand")}
    return dataclasses.replace(contest, problem=contest.small or contest.problem, columns=columns)


@pytest.mark.parametrize(
    "name", ["op", "chain", "tiny", "black_scholes", "gaussian_process", "hvp", "einsum", "checkpointing", "layers"]
)
def test_columns_of_a_contest_compute_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    contest = module("contest")
    measured_in_no_time(monkeypatch)
    for one in module(f"cases.{name}").CONTESTS:
        row = contest.timed(small(one), "cpu", 3)
        assert (row.void, row.note) == ("", "")
        assert row.figures["gpugrad"].median == {"ms": 1e3, "us": 1e6}[one.unit]


def test_limits_are_of_gpugrad_alone_or_of_what_it_takes_longer_than_a_column(monkeypatch: pytest.MonkeyPatch) -> None:
    contest = module("contest")
    measured_in_no_time(monkeypatch)
    by_hand = "NumPy by hand"
    limits = (contest.Limit(2.0), contest.Limit(0.5, by_hand), contest.Limit(3.0, "not there"))
    one = dataclasses.replace(small(module("cases.chain").CONTESTS[0]), targets=limits, unit="ms", repeats=1)
    columns = {name: build for name, build in one.columns.items() if name != by_hand}
    row = contest.timed(dataclasses.replace(one, columns={**columns, by_hand: one.columns[by_hand]}), "cpu", 3)
    found = [(c.label, c.spread.median, c.limit, c.unit) for c in row.comparisons]
    last = 1e3 * len(row.figures)
    assert found[:2] == [("gpugrad", 1e3, 2.0, "ms"), (f"gpugrad - {by_hand}", 1e3 - last, 0.5, "ms")]
    assert [c.label for c in row.comparisons if c.limit is not None] == ["gpugrad", f"gpugrad - {by_hand}"]


@pytest.mark.parametrize("name", ["width", "depth", "batch", "tensors", "graph"])
def test_the_smallest_size_of_a_series_is_measured(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    contest = module("contest")
    measured_in_no_time(monkeypatch)
    smallest = next(module("cases.growth").SERIES[name]())
    row = contest.timed(small(smallest), "cpu", 3)
    assert (row.void, row.note, row.size) == ("", "", smallest.size)
    assert row.figures["gpugrad"].median == 1e3


def test_rows_say_from_which_size_on_jax_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    case = module("cases.growth")
    monkeypatch.setattr(case.contest, "timed", lambda one, *arguments: method.Row(one.case, one.work, size=one.size))
    noted = {row.size for row in case.rows(3, "graph", "cpu") if row.note == case.WITHOUT_JAX}
    assert noted == {one.size for one in case.graph() if "JAX jit" not in one.columns} == {1024, 4096}
    assert not any(row.note for row in case.rows(3, "width", "cpu"))


def test_the_product_is_that_of_the_hessian() -> None:
    hvp = module("cases.hvp")
    for given in (hvp.logistic(8, 4), hvp.rosenbrock(6)):
        function = functools.partial(lambda given, x: given.function(gg, x, *given.data), given)
        (product,) = hvp.with_gpugrad(given, "cpu")()
        assert_close(product, gg.hessian(function)(given.primals[0]) @ given.tangents[0])


def test_formulas_have_the_value_that_numpy_gives() -> None:
    for contest in module("cases.einsum").CONTESTS:
        formula = contest.small()
        value, gradients = module("formulas").with_gpugrad(formula, "cpu")()
        assert_close(value, formula.function(np, *formula.operands), rtol=1e-5)
        assert [g.shape for g in gradients] == [x.shape for x in formula.operands]


def test_checkpoints_change_no_gradient() -> None:
    case = module("cases.checkpointing")
    (loss, kept), (again, anew) = (case.with_gpugrad(contest.small(), "cpu")() for contest in case.CONTESTS)
    assert loss.item() == again.item()
    assert all(np.array_equal(g.numpy(), h.numpy()) for g, h in zip(kept, anew, strict=True))


def test_the_result_of_a_step_is_read_before_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which may write into the same memory."""
    contest = module("contest")
    measured_in_no_time(monkeypatch)

    def counting(start: float) -> Callable[[Any, str], Callable[[], Any]]:
        def build(problem: Any, device: str) -> Callable[[], Any]:
            kept = np.asarray([start])

            def step() -> Any:
                kept[:] = kept * 0 + 2 if kept[0] > 1 else kept + 1
                return kept

            return step

        return build

    one = contest.Contest("case", "work", lambda: None, {"gpugrad": counting(0.0), "NumPy by hand": counting(1.0)}, agree=3)
    assert contest.timed(one, "cpu", 3).void.startswith("NumPy by hand gave 2 and gpugrad 1 as number 1 of 6")


def test_the_size_on_disk_grows_with_what_is_required() -> None:
    case = module("cases.installed_size")
    alone, whole = case.run("cpu", 3)
    assert 1 < alone.figures["gpugrad"].median < 10
    assert all(whole.figures[name].median >= alone.figures[name].median for name in alone.figures)
    assert case.requirements(["NumPy>=2.1", "nothing-of-this-name; python_version<'3'", "pytest; extra == 'dev'"]) == {"numpy"}
    (row,) = case.run("cuda", 3)
    assert "not run" in row.note


def test_imports_are_timed_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    case = module("cases.import_time")
    monkeypatch.setattr(case, "PROCESSES", 2)
    monkeypatch.setattr(case, "MODULES", {"gpugrad": "gpugrad", "SciPy": "scipy", "Nobody": "no_such_module"})
    seen: list[str] = []

    def imported(name: str, environment: Any) -> list[float]:
        seen.append(name)
        return [0.1, float(len(seen))]

    monkeypatch.setattr(case, "_imported", imported)
    (row,) = case.run("cpu", 3)
    assert seen == ["gpugrad", "scipy"] * 3
    assert {name: spread.median for name, spread in row.figures.items()} == {"gpugrad": 4e3, "SciPy": 5e3, "NumPy": 100.0}
    assert [comparison.label for comparison in row.comparisons] == ["gpugrad", "gpugrad / SciPy"]


@pytest.mark.usefixtures("without_peers")
def test_every_optimizer_has_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    case = module("cases.optimizers")
    monkeypatch.setattr(case, "SHAPE", (4, 5))
    measured_in_no_time(monkeypatch)
    rows = case.rows(3)
    assert [row.work.removesuffix(", 400 parameters in 20 tensors") for row in rows] == list(case.OPTIMIZERS)
    assert [(row.void, row.figures["gpugrad"].median) for row in rows] == [("", 1e3)] * len(rows)


@pytest.mark.usefixtures("without_peers")
def test_optimizers_have_times_then_peaks_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    case = module("cases.optimizers")
    monkeypatch.setattr(case, "apart", lambda name, rounds, threads: [method.Row(name, f"{threads}")])
    monkeypatch.setattr(case, "measured", lambda name, work, *arguments: method.Row(arguments[-1], work))
    time, *memory = case.run("cpu", 3)
    assert time.work == "(2,)"
    assert [row.case for row in memory] == list(case.MEMORY)
    assert set(case.MEMORY) <= set(case.OPTIMIZERS)


def test_the_memory_of_an_optimizer_is_that_of_parameters_gradients_and_state() -> None:
    """Not of what the parameters were in before the first step, nor of arrays that come and go."""
    command = [sys.executable, "-m", "benchmarks.peak_memory", "cases.optimizers", "gpugrad", "cpu", "Adam"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    peak, how = done.stdout.split(" ", 1)
    if "VmHWM" in how:
        assert 16e6 * 0.9 < int(peak) < 16e6 * 1.15


@pytest.mark.parametrize("name", ["conv2d", "lstm", "gpt"])
def test_a_layer_can_be_run_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    contest = module("contest")
    monkeypatch.setattr(contest.machine, "threads", lambda: 2)
    monkeypatch.setattr(contest, "apart", lambda name, rounds, threads, *arguments: contest.rows(rounds, *arguments))
    monkeypatch.setattr(contest, "timed", lambda one, *arguments: method.Row(one.case, one.work))
    monkeypatch.setattr(contest.peak_memory, "measured", lambda case, work, *arguments: method.Row(case, work))
    time, memory = module("cases").PARTS[f"layers.{name}"]("cpu", 3)
    assert time.case == memory.case == f"layers.{name}"
    assert (time.work.rpartition(", ")[2], memory.work.rpartition(", ")[2]) == ("forward + backward", "peak memory")
    assert [row.case for row in module("cases").CASES["layers"]("cpu", 3)] == [
        f"layers.{one}" for _ in range(2) for one in ("conv2d", "lstm", "gpt")
    ]


def test_the_memory_of_a_layer_is_measured_in_its_own_process() -> None:
    """Where nothing has been freed that it could use again."""
    command = [sys.executable, "-m", "benchmarks.peak_memory", "contest", "gpugrad", "cpu", "cases.layers", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    peak, how = done.stdout.split(" ", 1)
    assert int(peak) > (64 * 64 * 28 * 28 * 4 if "VmHWM" in how else -1)  # at least the result


def test_a_row_is_void_if_a_column_computes_something_else() -> None:
    steps: dict[str, Callable[[], Any]] = {"gpugrad": lambda: np.ones(3), "NumPy by hand": lambda: np.asarray([1.0, 1.0, 1.1])}
    row = module("contest").side_by_side("case", "work", steps, {}, rounds=1, tolerance=1e-3)
    assert row.void.startswith("NumPy by hand gave 1.1 and gpugrad 1 as number 3 of 4")


def test_rows_of_another_process_come_back_with_their_number_of_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = module("apart")
    row = method.Row("case", "work", "ms", {"gpugrad": method.Spread(1.0, 0.9, 1.1)})
    seen = []

    def run(name: str, rounds: int, threads: int) -> list[Any]:
        seen.append((name, rounds, threads))
        return [row]

    monkeypatch.setattr(apart, "_run", run)
    found = apart.apart("kernels", 5, (1, 2))
    assert [r.work for r in found] == ["work, 1 thread", "work, 2 threads"]
    assert found[0].figures == row.figures
    assert seen == [("kernels", 5, 1), ("kernels", 5, 2)]


def test_a_case_that_fails_in_its_process_is_a_void_row() -> None:
    (row,) = module("apart").apart("no_such_case", 1, (1,))
    assert row.failed
    assert "no_such_case" in row.void


def test_first_uses_all_run() -> None:
    uses = module("cases.compile_time").first_uses()
    assert next(iter(uses)) == module("cases.compile_time").FIRST
    assert len(uses) == 10
    for step in uses.values():
        step()
