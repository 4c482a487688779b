"""What benchmarks/ writes: tables, result files, and how the training on two devices is compared."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

from gpugrad.bench import method
from gpugrad.check import files

ROOT = Path(__file__).resolve().parents[2]


def module(name: str) -> Any:
    return importlib.import_module(f"benchmarks.{name}")


def test_a_void_row_says_why() -> None:
    assert "VOID: they differ" in module("report").table([method.Row("mlp", "a step", void="they differ")])


def test_a_result_file_gives_the_table_back(tmp_path: Path) -> None:
    report = module("report")
    seconds = {"gpugrad": [1.0, 1.1, 1.2], "PyTorch eager": [2.0, 2.2, 2.4]}
    comparison = method.ratio(seconds, "gpugrad", "PyTorch eager", 1.0)
    rows = [
        method.Row("mlp", "a step", "s", method.spreads(seconds), [comparison], note="losses of the first steps"),
        method.not_run("deep", "no time was left"),
    ]
    files.write(tmp_path / "new" / "file.json", {"rows": [row.as_dict() for row in rows]})
    found = json.loads((tmp_path / "new" / "file.json").read_text())
    assert found["rows"][0]["comparisons"][0]["verdict"] == "pass"
    assert report.table_of(found["rows"]) == report.table(rows)
    assert "not run: no time was left" in report.table(rows)


def test_what_a_row_notes_beside_its_figures_stands_below_the_table() -> None:
    row = method.Row("growth.width", "cost", "ns", {"gpugrad": method.Spread(2.0, 1.9, 2.1)}, note="a law")
    table, below = module("report").table([row]).split("\n\n")
    assert "2 ns" in table and "a law" not in table
    assert below == "growth.width: a law"


def test_losses_of_two_devices_are_compared_by_epoch() -> None:
    training = module("main_job")
    end = "\ntest accuracy 97.22% on a device after 1.0 s\n"
    cuda = (
        "loss 9\n 50%|#   | 1/2 [00:03<01:02,  1.65s/epoch]\repoch   1  loss 2.1308  test accuracy 80%\nepoch 2  loss 0.5020"
        + end
    )
    assert training.losses(cuda) == [2.1308, 0.502]
    same, line = training.compare(cuda, "epoch 1 loss 2.1309\nepoch 2 loss 0.5000" + end)
    assert same
    assert "epoch 2" in line
    assert not training.compare(cuda, "epoch 1 loss 2.1309\nepoch 2 loss 0.6" + end)[0]
    assert not training.compare(cuda, "epoch 1 loss 2.1309" + end)[0]
    assert not training.compare(cuda, cuda.replace(end, ""))[0]
    assert not training.compare("nothing", "nothing")[0]
