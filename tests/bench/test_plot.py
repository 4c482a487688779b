"""The picture: refused in time, drawn for one device and for several, without a trace in matplotlib's settings. Times are made up."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gpugrad.bench import plot, report
from gpugrad.bench.method import Column, Row, Spread


def found(devices: Sequence[str], sizes: Sequence[int] = (1 << 10, 1 << 20)) -> dict[str, Any]:
    """What ``--json`` writes of a run on these devices: the others are slower than the first at first, and faster at the last size."""
    rows = []
    for size, (i, name) in itertools.product(sizes, enumerate(devices)):
        if i == 0:
            rows.append(Row("multiply", f"{size:,}", "s", {}, size=size))
        median = 1e-6 * size / 1024 if i == 0 else 2e-5
        rows[-1] = Row(
            "multiply", f"{size:,}", "s", {**rows[-1].figures, name: Spread(median, 0.9 * median, 1.1 * median)}, size=size
        )
    crossings = [{"case": "multiply", "device": name, "against": devices[0], "size": sizes[-1]} for name in devices[1:]]
    rows.append(Row("multiply", "2,097,152", note="not run: no time was left", size=1 << 21))
    return {
        "date": "2026-01-31", "rounds": "15", "complete": True, "crossovers": crossings if len(sizes) > 1 else [],
        "devices": {name: f"name of {name}" for name in devices}, "threads": {"cores": 2, "kernels": 2, "BLAS": "$its default$"},
        "about": {"versions": {"gpugrad": "1.2.3", "numpy": "2.4"}, "cuda": {"problem": None}},
        "cases": {"multiply": {"work": "x * y", "grows": "elements"}}, "rows": [row.as_dict() | {"faster": ""} for row in rows],
    }  # fmt: skip


def texts(figure: Any) -> str:
    return " ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))).replace("\n", " ")


@pytest.mark.parametrize("devices", [["cpu"], ["cpu", "cuda:0"], ["cuda:0", "cuda:1", "cpu"]])
@pytest.mark.parametrize("sizes", [(1 << 10, 1 << 20), (1 << 15,)])
def test_a_panel_has_a_line_for_each_device(devices: list[str], sizes: Sequence[int], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    content = found(devices, sizes)
    figure = plot.figure(content)
    (panel,) = (axes for axes in figure.axes if axes.axison)
    assert (panel.get_xscale(), panel.get_yscale(), panel.get_xlabel()) == ("log", "log", "elements")
    drawn = [line for line in panel.lines if len(line.get_xdata()) == len(sizes) and line.get_marker() != "None"]
    assert [list(line.get_xdata()) for line in drawn] == [list(sizes)] * len(devices)
    assert len({line.get_color() for line in drawn}) == len(devices) == len(panel.collections) // 2  # bands, and bars
    assert [label.get_text() for label in panel.get_xticklabels()] == [plot.short(size) for size in (*sizes, 1 << 21)]
    times = [label.get_text() for label in panel.get_yticklabels()]
    assert len(times) >= 2 and all(time.split()[1] in ("ns", "us", "ms") for time in times)
    assert [line.get_xdata() for line in panel.lines if line.get_linestyle() == "--"] == [[sizes[-1]] * 2] * len(
        content["crossovers"]
    )
    said = texts(figure)
    for word in (
        *(f"{name}: name of {name}" for name in devices),
        "gpugrad 1.2.3, numpy 2.4",
        "15 rounds",
        "2026-01-31",
        "not run",
    ):
        assert word in said
    assert ("from 1M on" in said) == (len(devices) > 1 and len(sizes) > 1)
    file = tmp_path / "x.PNG"
    plot.draw(content, file)
    assert file.read_bytes().startswith(b"\x89PNG")


def test_all_cases_of_a_run_have_panels() -> None:
    pytest.importorskip("matplotlib")
    content = found(["cpu"])
    names = [case.name for case in report.CASES]
    content["cases"] = {case.name: {"work": case.work, "grows": case.grows} for case in report.CASES}
    content["rows"] = [row | {"case": name} for name in names for row in content["rows"][:2]]
    figure = plot.figure(content)
    assert [axes.get_title(loc="left").partition("\n")[0] for axes in figure.axes if axes.axison] == names
    assert figure.get_size_inches()[0] < 20


def test_settings_are_left_alone(tmp_path: Path) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    with matplotlib.rc_context({"axes.facecolor": "red", "lines.linewidth": 9}):
        before = dict(matplotlib.rcParams)
        plot.draw(found(["cpu", "cuda:0"]), tmp_path / "x.svg")
        assert dict(matplotlib.rcParams) == before
    assert "#ff0000" not in (tmp_path / "x.svg").read_text()


@pytest.mark.parametrize(
    ("size", "text"),
    [(1, "1"), (64, "64"), (1000, "1,000"), (1 << 10, "1k"), (1 << 15, "32k"), (1 << 25, "32M"), (1 << 30, "1G")],
)
def test_sizes_are_as_people_say_them(size: int, text: str) -> None:
    assert plot.short(size) == text


def never(columns: Sequence[Column], **_: Any) -> Any:
    raise AssertionError("it was measured")


def test_without_matplotlib_it_is_refused_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib.figure", raising=False)
    assert report.bench("cpu", picture=tmp_path / "x.png", measure=never) == 2
    said = capsys.readouterr()
    assert said.err.startswith("gpugrad bench: --plot draws with matplotlib, which cannot be imported (") and not said.out
    assert said.err.endswith('); install it with: python -m pip install "gpugrad[plot]"\n')


@pytest.mark.parametrize("name", ["x", "x.json", "x.png.txt"])
def test_a_file_that_is_no_picture_is_refused(name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert report.bench("cpu", picture=tmp_path / name, measure=never) == 2
    assert capsys.readouterr().err.endswith("its suffix names no format of pictures; end it in .png, .pdf or .svg\n")


def test_a_folder_that_cannot_be_made_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "file").touch()
    assert report.bench("cpu", picture=tmp_path / "file" / "x.png", measure=never) == 2
    assert "give --plot a file in a folder that can be written to" in capsys.readouterr().err


def test_where_nothing_was_measured_nothing_is_drawn(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")

    def interrupted(columns: Sequence[Column], **_: Any) -> Any:
        raise KeyboardInterrupt

    assert report.bench("cpu", picture=tmp_path / "x.png", cases=report.CASES[3:4], measure=interrupted) == report.INTERRUPTED
    assert "plot: none, as nothing was measured" in capsys.readouterr().out and not (tmp_path / "x.png").exists()


def test_the_command_draws_what_it_measured_and_draws_a_file_again(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    results, picture = tmp_path / "bench.json", tmp_path / "new" / "x.svg"

    def quick(columns: Sequence[Column], **_: Any) -> dict[str, list[float]]:
        return {column.name: [1e-6] * 3 for column in columns}

    assert report.bench("cpu", file=results, picture=picture, cases=report.CASES[3:4], measure=quick) == 0
    assert f"plot: {picture}" in capsys.readouterr().out and picture.stat().st_size > 10_000
    picture.unlink()
    assert report.show(results, picture) == 0
    assert f"plot: {picture}" in capsys.readouterr().out and picture.stat().st_size > 10_000
    assert report.show(results, tmp_path / "x.txt") == 2
