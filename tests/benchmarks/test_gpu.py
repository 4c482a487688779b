"""The one command for a GPU, on a machine without one: what it starts, what it writes, and what it says where nothing ran."""

from __future__ import annotations

import importlib
import json
import platform
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gpugrad as gg
from gpugrad.arrays.devices import import_cupy

ROOT = Path(__file__).resolve().parents[2]
INFO = {
    "date": "2026-01-01",
    "machine": {"gpu": {"name": "Some GPU 9000", "driver": "1"}, "commit": "abc"},
    "versions": {"python": "3.11"},
}
STEP = {
    "losses": {},
    "apart": 2e-6,
    "void": "",
    "peak": 2**20,
    "launches": {"gpugrad": {"kernels": 9}, "PyTorch": {"kernels": 40}},
}
CHECK = {"summary": "330 of 330 compute right on Some GPU 9000"}
GRADIENTS = {"summary": "VJP 113 of 113", "gradients": {"sum": {"VJP": "yes"}}}
TRAINED = (
    "epoch   1  loss {loss}  train accuracy 90.00%  test accuracy 91.00%\ntest accuracy {accuracy}% on {device} after 1.0 s\n"
)


def module(name: str) -> Any:
    return importlib.import_module(f"benchmarks.{name}")


def comparison(label: str, median: float, verdict: str, limit: float | None = 1.25) -> dict[str, Any]:
    spread = {"median": median, "low": median, "high": median}
    return {"label": label, "spread": spread, "limit": limit, "unit": "", "verdict": verdict}


def row(case: str, *comparisons: dict[str, Any], void: str = "") -> dict[str, Any]:
    return {"case": case, "work": case, "unit": "ms", "figures": {}, "comparisons": comparisons, "void": void, "note": ""}


BENCH = {
    "rows": [
        row("bandwidth", comparison("gpugrad / copy of as many bytes", 1.1, "pass")),
        row("bandwidth", comparison("gpugrad / copy of as many bytes", 1.6, "fail")),
        row("gemm", comparison("gpugrad cuda / CuPy", 1.01, "pass", 1.03)),
        row(
            "mlp",
            comparison("gpugrad cuda / gpugrad cpu", 0.1, "", None),
            comparison("gpugrad cuda / PyTorch cuda", 0.65, "pass", 0.7),
        ),
    ]
}


# The tables ---------------------------------------------------------------------------------------------------------


def test_where_no_gpu_ran_the_readme_says_not_run() -> None:
    lines = module("targets").lines()
    assert {measured for _, measured, _ in lines[1:]} == {"not run"}
    if not [file for file in (ROOT / "benchmarks" / "results").glob("*.json") if file.name != "cpu.json"]:
        assert module("report").markdown(lines) in (ROOT / "benchmarks" / "results" / "README.md").read_text(encoding="utf-8")


def test_targets_take_the_worst_of_what_was_measured() -> None:
    lines = [
        line[1:]
        for line in module("targets").lines(BENCH["rows"], STEP, {"check": {"status": "passed", "detail": "all right"}})
    ]
    assert ["all right", "pass"] in lines and ["at most 2e-06 apart", "pass"] in lines
    assert ["0.625", "fail"] in lines  # 1 / 1.6 of the copy's bandwidth
    assert ["1.01", "pass"] in lines and ["0.65", "pass"] in lines
    assert ["9 kernels; PyTorch: 40 kernels", "pass"] in lines and ["1.0 MiB at the most", ""] in lines


def test_what_was_not_counted_or_is_void_is_no_success() -> None:
    step = {
        **STEP,
        "launches": {"gpugrad": "not counted: RuntimeError: x", "PyTorch": {"kernels": 4}},
        "void": "GPU gave 2 and CPU 1",
    }
    lines = {line[0]: line[1:] for line in module("targets").lines([row("gemm", void="they differ")], step)}
    assert lines["launches of that step: no more than PyTorch's"] == ["not counted: RuntimeError: x; PyTorch: 4 kernels", ""]
    assert ["void: they differ", "fail"] in lines.values()
    assert lines["first ten losses with a fixed seed within 1e-4 of the CPU's"][1] == "fail"


@pytest.mark.parametrize(
    ("loss", "accuracy", "same"),
    [("0.5", "97.2", True), ("0.505", "96.1", True), ("0.6", "97.2", False), ("0.5", "94.0", False)],
)
def test_losses_and_accuracy_of_two_runs(loss: str, accuracy: str, same: bool) -> None:
    found, line = module("main_job").compare(
        TRAINED.format(loss=loss, accuracy=accuracy, device="cuda"), TRAINED.format(loss="0.5", accuracy="97.2", device="cpu")
    )
    assert found is same and "test accuracy" in line


# The command --------------------------------------------------------------------------------------------------------


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """In place of processes: each part writes what it would. Maps names of parts to their commands, or to how they are to end."""
    gpu, commands = module("gpu"), {}
    outputs = {"info": INFO, "check": CHECK, "gradients": GRADIENTS, "step": STEP, "bench": BENCH}

    def run(name: str, command: list[str], log: Path, limit: float, environment: Any, cwd: Path) -> Any:
        status = commands.get(name, "passed")
        commands[name] = command
        if name in outputs:
            Path(command[-1]).write_text(json.dumps(outputs[name]))
        text = (
            TRAINED.format(loss="0.5", accuracy="97.2", device=name)
            if name.startswith("train")
            else "3 passed in 1.0s\non CuPy: 2 passed\n"
        )
        return gpu.Outcome(name, status, "", 1.0, text)

    monkeypatch.setattr(gpu, "run", run)
    monkeypatch.setattr(gpu._Session, "importable", lambda self, name: True)
    return commands


def test_all_parts_run_and_are_written_down(
    started: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "results" / "found.json"
    assert module("gpu").main(["--out", str(tmp_path / "out"), "--json", str(copy)]) == 0
    assert list(started) == ["info", "check", "gradients", "step", "tests", "train-cuda", "train-cpu", "gpt", "bench"]
    assert started["check"][1:6] == ["-m", "gpugrad", "check", "--device", "cuda"]
    found = json.loads(copy.read_text())
    assert found == json.loads((tmp_path / "out" / "some-gpu-9000.json").read_text())
    assert (
        {part["status"] for part in found["parts"].values()} == {"passed"}
        and found["step"] == STEP
        and found["gradients"] == GRADIENTS["gradients"]
        and found["date"] == "2026-01-01"
    )
    text = copy.with_suffix(".md").read_text()
    assert text.strip() in capsys.readouterr().out
    for part in (
        "# Some GPU 9000, 2026-01-01",
        "python 3.11",
        CHECK["summary"],
        "VJP 113 of 113",
        "on CuPy: 2 passed",
        "| 0.625 ",
    ):
        assert part in text


def test_a_part_that_fails_does_not_stop_the_others(started: dict[str, Any], tmp_path: Path) -> None:
    started["check"] = "failed"
    copy = tmp_path / "found.json"
    assert module("gpu").main(["--out", str(tmp_path), "--json", str(copy)]) == 1
    parts = json.loads(copy.read_text())["parts"]
    assert parts["check"]["status"] == "failed" and parts["bench"]["status"] == "passed"


def test_parts_that_nobody_asked_for_are_not_run(started: dict[str, Any], tmp_path: Path) -> None:
    copy = tmp_path / "found.json"
    assert module("gpu").main(["--out", str(tmp_path), "--json", str(copy), "--parts", "step"]) == 0
    assert list(started) == ["info", "step"]
    found = json.loads(copy.read_text())
    assert found["parts"]["tests"]["status"] == "not run" and found["bench"] is None


def test_without_time_a_part_is_not_run(started: dict[str, Any], tmp_path: Path) -> None:
    copy = tmp_path / "found.json"
    assert module("gpu").main(["--out", str(tmp_path), "--json", str(copy), "--budget", "1"]) == 2
    assert not copy.exists() and not started


def test_results_that_cannot_be_written_are_refused_before_anything_runs(
    started: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    for copy in (tmp_path, tmp_path / "file" / "found.json"):
        assert module("gpu").main(["--out", str(tmp_path / "out"), "--json", str(copy)]) == 2
        assert capsys.readouterr().err.startswith("gpu.py: nothing was run: results cannot be written: ")
    assert not started


def test_wheels_of_what_is_missing_are_put_on_the_path(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()

    def wheel(name: str, tag: str, module: str) -> None:
        with zipfile.ZipFile(wheels / f"{name}-1.0-{tag}.whl", "w") as archive:
            archive.writestr(f"{module}/__init__.py", "")

    wheel("pure", "py3-none-any", "no_such_module_pure")
    wheel("native", f"cp38-abi3-manylinux_2_17_{platform.machine()}", "no_such_module_native")
    wheel("foreign", "cp38-abi3-win_other", "no_such_module_foreign")
    wheel("numpy", "py3-none-any", "numpy")
    found = module("gpu")._wheels(wheels, tmp_path / "unpacked")
    assert sorted(path.name.partition("-")[0] for path in found) == ["native", "pure"]
    assert (
        tmp_path / "unpacked" / next(p.name for p in found if p.is_dir()) / "no_such_module_native" / "__init__.py"
    ).exists()
    assert all(module("gpu")._holds(path, f"no_such_module_{path.name.partition('-')[0]}") for path in found)


# A training step ----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not gg.cuda.is_available(), reason="needs CuPy")
def test_a_step_looked_at_closely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step, problem = module("step"), module("cases.mlp").problem
    monkeypatch.setattr(step.mlp, "problem", lambda: problem(5, (8, 6, 4)))
    assert step.main(tmp_path / "step.json") == 0
    found = json.loads((tmp_path / "step.json").read_text())
    assert found["apart"] <= 1e-4 and len(found["losses"]["GPU"]) == 10 and found["peak"] > 0
    if hasattr(import_cupy(), "standin"):
        assert found["launches"]["gpugrad"]["kernels"] > 0


def test_a_count_that_cannot_be_made_is_said() -> None:
    def fail() -> None:
        raise RuntimeError("cannot be captured\nmore")

    step: Callable[..., Any] = module("step")._said
    assert step(fail) == "not counted: RuntimeError: cannot be captured"
