"""The picture of a comparison: a panel per case, time over size on logarithmic axes, a line with its quartiles for each device.

It is drawn from what ``--json`` writes and from nothing else. matplotlib draws, which gpugrad does not need otherwise: it is loaded when
a picture is asked for (the extra ``plot``). No window is opened and nothing of the user's settings is read or changed: figures are
made without pyplot, in matplotlib's own style.
"""

from __future__ import annotations

import importlib
import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gpugrad.bench.method import Row
from gpugrad.bench.table import by_case, number, scaled, versions
from gpugrad.check import files

INSTALL = 'python -m pip install "gpugrad[plot]"'

SECONDS = 4.0
"""What drawing may take, on a slow machine."""

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#333333", "#999933")
"""Of the devices: those of Okabe and Ito, which colour-blind people tell apart."""

MARKERS = "osD^vPX*"
INK, FAINT, GRID = "#1f2328", "#59636e", "#d1d9e0"

COLUMNS = 5
WIDTH, HEIGHT = 3.0, 2.5
"""Of a panel, in inches."""

LEAST = 7.0
"""The least width of a picture, for its title."""

STEP = 0.17
"""From line to line of text, in inches."""

SETTINGS = {"font.size": 8, "text.parse_math": False, "axes.edgecolor": FAINT, "xtick.color": INK, "ytick.color": INK}


def problem(file: Path) -> str:
    """Why a picture cannot be drawn into this file, and what to do; empty if it can be."""
    try:
        importlib.import_module("matplotlib.figure")
        formats = importlib.import_module("matplotlib.backend_bases").FigureCanvasBase.get_supported_filetypes()
    except Exception as error:  # ImportError, or whatever a broken installation raises
        said = " ".join(str(error).split()) or type(error).__name__
        return f"--plot draws with matplotlib, which cannot be imported ({said}); install it with: {INSTALL}"
    if file.suffix.lower().removeprefix(".") not in formats:
        return f"cannot draw {str(file)!r}: its suffix names no format of pictures; end it in .png, .pdf or .svg"
    return files.problem(file, "--plot")


def draw(found: Mapping[str, Any], file: Path) -> None:
    """Draw what ``--json`` writes into a file."""
    style = importlib.import_module("matplotlib.style")  # here and in figure(): only who draws has matplotlib
    with style.context(["default", SETTINGS]):  # leaves the backend alone, and all settings as they were
        figure(found).savefig(file, dpi=150)


def figure(found: Mapping[str, Any]) -> Any:
    """The picture, a matplotlib Figure."""
    cases = by_case(found)
    columns = min(COLUMNS, math.ceil(math.sqrt(len(cases))))
    lines = math.ceil(len(cases) / columns)
    width = max(columns * WIDTH, LEAST)
    about = _about(found, int(width * 14))
    above = 0.8 + STEP * len(about)  # inches above the panels
    height = lines * HEIGHT + above
    made = importlib.import_module("matplotlib.figure").Figure(figsize=(width, height))
    # By hand, as a layout that matplotlib finds costs more than all drawing: inches left for ticks, and for titles and labels.
    across, up = width / columns - 0.75, HEIGHT - 1.0
    made.subplots_adjust(
        left=0.65 / width, right=1 - 0.1 / width, wspace=0.75 / across,
        bottom=0.45 / height, top=1 - (above + 0.55) / height, hspace=1.0 / up,
    )  # fmt: skip
    names = list(found["devices"])
    texts = [(f"What a step takes, over its size: {' and '.join(names)}", {"size": 12, "weight": "bold"})]
    texts += [(line, {"color": FAINT}) for line in about]
    for i, (text, how) in enumerate(texts):
        made.text(0.15 / width, 1 - (0.25 + STEP * (i + (i > 0) * 0.4)) / height, text, va="center", **how)
    panels = made.subplots(lines, columns, squeeze=False).ravel()
    for axes in panels[len(cases) :]:
        axes.axis("off")
    for axes, (case, rows) in zip(panels, cases.items(), strict=False):
        axes.set_title("\n".join([case, *textwrap.wrap(found["cases"][case]["work"], 45)]), loc="left", fontsize=8)
        axes.set_xlabel(found["cases"][case]["grows"], color=FAINT)
        crossings = [x for x in found["crossovers"] if x["case"] == case]
        _panel(axes, rows, names, below=len(crossings))
        _crossovers(axes, crossings, names)
    lines_ = [panels[0].plot([], [], **_style(i), label=name)[0] for i, name in enumerate(names)]
    made.legend(
        handles=lines_, loc="center left", bbox_to_anchor=(0.05 / width, 1 - (above - 0.2) / height), ncols=8, frameon=False
    )
    return made


def _about(found: Mapping[str, Any], width: int) -> list[str]:
    """The lines below the title, of so many letters: machine, versions, and how to read what is drawn."""
    used = found["threads"]
    machine = [f"{device}: {name}" for device, name in found["devices"].items()]
    machine.append(f"threads on the CPU: {used['kernels']} for kernels, BLAS {used['BLAS']}, {used['cores']} cores")
    marks = [f"points: medians of {found['rounds']} rounds; bands and bars: quartiles"]
    if found["crossovers"]:
        marks.append(f"dashed: the size from which on a device is faster than {found['crossovers'][0]['against']}")
    marks += [found["date"], *([] if found["complete"] else ["the run was cut short"])]
    return [line for text in ("; ".join(machine), versions(found), "; ".join(marks)) for line in textwrap.wrap(text, width)]


def _style(i: int) -> dict[str, Any]:
    return {"color": COLORS[i % len(COLORS)], "marker": MARKERS[i % len(MARKERS)], "markersize": 4, "linewidth": 1.3}


def _panel(axes: Any, rows: Sequence[Row], names: Sequence[str], below: int) -> None:
    """The lines of a case, with room for some lines of text `below` them.

    A size without figures is on the axis, too, with a word on why there are none.
    """
    sizes = [row.size or 1 for row in rows]
    axes.set(xscale="log", yscale="log", xlim=_apart(min(sizes), max(sizes), 0.04, 0.3))
    axes.set_xticks(sizes, [short(size) for size in sizes])
    axes.grid(color=GRID, linewidth=0.5)
    for spine in ("top", "right"):
        axes.spines[spine].set_visible(False)
    seen: list[float] = []
    for i, name in enumerate(names):
        points = [(row.size or 1, row.figures[name]) for row in rows if name in row.figures and row.figures[name].low > 0]
        if not points:
            continue
        across, lows, highs = [x for x, _ in points], [y.low for _, y in points], [y.high for _, y in points]
        axes.fill_between(across, lows, highs, color=COLORS[i % len(COLORS)], alpha=0.25, linewidth=0)
        axes.vlines(across, lows, highs, color=COLORS[i % len(COLORS)], linewidth=1.3)
        axes.plot(across, [y.median for _, y in points], **_style(i))
        seen += [*lows, *highs]
    if seen:
        low, high = _apart(min(seen), max(seen), 0.12, 0.9)
        axes.set_ylim(low / (high / low) ** (0.11 * below), high)
    ticks = _ticks(*axes.get_ylim()) if seen else []
    axes.set_yticks(ticks, [_time(tick) for tick in ticks])
    axes.minorticks_off()
    for row in rows:
        if row.void or not row.figures:
            text = "void" if row.void else row.note.partition(":")[0]
            how = {"transform": axes.get_xaxis_transform(), "rotation": 90, "ha": "center", "va": "top", "color": FAINT}
            axes.text(row.size or 1, 0.97, text, **how)


def _crossovers(axes: Any, crossings: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    """A dashed line where a device begins to win, and below the lines from which size that is."""
    for i, crossing in enumerate(crossings):
        color, size = COLORS[names.index(crossing["device"]) % len(COLORS)], crossing["size"]
        if size is not None:
            axes.axvline(size, color=color, linestyle="--", linewidth=1)
        text = f"{crossing['device']}: {'no crossover' if size is None else f'from {short(size)} on'}"
        axes.text(0.98, 0.03 + 0.08 * i, text, color=color, size=7, ha="right", transform=axes.transAxes)


def short(size: int) -> str:
    """A size as people say it: 512, 1k and 32M, which are multiples of 1024, and 1,500."""
    for unit, letter in ((1 << 30, "G"), (1 << 20, "M"), (1 << 10, "k")):
        if size % unit == 0:
            return f"{size // unit}{letter}"
    return f"{size:,}"


def _apart(low: float, high: float, room: float, least: float) -> tuple[float, float]:
    """Limits of a logarithmic axis with some room on both sides, in parts of its length, at least so many decades apart."""
    a, b = math.log10(low), math.log10(high)
    more = max(room * (b - a), (least - (b - a)) / 2, 0.05)
    return 10 ** (a - more), 10 ** (b + more)


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between two others: not fewer than two, if they are 0.7 decades apart, and not many."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1, 2, 5), (1,)):
        found = [digit * 10.0**k for k in decades for digit in digits if low <= digit * 10.0**k <= high]
        if len(found) <= 6:
            break
    return found


def _time(seconds: float) -> str:
    scale, unit = scaled(seconds * (1 + 1e-9))  # 1e-6 is a microsecond, also where it is the next smaller number
    return f"{number(seconds * scale)} {unit}"
