"""docs/benchmarks.md and the figures of README.md are what page.py makes of the committed results, and what it makes of made-up ones."""

from __future__ import annotations

import importlib
import json
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gpugrad.bench.method import Comparison, Row, Spread, not_run

ROOT = Path(__file__).resolve().parents[2]
AGAIN = "run `python -m nox -s bench -- --page`, which writes it from benchmarks/results"


def module(name: str) -> Any:
    return importlib.import_module(f"benchmarks.{name}")


@pytest.fixture(scope="module")
def committed() -> Any:
    page = module("page")
    return page.Results.read(ROOT / page.FOLDER)


def test_the_page_is_what_the_results_give(committed: Any) -> None:
    page = module("page")
    text = page.page(committed, module("pictures").pictures(committed.reference["rows"]))
    assert (ROOT / page.PAGE).read_text(encoding="utf-8") == text, AGAIN


def test_the_figures_in_the_readme_are_what_the_results_give(committed: Any) -> None:
    speed = module("speed")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    text = speed.block(committed.reference, module("pictures").pictures(committed.reference["rows"]))
    assert readme == speed.written(readme, text), AGAIN


def test_every_row_is_on_the_page_and_every_command_names_cases(committed: Any) -> None:
    tables = module("tables")
    text = (ROOT / module("page").PAGE).read_text(encoding="utf-8")
    rows = [row for row in committed.reference["rows"] if not tables.not_run(row)]
    assert rows and all(f"| {tables.cell(row['work'])} |" in text for row in rows)
    commands = [
        line.partition("bench -- ")[2].rstrip("`:") for line in text.splitlines() if line.startswith("Measured anew by")
    ]
    assert commands and {case for command in commands for case in command.split()} <= set(module("run").NAMES)


def row(case: str, work: str = "some work", unit: str = "ms", *comparisons: Comparison, **fields: Any) -> Row:
    figures = {"gpugrad": Spread(2.0, 1.9, 2.1), "JAX jit": Spread(4.0, 3.9, 4.1)}
    return Row(case, work, unit, fields.pop("figures", figures), comparisons, **fields)


def ratio(median: float, limit: float | None = None, against: str = "JAX jit") -> Comparison:
    return Comparison(f"gpugrad / {against}", Spread(median, median - 0.05, median + 0.05), limit)


def run(*rows: Row, cpu: str = "Some CPU 9000") -> dict[str, Any]:
    machine = {"cpu": cpu, "system": "Linux", "cores": 2, "threads": 2, "load": 0.1, "blas": "some-blas", "commit": "abc123"}
    about = {"date": "2026-01-01", "device": "cpu", "machine": machine, "versions": {"numpy": "2.4", "jax": "0.10"}}
    return {**about, "rows": [found.as_dict() for found in rows]}


Made = Callable[..., str]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """The page of made-up results, other files beside them by name."""

    def text(*rows: Row, **others: dict[str, Any]) -> str:
        for name, content in {"cpu": run(*rows), **others}.items():
            (tmp_path / f"{name}.json").write_text(json.dumps(content))
        results = module("page").Results.read(tmp_path)
        return str(module("page").page(results, module("pictures").pictures(results.reference["rows"])))

    return text


def section(text: str, title: str) -> str:
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_page_says_where_it_was_measured(made: Made) -> None:
    line = section(made(row("mlp")), "Where").splitlines()[3]
    for fact in (
        "[cpu.json](../benchmarks/results/cpu.json)",
        "2026-01-01",
        "Some CPU 9000",
        "some-blas",
        "abc123",
        "jax 0.10",
    ):
        assert fact in line


def test_rows_are_in_the_tables_of_their_groups(made: Made) -> None:
    text = made(
        row("mlp", "a step", "ms", ratio(0.5, 1.0)), row("mlp", "a step, peak memory", "MiB", ratio(0.5)), row("hvp"), row("import"),
        row("unheard.of"),
    )  # fmt: skip
    assert (
        "| `mlp` | a step | 2 ms (1.9 to 2.1) | JAX jit | 4 ms (3.9 to 4.1) | 0.5 (0.45 to 0.55) | ahead | at most 1: met |"
        in section(text, "Training steps")
    )
    assert "| `mlp` | a step, peak memory | 2 MiB (1.9 to 2.1) |" in section(text, "Memory")
    assert "`hvp`" in section(text, "Derivatives") and "`import`" in section(text, "Import and size")
    assert "`unheard.of`" in section(text, "Other")
    assert "## Layers" not in text
    assert "Measured anew by `python -m nox -s bench -- mlp`:" in section(text, "Training steps")


def test_missed_targets_come_first_and_in_the_readme(made: Made) -> None:
    rows = [
        row("mlp", "kept", "ms", ratio(0.5, 1.0)),
        row("mlp", "lost", "ms", ratio(2.0, 1.0)),
        row("gpt", "close", "ms", ratio(1.0, 1.0)),
    ]
    lines = section(made(*rows), "Targets").strip().splitlines()
    assert lines[0] == "1 missed, 1 undecided, 1 met."
    assert [line.rpartition("| ")[2] for line in lines[4:]] == ["missed |", "undecided |", "met |"]
    assert "Missed: `mlp` lost (gpugrad / JAX jit 2 (1.95 to 2.05), at most 1)." in module("speed").block(run(*rows))


def test_a_void_row_has_no_figures(made: Made) -> None:
    voided = Row("mlp", "a step", void="JAX jit gave 2 | 3")
    text = made(voided, row("mlp", "another"))
    assert "| `mlp` | a step | void: JAX jit gave 2 \\| 3 |  |  |  | void |  |" in section(text, "Training steps")
    assert "rows that are void: 1." in text and section(text, "Targets").strip().startswith("1 void.")
    assert "| mlp: a step |  | void: JAX jit gave 2 \\| 3 |" in module("speed").block(run(voided))


def test_differences_and_bare_figures_have_no_verdict(made: Made) -> None:
    excess = Comparison("gpugrad - JAX jit", Spread(1.0, 0.9, 1.1), 2.0, "us")
    bare = Comparison("gpugrad", Spread(2.0, 1.9, 2.1), 1.0, "us")
    text = section(made(row("op", "f(x)", "us", excess, bare)), "Engine overhead")
    assert "| JAX jit | 4 us (3.9 to 4.1) | +1 us (0.9 to 1.1) |  | at most 2 us: met |" in text
    assert "|  |  |  |  |  | 2 us (1.9 to 2.1) |  | at most 1 us: missed |" in text


def test_growth_has_a_table_and_a_picture_per_case_with_what_fits(made: Made) -> None:
    law = Comparison("gpugrad / JAX jit", Spread(0.5, 0.4, 0.6), unit="per layer")
    figures = {"gpugrad": Spread(3.0, 2.9, 3.2), "JAX jit": Spread(6.0, 5.9, 6.2)}
    rows = [row("growth.width", f"width {n}", "ms", ratio(0.5), size=n) for n in (8, 16)]
    text = section(made(*rows, row("growth.width", "cost", "us", law, figures=figures, size=None)), "How cost grows")
    assert "### By width" in text and "](benchmarks/growth-width.svg)" in text
    assert "| `growth.width` | width 8 | 2 ms (1.9 to 2.1) | 4 ms (3.9 to 4.1); ratio 0.5 (0.45 to 0.55) |" in text
    assert "| `growth.width` | cost | 3 us (2.9 to 3.2) | 6 us (5.9 to 6.2); ratio 0.5 (0.4 to 0.6) |" in text


def test_first_steps_are_compile_time(made: Made) -> None:
    text = section(made(row("mlp", "a step", "ms", first={"gpugrad": 0.25, "JAX jit": 1.5})), "Compile time")
    assert "| case | work | gpugrad | JAX jit |" in text and "| `mlp` | a step | 0.25 s | 1.5 s |" in text


def test_what_did_not_run_is_listed_and_nothing_else_is_said_of_it(made: Made) -> None:
    text = made(row("mlp"), not_run("gemm", "it needs a GPU"))
    assert section(text, "Not run on this machine").strip() == "- `gemm`: it needs a GPU"
    assert text.count("gemm`") == 1


def test_notes_stand_below_the_table_once(made: Made) -> None:
    text = section(made(row("mlp", "a", note="as usual"), row("gpt", "b", note="as usual"), row("cnn", "c")), "Training steps")
    assert text.strip().endswith("- a; b: as usual")


def test_without_a_gpu_its_targets_are_not_run(made: Made) -> None:
    text = section(made(row("mlp")), "On a GPU")
    assert text.strip().startswith("No GPU has run this yet.") and "| memory of that step | not run |  |" in text


def test_results_of_a_gpu_are_told(made: Made) -> None:
    gpu = {
        "date": "2026-01-02", "machine": {"gpu": {"name": "Some GPU 9000"}, "commit": "abc"}, "versions": {"cupy": "14.2"},
        "parts": {"check": {"status": "passed", "seconds": 1, "detail": "1834 passed"}}, "step": None,
        "bench": {"rows": [row("gemm", "a product", "ms", ratio(1.0, 1.5)).as_dict()]},
    }  # fmt: skip
    text = made(row("mlp"), gpu=gpu, counts={"versions": {}}, gradients={"machine": {}, "gradients": {}})
    there = section(text, "On a GPU")
    assert "### Some GPU 9000" in there and "No GPU has run" not in text
    assert "| every op, rule and kernel computes what the CPU does | 1834 passed | pass |" in there and "a product" in there
    assert "counts.json" not in text and "gradients.json" not in text


def test_other_machines_are_held_to_the_reference(made: Made) -> None:
    text = section(
        made(row("mlp", "a", "ms", ratio(0.5)), other=run(row("mlp", "a", "ms", ratio(2.0)), cpu="Other CPU")),
        "On other machines",
    )
    assert "### Other CPU, other.json" in text
    assert "the same conclusion as cpu.json in 0 of 1 comparisons; different:" in text and "here behind, 2 " in text


def test_without_the_reference_the_command_says_what_writes_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no results in benchmarks/results/cpu\.json, which `python -m nox -s bench"):
        _ = module("page").Results.read(tmp_path).reference


def test_a_readme_without_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="README.md has no place for the tables"):
        module("speed").written("# A readme\n", "text")


def test_writing_replaces_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page, the pictures, what stands between the marks; a picture of what is no longer measured goes."""
    page, speed = module("page"), module("speed")
    drawing: Any = types.ModuleType("benchmarks.drawing")
    drawing.draw = lambda picture: f"<svg>{picture.title}</svg>"
    monkeypatch.setitem(sys.modules, "benchmarks.drawing", drawing)
    (tmp_path / page.FOLDER).mkdir(parents=True)
    (tmp_path / page.FOLDER / "cpu.json").write_text(json.dumps(run(row("mlp", "a step", "ms", ratio(0.5)))))
    (tmp_path / page.PICTURES).mkdir(parents=True)
    (tmp_path / page.PICTURES / "old.svg").write_text("old")
    (tmp_path / "README.md").write_text(f"before\n{speed.BEGIN}\nold\n{speed.END}\nafter\n")
    written = page.write(tmp_path)
    assert {path.as_posix() for path in written} == {"docs/benchmarks.md", "docs/benchmarks/training.svg", "README.md"}
    assert [path.name for path in (tmp_path / page.PICTURES).iterdir()] == ["training.svg"]
    readme = (tmp_path / "README.md").read_text()
    assert (
        readme.startswith(f"before\n{speed.BEGIN}\nFrom ")
        and readme.endswith(f"\n{speed.END}\nafter\n")
        and "\nold\n" not in readme
    )
    assert page.write(tmp_path) == written and (tmp_path / "README.md").read_text() == readme
