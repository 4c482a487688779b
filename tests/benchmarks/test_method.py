"""The arithmetic of benchmarks/: medians of ratios, void rows, verdicts that noise does not allow. Nothing here measures time."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def checkout() -> Iterator[None]:
    """The folder benchmarks/ is not installed, and tests/ on the path has one of the same name."""
    sys.path.insert(0, str(ROOT))
    yield
    sys.path.remove(str(ROOT))


def module(name: str) -> Any:
    return importlib.import_module(f"benchmarks.{name}")


def test_a_spread_is_the_median_and_the_quartiles() -> None:
    spread = module("method").Spread.of([5.0, 1.0, 4.0, 2.0, 3.0])
    assert (spread.low, spread.median, spread.high, spread.width) == (2.0, 3.0, 4.0, 2.0)
    with pytest.raises(ValueError, match="no measurements"):
        module("method").Spread.of([])


def test_ratios_are_taken_within_a_round() -> None:
    """A machine that is slower in one round is slower for both columns: the ratio stays, where that of the medians would not."""
    seconds = {"ours": [1.0, 20.0, 3.0], "theirs": [2.0, 40.0, 6.0]}
    spread = module("method").ratio(seconds, "ours", "theirs").spread
    assert (spread.low, spread.median, spread.high) == (0.5, 0.5, 0.5)


def test_excess_is_in_the_unit_asked_for() -> None:
    seconds = {"ours": [3e-6, 5e-6, 4e-6], "theirs": [1e-6, 1e-6, 1e-6]}
    found = module("method").excess(seconds, "ours", "theirs", 1.0, scale=1e6, unit="us")
    assert found.spread.median == pytest.approx(3.0)
    assert found.verdict == "fail"


@pytest.mark.parametrize(
    ("values", "limit", "verdict"),
    [
        ([0.7, 0.8, 0.9], 1.0, "pass"),
        ([1.4, 1.5, 1.6], 1.0, "fail"),
        ([0.5, 0.9, 1.3], 1.0, "undecided"),  # the quartiles are 0.4 apart and the median is 0.1 from the limit
        ([0.7, 1.1, 1.5], 1.0, "undecided"),
        ([1.0, 1.0, 1.0], 1.0, "undecided"),
        ([0.8], None, ""),
    ],
)
def test_a_verdict_needs_a_difference_larger_than_the_spread(values: list[float], limit: float | None, verdict: str) -> None:
    method = module("method")
    assert method.Comparison("a / b", method.Spread.of(values), limit).verdict == verdict


def test_losses_that_disagree_void_a_row() -> None:
    method = module("method")
    agree = {"gpugrad": [2.30, 2.20], "PyTorch": [2.30005, 2.20]}
    assert method.disagreement(agree, 1e-4) == ""
    why = method.disagreement({**agree, "NumPy": [2.30, 2.25]}, 1e-4)
    assert why == "NumPy gave 2.25 and gpugrad 2.2 as number 2 of 2; expected at most 0.0001 apart"
    assert method.disagreement({"gpugrad": [2.3], "PyTorch": [float("nan")]}, 1e-4)
    assert method.disagreement({"gpugrad": [2.3, 2.2], "PyTorch": [2.3]}, 1e-4)
    row = method.Row("mlp", "a step", void=why)
    assert row.failed
    assert f"VOID: {why}" in module("report").table([row])


def test_columns_are_measured_in_turn_and_equally_often() -> None:
    method, calls = module("method"), []
    columns = [method.Column(name, lambda name=name: calls.append(name)) for name in "ab"]
    found = method.interleaved(columns, rounds=4, burst=0.0, settle=0.0)
    assert [len(values) for values in found.values()] == [4, 4]
    # After finding out how many calls fill a burst, here one: a warm-up and a measured call per burst, a and b by turns first.
    assert "".join(calls[-16:]) == "aabb" + "bbaa" + "aabb" + "bbaa"


def test_a_result_file_gives_the_table_back(tmp_path: Path) -> None:
    method, report = module("method"), module("report")
    seconds = {"gpugrad": [1.0, 1.1, 1.2], "PyTorch eager": [2.0, 2.2, 2.4]}
    comparison = method.ratio(seconds, "gpugrad", "PyTorch eager", 1.0)
    rows = [
        method.Row("mlp", "a step", "s", method.spreads(seconds), [comparison], note="losses of the first steps"),
        method.not_run("deep", "no time was left"),
    ]
    report.write(tmp_path / "new" / "file.json", rows, {"date": "2026-01-01"})
    found = json.loads((tmp_path / "new" / "file.json").read_text())
    assert found["date"] == "2026-01-01"
    assert found["rows"][0]["comparisons"][0]["verdict"] == "pass"
    assert report.table_of(found["rows"]) == report.table(rows)
    assert "not run: no time was left" in report.table(rows)


def test_losses_of_two_devices_are_compared_by_epoch() -> None:
    training = module("training")
    cuda = (
        "loss 9\n 50%|##   | 1/2 [00:03<01:02,  1.65s/epoch]\repoch   1  loss 2.1308  test accuracy 80%\nepoch 2  loss 0.5020"
    )
    assert training.losses(cuda) == [2.1308, 0.502]
    same, line = training.compare(cuda, "epoch 1 loss 2.1309\nepoch 2 loss 0.5000")
    assert same
    assert "epoch 2" in line
    assert not training.compare(cuda, "epoch 1 loss 2.1309\nepoch 2 loss 0.6")[0]
    assert not training.compare(cuda, "epoch 1 loss 2.1309")[0]
    assert not training.compare("nothing", "nothing")[0]
