"""Draws what pictures.py describes, as SVG: the same text for the same data, and two hashes in it that say what it was made of.

Places are inches from the top left corner, worked out here and not by matplotlib, so that nothing depends on how wide a font is: SVG is
drawn with the fonts of whoever looks at it. The background is white, for pages that are light or dark; colours are those of Okabe and Ito,
which colour-blind people tell apart, and each library has a marker of its own besides.
"""

from __future__ import annotations

import io
import itertools
import math
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from benchmarks.conclusions import FASTEST
from benchmarks.pictures import PENDING, Bars, Curves, Dot, Dots, Picture, stamped
from benchmarks.report import number

SETTINGS: Any = {
    "svg.fonttype": "none",  # letters, not outlines: small files, text that can be searched and read aloud
    "svg.hashsalt": "gpugrad",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "path.simplify": False,
}

OURS = "#d55e00"
PEERS = ("#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555", "#7f3c00")
MARKERS = "osD^PXh"
INK, FAINT, LINE = "#1f2328", "#59636e", "#d1d9e0"

WIDTH, MARGIN, TOP = 9.4, 0.15, 0.75
STEP = 0.19  # from line to line
LEFT, RIGHT = 3.5, 6.3  # of the axis
SIZE = 8.5  # of letters, in points


class Canvas:
    """A figure on which things are put at inches from its top left corner."""

    def __init__(self, width: float, height: float, picture: Picture, subtitle: str = "") -> None:
        self.height = height
        self.figure = Figure(figsize=(width, height), facecolor="white")
        self.axes: Any = self.figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        self.axes.axis("off")
        self.text(MARGIN, 0.22, picture.title, size=11, weight="bold")
        self.text(MARGIN, 0.44, subtitle or picture.subtitle, color=FAINT)

    def text(self, x: float, y: float, text: str, **style: Any) -> None:
        """A line of text, its middle at `y`."""
        defaults = {"color": INK, "size": SIZE, "va": "center_baseline", "ha": "left"}
        self.axes.text(x, y, text.replace("$", r"\$"), **{**defaults, **style})

    def line(self, xs: Sequence[float], ys: Sequence[float], **style: Any) -> None:
        """A line through points."""
        self.axes.plot(xs, ys, **{"color": LINE, "linewidth": 0.8, "clip_on": False, "solid_capstyle": "butt", **style})

    def marker(self, x: float, y: float, shape: str, color: str, *, filled: bool = True, size: float = 5.5) -> None:
        """A marker, hollow unless filled."""
        face = color if filled else "white"
        self.line([x], [y], marker=shape, color=color, markerfacecolor=face, markersize=size, markeredgewidth=1.2)

    def bar(self, x: float, y: float, width: float, height: float, color: str) -> None:
        """A rectangle whose left edge has its middle at (x, y)."""
        self.axes.barh([y], [width], height, left=x, color=color, clip_on=False)

    def svg(self, picture: Picture) -> str:
        """The file's text, with its hashes."""
        file = io.StringIO()
        about = f"data sha256 {picture.digest}, file sha256 {PENDING}"
        self.figure.savefig(file, format="svg", metadata={"Date": None, "Title": picture.title, "Description": about})
        # Two decimals are a hundredth of a point; more would differ from machine to machine.
        text = re.sub(r"<[^>]+>", lambda tag: re.sub(r"-?\d+\.\d{3,}", _rounded, tag[0]), file.getvalue())
        text = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
        return stamped(text)


def _rounded(found: re.Match[str]) -> str:
    return f"{float(found[0]):.2f}"


class Log:
    """A logarithmic axis from `start` to `end`, in inches, wide enough for some values."""

    def __init__(self, values: Iterable[float], start: float, end: float, *, room: float = 0.08) -> None:
        found = [math.log10(value) for value in values]
        low, high = min(found), max(found)
        room = max(room * (high - low), 0.05)
        self.low, self.high, self.start, self.end = low - room, high + room, start, end

    def __call__(self, value: float) -> float:
        """Where a value stands."""
        return self.start + (math.log10(value) - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round numbers, not more than fit."""
        decades = range(math.floor(self.low), math.ceil(self.high) + 1)
        for digits in ((1, 1.2, 1.5, 2, 3, 4, 5, 6, 7, 8, 9), (1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
            found = [
                digit * 10.0**k for k in decades for digit in digits if self.low <= math.log10(digit * 10.0**k) <= self.high
            ]
            if len(found) <= 9:
                break
        return found


def draw(picture: Picture) -> str:
    """The picture as SVG."""
    drawers: dict[type[Picture], Callable[[Any], Canvas]] = {Dots: _dots, Curves: _curves, Bars: _bars}
    with matplotlib.rc_context(SETTINGS):
        return drawers[type(picture)](picture).svg(picture)


def _style(name: str, peers: Sequence[str]) -> tuple[str, str]:
    """The colour and the marker of a column."""
    if name == "gpugrad":
        return OURS, "o"
    others = [peer for peer in peers if peer != "gpugrad"]
    if name not in others:
        return INK, "o"
    place = others.index(name)
    return PEERS[place % len(PEERS)], MARKERS[(place + 1) % len(MARKERS)]


def _rows(works: Sequence[tuple[str, Sequence[Any]]]) -> list[tuple[float, float, list[str]]]:
    """Per work the top, the height, and the lines of its name."""
    found = []
    top = TOP
    for name, lines in works:
        words = textwrap.wrap(name, 48)
        height = max(len(words), len(lines)) * STEP + 0.1
        found.append((top, height, words))
        top += height
    return found


def _names(canvas: Canvas, rows: Sequence[tuple[float, float, list[str]]]) -> None:
    """The names of the works, and lines between them."""
    for top, _, words in rows:
        canvas.line([MARGIN, WIDTH - MARGIN], [top, top])
        for i, line in enumerate(words):
            canvas.text(MARGIN, top + 0.05 + (i + 0.5) * STEP, line)


def _dots(picture: Dots) -> Canvas:
    found = [dot for _, dots in picture.works for dot in dots]
    rows = _rows(picture.works)
    bottom = rows[-1][0] + rows[-1][1]
    canvas = Canvas(WIDTH, bottom + 0.65, picture)
    axis = Log([1.0, *(x for dot in found for x in (dot.low, dot.high, dot.limit or 1.0))], LEFT, RIGHT)
    canvas.axes.add_patch(
        matplotlib.patches.Rectangle((LEFT, TOP), axis(1.0) - LEFT, bottom - TOP, color="#f1f6fb", linewidth=0, clip_on=False)
    )
    for tick in axis.ticks():
        canvas.line([axis(tick)] * 2, [TOP, bottom], linewidth=0.5)
        canvas.text(axis(tick), bottom + 0.13, number(tick), ha="center", color=FAINT)
    _names(canvas, rows)
    canvas.line([LEFT, RIGHT], [bottom, bottom])
    canvas.line([axis(1.0)] * 2, [TOP, bottom], color=INK, linewidth=1.2)
    canvas.text(axis(1.0) - 0.06, TOP - 0.1, "gpugrad takes less", ha="right", color=FAINT)
    if RIGHT - axis(1.0) > 0.4:
        canvas.text(axis(1.0) + 0.06, TOP - 0.1, "more", color=FAINT)
    several = len({dot.against for dot in found}) > 1
    for (_, dots), (top, _, _) in zip(picture.works, rows, strict=True):
        for i, dot in enumerate(dots):
            _dot(canvas, axis, top + 0.05 + (i + 0.5) * STEP, dot, picture.peers, several=several)
    marks = ["dot: median", "bar: quartiles", "hollow: undecided, the spread is larger than the difference from 1"]
    marks += ["small triangle: target"] if any(dot.limit is not None for dot in found) else []
    chosen = {dot.against.removeprefix(FASTEST) for dot in found if dot.against.startswith(FASTEST)}
    marks += [f"the fastest: of {' or of '.join(sorted(chosen))}"] if chosen else []
    canvas.text(MARGIN, bottom + 0.45, "; ".join(marks), color=FAINT, size=7.5)
    return canvas


def _dot(canvas: Canvas, axis: Log, y: float, dot: Dot, peers: Sequence[str], *, several: bool) -> None:
    """A ratio with its quartiles, its target, and what it is in words."""
    fastest = dot.against.startswith(FASTEST)
    color, shape = _style(dot.against, peers)
    if dot.limit is not None:
        canvas.marker(axis(dot.limit), y - 0.075, "v", INK, size=3.5)
    canvas.line([axis(dot.low), axis(dot.high)], [y, y], color=color, linewidth=2.2)
    canvas.marker(axis(dot.median), y, shape, color, filled=dot.decided)
    start = RIGHT + 0.12
    if several:
        weight = "bold" if fastest else "normal"
        canvas.text(start, y, "the fastest" if fastest else dot.against, weight=weight)
        start += 1.25
    canvas.text(start, y, f"{number(dot.median)} ({number(dot.low)} to {number(dot.high)})", color=FAINT)


def _curves(picture: Curves) -> Canvas:
    left, right, top, bottom = 0.75, 5.7, TOP, 3.9
    canvas = Canvas(WIDTH, bottom + 0.6, picture)
    points = [point for curve in picture.curves for point in curve.points]
    across = Log([point[0] for point in points], left, right, room=0.04)
    up = Log([x for point in points for x in point[1:]], bottom, top)
    for size in sorted({point[0] for point in points}):
        canvas.line([across(size)] * 2, [top, bottom], linewidth=0.5)
        canvas.text(across(size), bottom + 0.13, _size(size), ha="center", color=FAINT)
    for tick in up.ticks():
        canvas.line([left, right], [up(tick)] * 2, linewidth=0.5)
        canvas.text(left - 0.08, up(tick), f"{tick:,.0f}" if tick >= 1000 else number(tick), ha="right", color=FAINT)
    canvas.text(left, top - 0.12, picture.unit, ha="right", color=FAINT)
    canvas.text((left + right) / 2, bottom + 0.36, picture.grows, ha="center", color=FAINT)
    ends = _apart([up(curve.points[-1][2]) for curve in picture.curves], STEP, bottom)
    for curve, end in zip(picture.curves, ends, strict=True):
        color, shape = _style(curve.name, picture.peers)
        xs, ys = [across(point[0]) for point in curve.points], [up(point[2]) for point in curve.points]
        canvas.line(xs, ys, color=color, linewidth=2.2 if curve.name == "gpugrad" else 1.3)
        for x, y, (_, low, _, high) in zip(xs, ys, curve.points, strict=True):
            canvas.line([x, x], [up(low), up(high)], color=color, linewidth=1.3)
            canvas.marker(x, y, shape, color, size=4.5)
        canvas.line([xs[-1] + 0.06, right + 0.25], [ys[-1], end], color=color, linewidth=0.6)
        weight = "bold" if curve.name == "gpugrad" else "normal"
        canvas.text(right + 0.3, end, curve.name, weight=weight)
        canvas.text(right + 1.55, end, curve.law, color=FAINT)
    return canvas


def _size(size: float) -> str:
    """A size, short enough to stand beside the next: 1,024, 200k, 5M."""
    for unit, letter in ((10**6, "M"), (10**3, "k")):
        if size >= 10 * unit or (size >= unit and size % unit == 0):
            return f"{size / unit:.3g}{letter}"
    return f"{size:,.0f}"


def _apart(places: Sequence[float], least: float, bottom: float) -> list[float]:
    """Places moved as little as it takes to be `least` apart, in their order, none below `bottom`."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    found = list(places)
    for before, after in itertools.pairwise(order):
        found[after] = max(found[after], found[before] + least)
    limit = bottom
    for i in reversed(order):
        found[i] = min(found[i], limit)
        limit = found[i] - least
    return found


def _bars(picture: Bars) -> Canvas:
    rows = _rows(picture.works)
    bottom = rows[-1][0] + rows[-1][1]
    canvas = Canvas(WIDTH, bottom + 0.15, picture)
    _names(canvas, rows)
    length = RIGHT - LEFT + 0.2
    for (_, bars), (top, _, _) in zip(picture.works, rows, strict=True):
        most = max(high for _, _, _, high in bars) or 1.0
        for i, (name, low, median, high) in enumerate(bars):
            y = top + 0.05 + (i + 0.5) * STEP
            canvas.bar(LEFT, y, median / most * length, STEP * 0.62, _style(name, picture.peers)[0])
            canvas.line([LEFT + low / most * length, LEFT + high / most * length], [y, y], color=INK, linewidth=1.0)
            canvas.text(LEFT + high / most * length + 0.08, y, f"{name}, {number(median)} {picture.unit}")
    return canvas
