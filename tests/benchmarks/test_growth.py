"""Laws of growth: found where there is one, and refused where the times do not tell."""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpugrad.bench.method import Row, Spread

SIZES = np.asarray([16.0, 64, 256, 1024, 4096])


def module(name: str = "growth") -> Any:
    return importlib.import_module(f"benchmarks.{name}")


def points(seconds: Any, width: float = 0.02) -> list[tuple[float, Spread]]:
    return [(n, Spread(t, t * (1 - width / 2), t * (1 + width / 2))) for n, t in zip(SIZES, seconds, strict=True)]


def rows(case: str = "growth.width", unit: str = "ms", **columns: Any) -> list[Row]:
    return [
        Row(case, f"width {n:.0f}", unit, {name: Spread(t[i], t[i], t[i]) for name, t in columns.items()}, size=int(n))
        for i, n in enumerate(SIZES)
    ]


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_law_is_that_of_the_times(power: float) -> None:
    found = module().fit("growth.width", "gpugrad", points(2e-4 + 3e-5 * SIZES**power))
    assert found.fixed == pytest.approx(2e-4, rel=0.02)
    assert found.factor == pytest.approx(3e-5, rel=0.02)
    assert found.power == pytest.approx(power, abs=0.02)
    assert found.power_low <= power <= found.power_high
    assert found.text.startswith("200 us + ")


def test_a_law_without_a_fixed_part_does_not_name_one() -> None:
    text = module().fit("growth.graph", "gpugrad", points(3e-6 * SIZES)).text
    assert text.startswith("3 us n^1.00")


@pytest.mark.parametrize(
    ("seconds", "width", "why"),
    [
        ([1.0, 1.1, 1.2, 1.1, 1.9], 0.02, "less than 2 times as long"),
        ([1.0, 5.0, 2.0, 30.0, 9.0], 0.02, "the power may be anything between"),
        ([1.0, 1.02, 1.1, 1.4, 2.6], 1.2, "the power may be anything between"),
    ],
)
def test_no_power_is_stated_that_the_spread_does_not_allow(seconds: list[float], width: float, why: str) -> None:
    found = module().fit("growth.width", "gpugrad", points(np.asarray(seconds), width))
    assert (found.fixed, found.factor, found.power) == (None, None, None)
    assert found.text.startswith(f"no law: {why}")


def test_a_few_sizes_have_no_law() -> None:
    assert module().fit("growth.width", "gpugrad", points(SIZES)[:4]).text == "no law: 4 sizes are too few"


def test_the_largest_row_of_a_series_notes_the_laws_by_column() -> None:
    given = rows(**{"gpugrad": SIZES, "PyTorch eager": 50 + SIZES**1.5})
    *others, last = module().told(given)
    assert others == given[:-1]
    texts = [found["text"] for found in module().fits(given)]
    assert last.note == f"gpugrad: {texts[0]}; PyTorch eager: {texts[1]}"


def test_only_times_of_sizes_are_fitted() -> None:
    void = [Row("growth.width", "width 2", void="no agreement", size=2)]
    memory = rows("growth.memory", "MiB", gpugrad=SIZES)
    assert module().fits([*void, *memory, Row("mlp", "a step", "ms", {"gpugrad": Spread(1.0, 1.0, 1.0)})]) == []
    assert [found["column"] for found in module().fits([*void, *rows(gpugrad=SIZES)])] == ["gpugrad"]


def test_the_result_file_carries_the_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module("cases").CASES, "size", lambda device, rounds: rows(gpugrad=SIZES))
    file = tmp_path / "results.json"
    assert module("run")._run(argparse.Namespace(cases=["size"], device="cpu", json=file, rounds=3)) == 0
    (fit,) = json.loads(file.read_text())["fits"]
    assert list(fit) == ["case", "column", "fixed", "factor", "power", "power_low", "power_high", "text"]
    assert (fit["case"], fit["column"], fit["factor"]) == ("growth.width", "gpugrad", pytest.approx(1e-3, rel=1e-3))


def test_durations_have_the_unit_in_which_they_are_readable() -> None:
    duration = module().duration
    assert [duration(x) for x in (2.0, 3e-3, 4.56e-6, 7e-9, 2e-12)] == ["2 s", "3 ms", "4.56 us", "7 ns", "0.002 ns"]


def test_every_series_has_enough_sizes_for_a_law() -> None:
    series = module("cases.growth").SERIES
    sizes = {name: [contest.size for contest in made()] for name, made in series.items()}
    assert all(sorted(set(found)) == found and len(found) >= module().FEWEST for found in sizes.values())
    assert {contest.case for made in series.values() for contest in made()} == {f"growth.{name}" for name in series}
