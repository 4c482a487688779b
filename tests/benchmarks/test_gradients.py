"""The table of gradients as a page: docs/gradients.md is what the command writes, with what GPUs gave or without."""

from __future__ import annotations

import importlib
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from gpugrad.check import gradients
from gpugrad.check.backend import CUPY
from gpugrad.check.result import Result

ALL_YES = dict.fromkeys(gradients.DERIVATIVES, "yes")
GPU = {
    "date": "2026-01-01",
    "machine": {"gpu": {"name": "Some GPU 9000"}, "commit": "abc"},
    "versions": {"numpy": "2.4", "cupy-cuda12x": "14.2"},
}


@pytest.fixture
def writer() -> Any:
    return importlib.import_module("benchmarks.gradients")


def everything() -> gradients.Table:
    """The table where nothing is wrong."""
    rows = {n: ALL_YES | ({"complex VJP": "–"} if n in gradients.REAL_ONLY else {}) for n in gradients.FUNCTIONS}
    return rows | {n: {"zero": "yes"} for n in gradients.LOCALLY_CONSTANT} | {n: {"slope": "yes"} for n in gradients.SLOPE_ONE}


def test_the_page_in_docs_is_what_the_command_writes_where_all_is_right(writer: Any) -> None:
    text = writer.page(everything(), writer.newest(writer.RESULTS))
    assert writer.PAGE.read_text(encoding="utf-8") == text, "run `python -m nox -s gradients`, and see what is missing"


def row(text: str, name: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith(f"| `{name}` ")]
    return [cell.strip() for cell in line.split("|")[2:-1]]


def test_without_a_gpu_its_columns_say_not_run(writer: Any) -> None:
    text = writer.page(everything(), None)
    assert row(text, "atan2") == ["yes", "–", "yes", "yes", *["not run"] * 4] and row(text, "sign") == ["yes", "not run"]
    assert "| complex VJP  | 97 of 97   | not run |" in text and "| VJP          | 113 of 113 | not run |" in text
    assert "What is missing" not in text


def test_what_a_gpu_gave_stands_in_its_columns(writer: Any) -> None:
    there = everything()
    there["sum"] = there["sum"] | {"JVP": "no: off"}
    there["abs"] = dict.fromkeys(ALL_YES, "not run: the GPU was lost")
    text = writer.page(everything(), {**GPU, "gradients": there})
    assert row(text, "sum") == ["yes"] * 4 + ["yes", "yes", "yes", "no"]
    assert row(text, "abs") == ["yes"] * 4 + ["not run"] * 4
    assert "| JVP          | 113 of 113 | 111 of 113 |" in text
    assert "- `sum`, JVP, CuPy: no: off" in text and "- `abs`, VJP, CuPy: not run: the GPU was lost" in text
    assert "Some GPU 9000, 2026-01-01, numpy 2.4, cupy-cuda12x 14.2, commit abc." in text


def test_the_newest_results_of_a_gpu_are_taken(writer: Any, tmp_path: Path) -> None:
    assert writer.newest(tmp_path) is None
    for name, date, found in (("a", "2026-01-02", {"sum": {}}), ("b", "2026-01-01", {"sum": {}}), ("c", "2026-01-03", None)):
        (tmp_path / f"{name}.json").write_text(json.dumps({"date": date, "gradients": found}))
    (tmp_path / "cpu.json").write_text(json.dumps({"rows": []}))
    found = writer.newest(tmp_path)
    assert found is not None and found["date"] == "2026-01-02"


@pytest.mark.skipif(not CUPY.available, reason="needs CuPy")
def test_a_run_that_is_cut_short_leaves_what_it_found(writer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_short(backend: Any, report: Any) -> Any:
        for check in itertools.islice(gradients.checks(), 3):
            report(Result(check.kind, check.name, "pass"))
        raise KeyboardInterrupt

    monkeypatch.setattr(gradients, "table", cut_short)
    monkeypatch.setattr(writer, "WRITTEN", 3)
    with pytest.raises(KeyboardInterrupt):
        writer.main(["--device", "cuda", "--json", str(tmp_path / "found.json")])
    found = writer.newest(tmp_path)["gradients"]
    assert found["abs"] == ALL_YES | {"JVP": "not run"} and set(found["acos"].values()) == {"not run"}


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command looks at two functions alone."""
    whole = gradients.table
    monkeypatch.setattr(gradients, "table", lambda backend, report: whole(backend, report, ["sum", "max"]))


@pytest.mark.usefixtures("few")
def test_the_command_on_the_cpu_writes_the_page(writer: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert writer.main(["--page", str(tmp_path / "gradients.md")]) == 0
    text = (tmp_path / "gradients.md").read_text(encoding="utf-8")
    assert row(text, "max")[:4] == ["yes", "–", "yes", "yes"] and row(text, "min")[:4] == ["not run"] * 4
    assert capsys.readouterr().out == "VJP 2 of 2, complex VJP 1 of 1, second order 2 of 2, JVP 2 of 2\n"


@pytest.mark.usefixtures("few")
@pytest.mark.skipif(not CUPY.available, reason="needs CuPy")
def test_the_command_on_a_gpu_writes_results(writer: Any, tmp_path: Path) -> None:
    assert writer.main(["--device", "cuda", "--json", str(tmp_path / "found.json")]) == 0
    found = writer.newest(tmp_path)
    assert found is not None and found["machine"]["gpu"]["name"] and found["versions"]["gpugrad"]
    assert found["gradients"]["sum"] == ALL_YES and found["summary"].startswith("VJP 2 of 2, ")


@pytest.mark.skipif(CUPY.available, reason="has CuPy")
def test_the_command_without_a_gpu(writer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert writer.main(["--device", "cuda"]) == 2
    assert capsys.readouterr().err.startswith("gradients.py: ")
