"""Laws of growth: found where there is one, and refused where the times do not tell."""

from __future__ import annotations

import argparse
import importlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpugrad.bench.method import Row, Spread

SIZES = np.asarray([16.0, 64, 256, 1024, 4096])


def module(name: str = "growth") -> Any:
    return importlib.import_module(f"benchmarks.{name}")


def points(seconds: Any, width: float = 0.02) -> list[tuple[int, Spread]]:
    return [(int(n), Spread(t, t * (1 - width / 2), t * (1 + width / 2))) for n, t in zip(SIZES, seconds, strict=True)]


def rows(case: str = "growth.width", unit: str = "ms", **columns: Any) -> list[Row]:
    return [
        Row(case, f"width {n:.0f}", unit, {name: Spread(t[i], t[i], t[i]) for name, t in columns.items()}, size=int(n))
        for i, n in enumerate(SIZES)
    ]


@pytest.mark.parametrize("case", ["growth.width", "growth.depth"])
@pytest.mark.parametrize("cost", [3e-9, 3e-7, 3e-6])
def test_the_law_is_that_of_the_times(case: str, cost: float) -> None:
    found = module().fit(case, "gpugrad", points(2e-4 + cost * SIZES ** module().UNITS[case].power))
    assert (found.fixed, found.cost) == (pytest.approx(2e-4, rel=1e-2), pytest.approx(cost, rel=1e-2))
    assert found.low <= found.cost <= found.high
    assert found.furthest == pytest.approx(1, abs=1e-3)


def test_the_text_of_a_law_states_what_varies_and_how_far_a_time_is_from_it() -> None:
    text = module().fit("growth.width", "gpugrad", points(2e-4 + 3e-8 * SIZES**2, width=0)).text
    assert text == "200 us + 30 ns per width^2 (30 to 30, within 0 %)"
    text = module().fit("growth.graph", "gpugrad", points(3e-6 * SIZES, width=0.2)).text
    assert re.fullmatch(r"3 us per op \(2\.\d+ to 3\.\d+, within 0 %\)", text)
    uneven = 3e-6 * SIZES * np.asarray([1, 1, 1, 1.1, 0.9])
    assert "within 11 %" in module().fit("growth.graph", "gpugrad", points(uneven)).text


def test_times_that_do_not_grow_are_a_fixed_cost() -> None:
    found = module().fit("growth.graph", "gpugrad", points(np.full(5, 1e-3), width=0))
    assert (found.fixed, found.cost) == (pytest.approx(1e-3), 0.0)
    assert found.text == "1 ms + 0 ns per op (0 to 0, within 0 %)"


def test_the_constants_are_the_best_of_all() -> None:
    """Where one is held and moves a little, the squared error grows."""
    units, seconds = SIZES, np.asarray([1.0, 1.4, 2.0, 9.0, 30.0])

    def error(fixed: float, cost: float) -> float:
        return float(np.sum((np.log(fixed + cost * units) - np.log(seconds)) ** 2))

    fixed, cost = module().constants(units, seconds)
    moved = [error(fixed * a, cost * b) for a in (0.99, 1, 1.01) for b in (0.99, 1, 1.01)]
    assert min(moved) == moved[4]


def test_an_interval_spans_the_fits_without_one_size() -> None:
    seconds = 1e-3 + 1e-6 * SIZES * np.asarray([1, 1, 1, 1, 1.4])
    found = module().fit("growth.graph", "gpugrad", points(seconds, width=0))
    without = [module().constants(np.delete(SIZES, i), np.delete(seconds, i))[1] for i in range(5)]
    assert (found.low, found.high) == (min(without), max(without))
    assert max(without) > 1.2 * min(without)


def test_no_law_is_stated_that_a_time_is_far_from() -> None:
    found = module().fit("growth.graph", "gpugrad", points(1e-6 * SIZES * np.asarray([1, 1, 1, 1, 2.5])))
    assert (found.fixed, found.cost, found.low, found.high) == (None,) * 4
    assert found.furthest > module().FURTHEST
    assert found.text == f"no law: at size 4,096 the time is {found.furthest:.3g} times that of the best fit"


def test_two_sizes_have_no_law() -> None:
    assert module().fit("growth.width", "gpugrad", points(SIZES)[:2]).text == "no law: 2 sizes are too few"
    assert module().fit("growth.width", "gpugrad", points(SIZES**2)[:3]).cost == pytest.approx(1)


def test_a_row_tells_the_costs_per_unit_their_ratios_and_the_laws() -> None:
    far = SIZES * np.asarray([1, 1, 1, 1, 4])
    columns: Any = {"gpugrad": 0.05 + SIZES * 2e-3, "PyTorch eager": 1 + SIZES * 8e-3, "JAX jit": far}
    given = rows("growth.graph", **columns)
    *others, last = module().told(given)
    assert others == given
    assert (last.case, last.work, last.unit, last.size) == ("growth.graph", "cost per op", "us", None)
    assert {name: spread.median for name, spread in last.figures.items()} == {
        "gpugrad": pytest.approx(2, rel=1e-2), "PyTorch eager": pytest.approx(8, rel=1e-2)
    }  # fmt: skip
    (ratio,) = last.comparisons
    assert (ratio.label, ratio.unit, ratio.limit) == ("gpugrad / PyTorch eager", "per op", None)
    assert ratio.spread.median == pytest.approx(0.25, rel=1e-2)
    assert ratio.spread.low <= ratio.spread.median <= ratio.spread.high
    assert last.note == "; ".join(f"{found['column']}: {found['text']}" for found in module().fits(given))
    assert module().fits([*others, last]) == module().fits(given)


def test_ratios_of_costs_are_not_counted_beside_those_of_the_sizes() -> None:
    *_, last = module().told(rows(gpugrad=1 + SIZES**2, MyGrad=1 + 2 * SIZES**2))
    assert last.comparisons
    assert module("conclusions").drawn([last.as_dict()]) == {}


def test_a_series_without_any_law_is_told_of_all_the_same() -> None:
    *_, last = module().told(rows(gpugrad=SIZES)[:2])
    assert (last.figures, last.note) == ({}, "gpugrad: no law: 2 sizes are too few")
    assert module("tables").grouped([last.as_dict()]) == {"growth": [last.as_dict()]}


def test_only_times_of_sizes_are_fitted() -> None:
    void = [Row("growth.width", "width 2", void="no agreement", size=2)]
    others = rows("another", "MiB", gpugrad=SIZES)
    assert module().fits([*void, *others, Row("mlp", "a step", "ms", {"gpugrad": Spread(1.0, 1.0, 1.0)})]) == []
    assert [found["column"] for found in module().fits([*void, *rows(gpugrad=SIZES)])] == ["gpugrad"]


def test_the_result_file_carries_the_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module("cases").CASES, "size", lambda device, rounds: rows(gpugrad=SIZES**2))
    file = tmp_path / "results.json"
    assert module("run")._run(argparse.Namespace(cases=["size"], device="cpu", json=file, rounds=3)) == 0
    (fit,) = json.loads(file.read_text())["fits"]
    assert list(fit) == ["case", "column", "unit", "power", "text", "fixed", "cost", "low", "high", "furthest"]
    assert (fit["case"], fit["column"], fit["unit"], fit["power"]) == ("growth.width", "gpugrad", "width^2", 2)
    assert fit["cost"] == pytest.approx(1e-3, rel=1e-3)


def test_durations_have_the_unit_in_which_they_are_readable() -> None:
    duration = module().duration
    assert [duration(x) for x in (2.0, 3e-3, 4.56e-6, 7e-9, 2e-12)] == ["2 s", "3 ms", "4.56 us", "7 ns", "0.002 ns"]


def test_every_series_has_enough_sizes_for_a_law() -> None:
    series = module("cases.growth").SERIES
    sizes = {name: [contest.size for contest in made()] for name, made in series.items()}
    assert all(sorted(set(found)) == found and len(found) >= module().FEWEST for found in sizes.values())
    assert {contest.case for made in series.values() for contest in made()} == {f"growth.{name}" for name in series}
    assert list(module().UNITS) == [f"growth.{name}" for name in series]
