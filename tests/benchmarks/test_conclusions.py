"""What a run says beside the reference: verdicts, sentences, and the command that measures and compares. Nothing is measured here."""

from __future__ import annotations

import contextlib
import importlib
import json
import types
from pathlib import Path
from typing import Any

import pytest

from gpugrad.bench.method import Comparison, Row, Spread


def module(name: str) -> Any:
    return importlib.import_module(f"benchmarks.{name}")


def ratio(against: str, median: float, spread: float = 0.1, limit: float | None = None) -> Comparison:
    return Comparison(f"gpugrad / {against}", Spread(median, median - spread / 2, median + spread / 2), limit)


def result(*rows: Row, threads: int = 2) -> dict[str, Any]:
    machine = {"cpu": "Some CPU 9000", "system": "Linux", "cores": threads, "threads": threads, "commit": "abc", "load": 0.1}
    about = {"date": "2026-01-01", "device": "cpu", "machine": machine, "versions": {"numpy": "2.4", "torch": "2.13"}}
    return {**about, "rows": [row.as_dict() for row in rows]}


def mlp(*comparisons: Comparison, work: str = "a step, 2 threads", case: str = "mlp", void: str = "") -> Row:
    return Row(case, work, "ms", {"gpugrad": Spread(1.0, 0.9, 1.1)}, comparisons, void=void)


@pytest.mark.parametrize(
    "median, spread, expected",
    [(0.5, 0.1, "ahead"), (2.0, 0.1, "behind"), (0.95, 0.1, "undecided"), (0.5, 0.6, "undecided"), (1.0, 0.0, "undecided")],
)
def test_a_verdict_needs_a_difference_larger_than_the_spread(median: float, spread: float, expected: str) -> None:
    assert (
        module("conclusions").verdict({"median": median, "low": median - spread / 2, "high": median + spread / 2}) == expected
    )


def test_only_ratios_to_others_are_conclusions() -> None:
    ours = Comparison("gpugrad / gpugrad unfused", Spread(0.5, 0.5, 0.5))
    excess, bare = (
        Comparison("gpugrad - bare call", Spread(1, 1, 1), 2.0, "us"),
        Comparison("gpugrad", Spread(1, 1, 1), 2.0, "ms"),
    )
    drawn = module("conclusions").drawn(result(mlp(ours, excess, bare, ratio("JAX jit", 0.5)))["rows"])
    assert [(key, conclusion.verdict) for key, conclusion in drawn.items()] == [
        (("mlp", "a step, 2 threads", "JAX jit"), "ahead")
    ]


def test_a_run_that_says_the_same() -> None:
    here, there = result(mlp(ratio("JAX jit", 0.5))), result(mlp(ratio("JAX jit", 0.6)))
    assert module("conclusions").sentences(here, there) == ["the same conclusion as docs/benchmarks.md in 1 of 1 comparisons"]


def test_what_differs_and_what_is_missing_has_a_line_each() -> None:
    here = result(mlp(ratio("JAX jit", 2.0), ratio("MyGrad", 0.5)))
    there = result(mlp(ratio("JAX jit", 0.5), ratio("PyTorch eager", 0.5)))
    assert module("conclusions").sentences(here, there) == [
        "the same conclusion as docs/benchmarks.md in 0 of 1 comparisons; different:",
        "  mlp, a step, 2 threads, against JAX jit: here behind, 2 (1.95 to 2.05); there ahead, 0.5 (0.45 to 0.55)",
        "not compared, as it was not measured there:",
        "  mlp, a step, 2 threads, against MyGrad: ahead, 0.5 (0.45 to 0.55)",
        "not compared, as it was not measured here:",
        "  mlp, a step, 2 threads, against PyTorch eager: ahead, 0.5 (0.45 to 0.55)",
    ]


def test_a_void_row_has_no_conclusions_and_is_told() -> None:
    conclusions = module("conclusions")
    here, there = result(mlp(ratio("JAX jit", 0.5), void="they differ")), result(mlp(ratio("JAX jit", 0.5)))
    assert conclusions.sentences(here, there) == [
        "the same conclusion as docs/benchmarks.md in 0 of 0 comparisons",
        "not compared, as it was not measured there:",
        "  mlp, a step, 2 threads: void, they differ",
        "not compared, as it was not measured here:",
        "  mlp, a step, 2 threads, against JAX jit: ahead, 0.5 (0.45 to 0.55)",
    ]
    assert "they differ" in conclusions.table(here, there)


def test_work_on_all_threads_is_the_same_work_on_other_machines() -> None:
    """But not work on as many threads as the other machine has, where there is a row of its own."""
    sentences = module("conclusions").sentences
    one = mlp(ratio("JAX jit", 2.0), work="a step, 1 thread")
    here = result(one, mlp(ratio("JAX jit", 0.5), work="a step, 8 threads"), threads=8)
    assert sentences(here, result(one, mlp(ratio("JAX jit", 0.5)))) == [
        "the same conclusion as docs/benchmarks.md in 2 of 2 comparisons"
    ]
    single = result(mlp(ratio("JAX jit", 0.5), work="a step, 1 thread"), threads=1)
    assert sentences(single, result(mlp(ratio("JAX jit", 0.5)))) == [
        "the same conclusion as docs/benchmarks.md in 1 of 1 comparisons"
    ]


def test_a_run_of_some_cases_is_compared_in_those() -> None:
    here, there = result(mlp(ratio("JAX jit", 0.5))), result(mlp(ratio("JAX jit", 0.5)), mlp(ratio("JAX jit", 0.5), case="gpt"))
    assert module("conclusions").sentences(here, there) == ["the same conclusion as docs/benchmarks.md in 1 of 1 comparisons"]


def test_the_command_compares_two_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [tmp_path / "here.json", tmp_path / "there.json"]
    for file in files:
        file.write_text(json.dumps(result(mlp(ratio("JAX jit", 0.5)))))
    assert module("conclusions").main([str(files[0]), "--reference", str(files[1])]) == 0
    assert capsys.readouterr().out.endswith("the same conclusion as docs/benchmarks.md in 1 of 1 comparisons\n")


class Suite:
    """`nox -s bench` where a run is made up: the calls of run.py, and how often the page was written."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.suite: Any = module("suite")
        self.file = folder / "some-cpu.json"
        self.result = result(*(mlp(ratio("JAX jit", 0.5), case=name) for name in self.suite.NAMES))
        self.code = 0
        self.calls: list[list[str]] = []
        self.pages = 0
        monkeypatch.setattr(self.suite, "_named_after_the_machine", lambda: self.file)
        monkeypatch.setattr(self.suite, "run", self.run)
        monkeypatch.setattr(self.suite.page, "main", self.page)

    def run(self, arguments: list[str]) -> int:
        self.calls.append(arguments)
        Path(arguments[-1]).write_text(json.dumps(self.result))
        return self.code

    def page(self) -> int:
        self.pages += 1
        return 0


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Suite:
    return Suite(tmp_path, monkeypatch)


def test_a_full_run_leaves_its_results_and_writes_the_page(bench: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.suite.main([]) == 0
    assert json.loads(bench.file.read_text()) == bench.result
    assert list(bench.file.parent.iterdir()) == [bench.file]
    assert bench.pages == 1
    assert "the same conclusion as docs/benchmarks.md in " in capsys.readouterr().out


def test_a_full_run_may_name_its_file(bench: Suite, tmp_path: Path) -> None:
    assert bench.suite.main(["--json", str(tmp_path / "mine.json")]) == 0
    assert (tmp_path / "mine.json").exists() and not bench.file.exists() and bench.pages == 1


def test_a_partial_run_leaves_the_page_and_says_so(bench: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    bench.result = result(mlp(ratio("JAX jit", 0.5)))
    assert bench.suite.main(["mlp", "--rounds", "3"]) == 0
    assert bench.calls[0][:4] == ["mlp", "--rounds", "3", "--json"]
    assert bench.pages == 0 and not bench.file.exists()
    assert "docs/benchmarks.md stays as it was" in capsys.readouterr().out


def test_a_missed_target_is_told_and_no_failure_but_a_void_row_is(bench: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    bench.code = 1
    bench.result = result(mlp(ratio("JAX jit", 2.0, limit=1.0)))
    assert bench.suite.main(["mlp"]) == 0
    assert (
        "Targets: 1 missed. Missed: `mlp` a step, 2 threads (gpugrad / JAX jit 2 (1.95 to 2.05), at most 1)"
        in capsys.readouterr().out
    )
    bench.result = result(mlp(void="they differ"))
    assert bench.suite.main(["mlp"]) == 1


def test_a_run_that_is_cut_short_is_no_result(bench: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    bench.code = 1
    bench.result["rows"].pop()
    assert bench.suite.main([]) == 2
    assert not bench.file.exists() and bench.pages == 0
    assert (
        f"cut short: no rows of {bench.suite.NAMES[-1]}; what there is stands in {bench.file}.part" in capsys.readouterr().err
    )


def test_a_run_that_cannot_be_gives_its_code(bench: Suite) -> None:
    bench.code = 2
    assert bench.suite.main(["no-such-case"]) == 2
    assert bench.pages == 0


def test_what_ctrl_c_ends_is_no_result(bench: Suite) -> None:
    bench.code = 130
    assert bench.suite.main([]) == 130
    assert not bench.file.exists() and bench.pages == 0


def test_ctrl_c_leaves_a_run_the_time_to_tell_what_it_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = module("suite")
    ends: list[Any] = [KeyboardInterrupt, 130]

    def wait() -> int:
        end = ends.pop(0)
        if end is KeyboardInterrupt:
            raise end
        return int(end)

    process = contextlib.nullcontext(types.SimpleNamespace(wait=wait))
    monkeypatch.setattr(suite.subprocess, "Popen", lambda command: process)
    assert suite.run(["mlp"]) == 130
    assert not ends


def test_the_page_alone_measures_nothing(bench: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.suite.main(["--page"]) == 0
    assert bench.pages == 1 and bench.calls == []
    with pytest.raises(SystemExit):
        bench.suite.main(["--page", "mlp"])
    assert "--page measures nothing and stands alone" in capsys.readouterr().err
