"""The command: the table, JSON, devices that are not there. Times are made up; nothing is measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import gpugrad as gg
from gpugrad.arrays.devices import CPU, Device
from gpugrad.bench import compare, ops, report
from gpugrad.bench.case import Case, Work
from gpugrad.bench.method import Column, Spread

MULTIPLY = replace(ops.CASES[0], sizes=(1024, 2048))
FIRST, SECOND = Device("cuda", 0), Device("cuda", 1)


def times(columns: Sequence[Column], **_: Any) -> dict[str, list[float]]:
    """The first column takes 1 us, then 8 us, for the smallest size and the others; every other column 2 us. Nothing runs."""
    times.calls += 1  # type: ignore[attr-defined]
    slow = 1e-6 if times.calls == 1 else 8e-6  # type: ignore[attr-defined]
    return {column.name: [2e-6 if i else slow] * 3 for i, column in enumerate(columns)}


@pytest.fixture(autouse=True)
def begin() -> None:
    times.calls = 0  # type: ignore[attr-defined]


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine where two GPUs are named, for cases that compute nothing."""
    monkeypatch.setattr(report, "choose", lambda names: [CPU, FIRST, SECOND])
    monkeypatch.setattr(report, "name_of", lambda device: f"name of {device}")
    monkeypatch.setattr(compare, "waiting", lambda device: lambda: None)


def idle(numbers: Any = lambda device: [1.0], sizes: Sequence[int] = (1024, 2048)) -> Case:
    return Case("idle", "nothing, elements", sizes, lambda _, device: Work(lambda: None, lambda: numbers(device)))


def test_the_table_names_machine_versions_threads_and_crossovers(
    two_gpus: None, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "new" / "bench.json"
    assert report.bench(file=file, cases=[idle()], measure=times) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"gpugrad {gg.__version__}, python ") and "numpy " in lines[0]
    assert lines[1:4] == ["cpu: name of cpu", "cuda:0: name of cuda:0", "cuda:1: name of cuda:1"]
    assert any(x.startswith("threads on the CPU: ") for x in lines)
    table = lines[lines.index("idle, nothing, elements") :]
    assert table[1].split() == "1,024 1 us (1 to 1) 2 us (2 to 2) 2 us (2 to 2) 0.5 (0.5 to 0.5) 0.5 (0.5 to 0.5) cpu".split()
    assert table[2].split()[-10:] == "4 (4 to 4) 4 (4 to 4) cuda:0, cuda:1".split()
    assert table[3:] == [f"  crossover: cuda:{i} is faster than cpu from 2,048 on" for i in (0, 1)]

    found = json.loads(file.read_text())
    assert found["devices"]["cuda:1"] == "name of cuda:1" and found["threads"]["kernels"] >= 1 and found["date"]
    assert found["rounds"] == compare.FULL.rounds and found["about"]["versions"]["gpugrad"] == gg.__version__
    assert [(r["size"], r["faster"], r["figures"]["cuda:0"]["median"]) for r in found["rows"]] == [
        (1024, "cpu", pytest.approx(2e-6)),
        (2048, "cuda:0, cuda:1", pytest.approx(2e-6)),
    ]
    assert found["crossovers"][0] == {"case": "idle", "device": "cuda:0", "against": "cpu", "size": 2048}


def test_figures_stand_under_their_device(two_gpus: None, capsys: pytest.CaptureFixture[str]) -> None:
    """A transfer has none for the CPU, and its ratio is between GPUs: there is no column for that."""
    copying = replace(idle(), devices=("cuda",), moved=lambda size: size)
    assert report.bench(cases=[copying], measure=times) == 0
    lines = capsys.readouterr().out.splitlines()
    head, row = next(x for x in lines if x.strip().startswith("size")), lines[-2]
    assert row.index("1 us") == head.index("cuda:0") and row.index("2 us") == head.index("cuda:1")
    assert row.endswith("cuda:0  cuda:0: 1.02 GB/s, cuda:1: 0.512 GB/s") and "0.5 (" not in row
    assert "crossover" not in lines[-1]


def test_a_void_row_gives_1_and_says_why(two_gpus: None, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    wrong = idle(lambda device: [1.0 + (device == SECOND)])
    assert report.bench(file=tmp_path / "bench.json", cases=[wrong, idle()], measure=times) == 1
    out = capsys.readouterr().out
    assert "VOID: cuda:1 gave 2 and cpu 1 as number 1 of 1; expected at most 0.0001 apart" in out
    assert [bool(r["void"]) for r in json.loads((tmp_path / "bench.json").read_text())["rows"]] == [True, True, False, False]


def test_without_a_gpu_the_cpu_is_measured_and_it_says_why(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    about = report.describe()
    monkeypatch.setattr(report, "cuda_problem", lambda: "no driver was found")
    monkeypatch.setattr(report, "describe", lambda: about | {"cuda": {"problem": "no driver was found"}})
    assert report.bench(cases=[MULTIPLY], measure=times) == 0
    out = capsys.readouterr().out
    assert "no GPU: no driver was found" in out and "\n         1,024  1 us (1 to 1)\n" in out
    assert "faster" not in out.partition("multiply")[2] and "crossover" not in out


def test_quick_ends_in_time(capsys: pytest.CaptureFixture[str]) -> None:
    """The clock advances by 8 s whenever it is read: three rows are begun within 20 s."""
    now = iter(range(0, 1000, 8))
    many = replace(MULTIPLY, sizes=(1, 2, 3, 4, 5), quick=4)
    assert report.bench("cpu", quick=True, cases=[many], measure=times, clock=lambda: next(now)) == 0
    out = capsys.readouterr().out
    assert out.count(" us (") == 2 and out.count("not run: no time was left") == 2


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("cpu,tpu", "gpugrad bench: unknown device 'tpu'"),
        ("cpu,cuda:99", "gpugrad bench: device 'cuda:99': "),
        ("", "gpugrad bench: unknown device ''"),
        ("cpu, cpu", "gpugrad bench: devices are 'cpu, cpu', and cpu is there twice"),
    ],
)
def test_devices_that_are_not_there_give_2(names: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert report.bench(names, cases=[MULTIPLY], measure=times) == 2
    assert capsys.readouterr().err.startswith(message) and times.calls == 0  # type: ignore[attr-defined]


@pytest.mark.skipif(not gg.cuda.is_available(), reason="needs CuPy")
def test_gpus_are_chosen_by_number() -> None:
    assert report.choose(None) == [CPU, *(Device("cuda", i) for i in range(gg.cuda.device_count()))]
    assert report.choose("cuda,cpu") == [Device("cuda", gg.cuda.current_device()), CPU]
    assert report.choose("auto") == [Device("cuda", gg.cuda.current_device())]
    with pytest.raises(gg.DeviceError, match="cuda:0 is there twice"):
        report.choose("cuda:0,cuda:0")


def test_a_gpu_that_wins_nowhere_or_everywhere_is_said_so() -> None:
    found = list(compare.rows(idle(), [CPU], measure=times))
    crossing = {"case": "idle", "device": "cuda:0", "against": "cpu", "size": None}
    assert report.sentence(crossing, found) == "crossover: none up to 2,048 where cuda:0 is faster than cpu"
    assert report.sentence(crossing | {"size": 1024}, found).endswith("cpu from 1,024 on, the smallest size")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2.5e-10, "0.25 ns (0.25 to 0.25)"),
        (1.234e-6, "1.23 us (1.23 to 1.23)"),
        (0.9999, "1000 ms (1000 to 1000)"),
        (75.0, "75 s (75 to 75)"),
    ],
)
def test_durations_are_readable(seconds: float, text: str) -> None:
    assert report.duration(Spread(seconds, seconds, seconds)) == text
