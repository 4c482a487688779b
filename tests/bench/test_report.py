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
from gpugrad.bench import compare, ops, report, transfers
from gpugrad.bench.case import Case, Work
from gpugrad.bench.method import Column

MULTIPLY = replace(ops.CASES[0], sizes=(1024, 2048), quick=(2048, 1024))
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
    def prepare(_: int, device: Device) -> Work:
        return Work(lambda: None, lambda: numbers(device))

    return Case("idle", "nothing", "elements", sizes, sizes[::-1], prepare)


def test_the_table_names_machine_versions_threads_and_crossovers(
    two_gpus: None, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "new" / "bench.json"
    assert report.bench(file=file, cases=[idle()], measure=times) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"gpugrad {gg.__version__}, python ") and "numpy " in lines[0]
    assert lines[1:4] == ["cpu: name of cpu", "cuda:0: name of cuda:0", "cuda:1: name of cuda:1"]
    assert any(x.startswith("threads on the CPU: ") for x in lines)
    table = lines[lines.index("idle, nothing; size: elements") :]
    assert table[1].split() == "1,024 1 us (1 to 1) 2 us (2 to 2) 2 us (2 to 2) 0.5 (0.5 to 0.5) 0.5 (0.5 to 0.5) cpu".split()
    assert table[2].split()[-10:] == "4 (4 to 4) 4 (4 to 4) cuda:0, cuda:1".split()
    assert table[3:5] == [f"  crossover: cuda:{i} is faster than cpu from 2,048 on" for i in (0, 1)]
    assert table[5:] == ["", f"results: {file}"]

    found = json.loads(file.read_text())
    assert found["devices"]["cuda:1"] == "name of cuda:1" and found["threads"]["kernels"] >= 1 and found["date"]
    assert found["rounds"] == "15" and found["complete"] and found["about"]["versions"]["gpugrad"] == gg.__version__
    assert [(r["size"], r["faster"], r["figures"]["cuda:0"]["median"]) for r in found["rows"]] == [
        (1024, "cpu", pytest.approx(2e-6)),
        (2048, "cuda:0, cuda:1", pytest.approx(2e-6)),
    ]
    assert found["crossovers"][0] == {"case": "idle", "device": "cuda:0", "against": "cpu", "size": 2048}

    assert report.show(file) == 0  # the same table, from the file
    assert capsys.readouterr().out.splitlines() == lines[:-2]


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
    assert "one device, so nothing is compared: the table is what a step takes on cpu, median and quartiles of 15 rounds" in out
    assert "faster" not in out and "crossover" not in out


def test_quick_ends_in_time(capsys: pytest.CaptureFixture[str]) -> None:
    """The clock shows half a second more whenever it is read. Rows are in the order of their sizes, whichever was measured first."""
    now = iter(range(1000))
    assert report.bench("cpu", quick=True, cases=[idle()] * 4, measure=times, clock=lambda: next(now) / 2) == 0
    out = capsys.readouterr().out
    assert "median and quartiles of 3 to 5 rounds" in out
    assert 1 <= out.count(" us (") < 8 and out.count(" us (") + out.count("not run: no time was left") == 8
    assert out.index("1,024") < out.index("2,048")


def test_a_run_that_is_interrupted_leaves_what_it_measured(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def until_the_second(columns: Sequence[Column], **options: Any) -> dict[str, list[float]]:
        if times.calls == 1:  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        return times(columns, **options)

    file = tmp_path / "bench.json"
    assert report.bench("cpu", file=file, cases=[idle(), idle()], measure=until_the_second) == report.INTERRUPTED == 130
    printed = capsys.readouterr()
    assert printed.out.count(" us (") == 1 and f"results: {file}" in printed.out and "interrupted" in printed.err
    found = json.loads(file.read_text())
    assert [row["size"] for row in found["rows"]] == [1024] and not found["complete"]
    assert report.show(file) == 0


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"rows": []}', '{"devices": 1, "about": {}}'])
def test_a_file_of_something_else_is_refused(content: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text(content)
    assert report.show(file) == 2
    said = capsys.readouterr()
    assert (
        said.err
        == f"gpugrad bench: {str(file)!r} is no file of python -m gpugrad bench; give --from one that its --json wrote\n"
    )
    assert not said.out
    assert report.show(tmp_path / "none.json") == 2 and "No such file" in capsys.readouterr().err


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


@pytest.mark.skipif(not gg.cuda.is_available(), reason="needs CuPy")
def test_both_devices_are_measured_and_drawn(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The whole command, with nothing made up but the sizes."""
    pytest.importorskip("matplotlib")
    file, picture = tmp_path / "bench.json", tmp_path / "bench.png"
    cases = [replace(case, sizes=(1024, 2048), quick=(2048, 1024)) for case in (ops.CASES[0], transfers.CASES[0])]
    assert report.bench("cpu,cuda", quick=True, file=file, picture=picture, cases=cases) == 0
    out = capsys.readouterr().out
    assert "cpu / cuda:0" in out and "crossover: " in out and out.count("GB/s") == 2
    rows = json.loads(file.read_text())["rows"]
    assert [(row["case"], row["size"], list(row["figures"])) for row in rows] == [
        *(("multiply", size, ["cpu", "cuda:0"]) for size in (2048, 1024)),
        *(("to the GPU", size, ["cuda:0"]) for size in (2048, 1024)),
    ]
    assert all(spread["median"] > 0 for row in rows for spread in row["figures"].values())
    assert picture.read_bytes().startswith(b"\x89PNG")
