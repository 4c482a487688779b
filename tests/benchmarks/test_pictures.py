"""The pictures of docs/benchmarks.md show the committed results, and nobody has changed one by hand."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
from pathlib import Path
from typing import Any

import pytest

from gpugrad.bench.method import Comparison, Row, Spread

AGAIN = "run `python -m nox -s bench -- --page`, which draws it from benchmarks/results"


def module(name: str) -> Any:
    return importlib.import_module(f"benchmarks.{name}")


def committed() -> list[Any]:
    page = module("page")
    return list(module("pictures").pictures(page.Results.read(page.ROOT / page.FOLDER).reference["rows"]))


def folder() -> Path:
    page = module("page")
    return Path(page.ROOT, page.PICTURES)


def test_the_pictures_are_those_of_the_results() -> None:
    assert sorted(file.name for file in folder().iterdir()) == sorted(picture.file for picture in committed()), AGAIN


def test_every_picture_shows_the_results_and_is_as_it_was_drawn() -> None:
    """By the hashes in the files, which need no matplotlib, and do not depend on its version."""
    for picture in committed():
        text = (folder() / picture.file).read_text(encoding="utf-8")
        assert module("pictures").hashes(text) == (picture.digest, True), f"{picture.file}: {AGAIN}"


def test_every_picture_is_what_is_drawn_now() -> None:
    drawing = drawn_by_matplotlib()
    version = importlib.metadata.version("matplotlib")
    for picture in committed():
        text = (folder() / picture.file).read_text(encoding="utf-8")
        by = re.findall(r"Matplotlib v([\w.]+)", text)
        if by != [version]:
            pytest.skip(f"the pictures were drawn by matplotlib {by}, this is {version}: their hashes are compared, above")
        assert text == drawing.draw(picture), f"{picture.file}: {AGAIN}"


def drawn_by_matplotlib() -> Any:
    pytest.importorskip("matplotlib", reason="drawing needs matplotlib, which the extra examples brings")
    return module("drawing")


def row(case: str, work: str, ratios: dict[str, float], unit: str = "ms", **fields: Any) -> Row:
    comparisons = [Comparison(f"gpugrad / {name}", Spread(x, x * 0.9, x * 1.1), 1.0) for name, x in ratios.items()]
    figures = {"gpugrad": Spread(2.0, 1.9, 2.1), **{name: Spread(2.0 / x, 1.9 / x, 2.1 / x) for name, x in ratios.items()}}
    return Row(case, work, unit, figures, comparisons, **fields)


def pictures(*rows: Row) -> dict[str, Any]:
    return {picture.name: picture for picture in module("pictures").pictures([found.as_dict() for found in rows])}


EVERYTHING = (
    row("mlp", "784-10, batch 128, 2 threads", {"PyTorch eager": 0.5, "JAX jit": 1.01}),
    row("gpt", "4 layers & 2 < 3, batch 16, 2 threads", {"PyTorch eager": 0.9, "fastest of PyTorch eager, JAX jit": 1.234}),
    row("mlp", "784-10, peak memory", {"PyTorch eager": 0.5}, "MiB"),
    *(row("growth.width", f"a net of width {n}, batch 128", {"PyTorch eager": n / 64}, size=n) for n in (64, 128, 1000)),
)


def test_ratios_growth_and_memory_have_pictures() -> None:
    found = pictures(*EVERYTHING)
    assert list(found) == ["training", "memory", "memory-peaks", "growth-width"]
    training = found["training"]
    assert [name for name, _ in training.works] == ["mlp: 784-10, batch 128", "gpt: 4 layers & 2 < 3, batch 16"]
    assert training.subtitle == "time of gpugrad / time of the peer; 2 threads"
    assert [(dot.against, dot.median, dot.decided) for _, dots in training.works for dot in dots] == [
        ("PyTorch eager", 0.5, True), ("JAX jit", 1.01, False), ("PyTorch eager", 0.9, False),
        ("fastest of PyTorch eager, JAX jit", 1.234, False),
    ]  # fmt: skip
    growth = found["growth-width"]
    assert growth.subtitle == "a net of width …, batch 128"
    assert [point[0] for point in growth.curves[0].points] == [64, 128, 1000]
    assert "4 between 0.5 and 1.23, 2 of them below 1" in training.alt and "PyTorch eager 0.128 ms" in growth.alt


def test_what_fits_a_library_stands_beside_its_curve() -> None:
    rows = [row("growth.depth", f"depth {n}", {"JAX jit": 0.5, "MyGrad": 2.0}, size=n) for n in (1, 2)]
    note = "MyGrad is new; gpugrad: 2 us + 3 us per layer (2.9 to 3.2, within 4 %); JAX jit: no law: 2 sizes are too few"
    fitted = Row("growth.depth", "cost per layer", "us", {"gpugrad": Spread(3.0, 2.9, 3.2)}, note=note)
    (picture,) = pictures(*rows, fitted).values()
    assert [(curve.name, curve.law) for curve in picture.curves] == [
        ("gpugrad", "2 us + 3 us per layer"), ("JAX jit", "no law"), ("MyGrad", ""),
    ]  # fmt: skip
    assert [len(curve.points) for curve in picture.curves] == [2, 2, 2]


def test_void_rows_and_rows_that_did_not_run_have_none() -> None:
    assert pictures(Row("mlp", "a step", void="they differ"), Row("gpt", "gpt", note="not run: no time")) == {}


def test_another_figure_is_another_hash() -> None:
    (picture,), (other,) = (pictures(row("mlp", "a step", {"JAX jit": x})).values() for x in (0.5, 0.501))
    assert picture.digest != other.digest


def test_drawing_is_deterministic_and_keeps_the_figures_as_they_are_written() -> None:
    drawing = drawn_by_matplotlib()
    for picture in pictures(*EVERYTHING).values():
        text = drawing.draw(picture)
        assert text == drawing.draw(picture)
        assert module("pictures").hashes(text) == (picture.digest, True)
        assert "dc:date" not in text and 'fill: #ffffff"' in text  # no day in it, and a background
    text = drawing.draw(pictures(*EVERYTHING)["training"])
    assert ">1.23 (1.11 to 1.36)</text>" in text and ">gpt: 4 layers &amp; 2 &lt; 3, batch 16</text>" in text
    assert "of PyTorch eager, JAX jit" in text


def test_a_change_by_hand_is_noticed() -> None:
    drawing = drawn_by_matplotlib()
    picture = pictures(*EVERYTHING)["training"]
    text = drawing.draw(picture)
    assert module("pictures").hashes(text.replace(">0.5 (", ">0.4 (")) == (picture.digest, False)
    assert module("pictures").hashes("<svg></svg>") == ("", False)


@pytest.mark.parametrize("values", [(0.9, 1.1), (0.05, 3.0), (1.0, 1.0), (1e-3, 1e5)])
def test_an_axis_has_a_few_round_ticks_in_order(values: tuple[float, float]) -> None:
    axis = drawn_by_matplotlib().Log(values, 1.0, 5.0)
    ticks = [axis(tick) for tick in axis.ticks()]
    assert 1 <= len(ticks) <= 9 and ticks == sorted(ticks) and ticks[0] >= 1.0 and ticks[-1] <= 5.0
    assert 1.0 <= axis(values[0]) <= axis(values[1]) <= 5.0


def test_labels_are_moved_apart_in_their_order() -> None:
    found = drawn_by_matplotlib()._apart([3.0, 3.01, 2.0, 2.99], 0.2, 3.1)
    assert [sorted(found).index(x) for x in found] == [2, 3, 0, 1]
    assert all(b - a >= 0.2 - 1e-9 for a, b in zip(sorted(found), sorted(found)[1:], strict=False)) and max(found) <= 3.1
