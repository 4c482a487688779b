"""The arithmetic of benchmarks: medians of ratios, void rows, verdicts that noise does not allow. Nothing here measures time."""

from __future__ import annotations

import numpy as np
import pytest

from gpugrad.bench import method


def test_a_spread_is_the_median_and_the_quartiles() -> None:
    spread = method.Spread.of([5.0, 1.0, 4.0, 2.0, 3.0])
    assert (spread.low, spread.median, spread.high, spread.width) == (2.0, 3.0, 4.0, 2.0)
    with pytest.raises(ValueError, match="no measurements"):
        method.Spread.of([])


def test_ratios_are_taken_within_a_round() -> None:
    """A machine that is slower in one round is slower for both columns: the ratio stays, where that of the medians would not."""
    seconds = {"ours": [1.0, 20.0, 3.0], "theirs": [2.0, 40.0, 6.0]}
    spread = method.ratio(seconds, "ours", "theirs").spread
    assert (spread.low, spread.median, spread.high) == (0.5, 0.5, 0.5)


def test_excess_is_in_the_unit_asked_for() -> None:
    seconds = {"ours": [3e-6, 5e-6, 4e-6], "theirs": [1e-6, 1e-6, 1e-6]}
    found = method.excess(seconds, "ours", "theirs", 1.0, scale=1e6, unit="us")
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
    assert method.Comparison("a / b", method.Spread.of(values), limit).verdict == verdict


def test_losses_that_disagree_void_a_row() -> None:
    agree = {"gpugrad": [2.30, 2.20], "PyTorch": [2.30005, 2.20]}
    assert method.disagreement(agree, 1e-4) == ""
    why = method.disagreement({**agree, "NumPy": [2.30, 2.25]}, 1e-4)
    assert why == "NumPy gave 2.25 and gpugrad 2.2 as number 2 of 2; expected at most 0.0001 apart"
    assert method.disagreement({"gpugrad": [2.3], "PyTorch": [float("nan")]}, 1e-4)
    assert method.disagreement({"gpugrad": [2.3, 2.2], "PyTorch": [2.3]}, 1e-4)
    row = method.Row("mlp", "a step", void=why)
    assert row.failed


def test_columns_are_measured_in_turn_and_equally_often() -> None:
    calls: list[str] = []
    columns = [method.Column(name, lambda name=name: calls.append(name)) for name in "ab"]
    found = method.interleaved(columns, rounds=4, burst=0.0, settle=0.0)
    assert [len(values) for values in found.values()] == [4, 4]
    # After finding out how many calls fill a burst, here one: a warm-up and a measured call per burst, a and b by turns first.
    assert "".join(calls[-16:]) == "aabb" + "bbaa" + "aabb" + "bbaa"


def test_columns_measured_often_have_more_turns_in_a_round_of_which_the_median_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    times = {"a": iter([1.0, 9.0, 2.0, 3.0, 1.0, 7.0]), "b": iter([4.0, 5.0])}

    def run(column: method.Column, count: int) -> float:
        order.append(column.name)
        return count * (next(times[column.name]) if len(order) % 2 == 0 else 100.0)  # the first of two is a warm-up

    monkeypatch.setattr(method, "_run", run)
    monkeypatch.setattr(method, "_calls", lambda *_: 6)
    columns = [method.Column(name, lambda: None) for name in "ab"]
    found = method.interleaved(columns, rounds=2, settle=0.0, turns=3, often={"a"})
    assert found == {"a": [2.0, 3.0], "b": [4.0, 5.0]}
    assert "".join(order[::2]) == "abaa" + "baaa"


class Clock:
    """A process whose threads work until a time."""

    def __init__(self, busy: float) -> None:
        self.now, self.busy = 0.0, busy

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def process_time(self) -> float:
        return min(self.now, self.busy)


@pytest.mark.parametrize(
    ("settle", "busy", "rests"), [(0.04, 0.0, 0.04), (0.04, 0.1, 0.14), (0.04, 0.103, 0.14), (0.04, 9.0, 0.42), (0.0, 9.0, 0.0)]
)
def test_a_rest_lasts_until_nobody_works(monkeypatch: pytest.MonkeyPatch, settle: float, busy: float, rests: float) -> None:
    clock = Clock(busy)
    monkeypatch.setattr(method, "time", clock)
    method.rest(settle)
    assert clock.now == pytest.approx(rests)


def test_numbers_are_elements_and_the_mean_of_every_array() -> None:
    assert method.numbers((np.asarray([1.0, 3.0]), [np.float32(2.0)])) == [1.0, 3.0, 2.0, 2.0, 2.0]
    many = method.numbers(np.arange(1000.0))
    assert len(many) == 17 and many[-1] == 499.5 and many[1] == 62.0
