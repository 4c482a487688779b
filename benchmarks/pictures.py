"""What the pictures of docs/benchmarks.md show: dots for ratios, curves for growth, bars for memory. drawing.py draws them.

A picture is data that follows from the rows alone, so whether one in the checkout shows the results can be checked without drawing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from benchmarks.conclusions import UNDECIDED, peer, verdict
from benchmarks.report import number
from benchmarks.tables import GROUPS, Row, grouped

PENDING = "0" * 64
"""Stands for the hash of a file while that is worked out."""

FORMAT = 1
"""Raise it where pictures are drawn otherwise from the same data: those in the checkout are then out of date."""


@dataclass(frozen=True)
class Picture:
    """A picture: the name of its file, its title, and a line below that."""

    name: str
    title: str
    subtitle: str
    kind: ClassVar[str] = ""

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.name}.svg"

    @property
    def alt(self) -> str:
        """What it shows, for who cannot see it."""
        raise NotImplementedError

    @property
    def digest(self) -> str:
        """A hash of all that is drawn."""
        text = json.dumps([FORMAT, self.kind, dataclasses.asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Dot:
    """A ratio: to whom, its quartiles and median, the target, and whether it allows a verdict."""

    against: str
    low: float
    median: float
    high: float
    limit: float | None
    decided: bool


@dataclass(frozen=True)
class Dots(Picture):
    """Ratios by work, on a logarithmic axis."""

    works: Sequence[tuple[str, Sequence[Dot]]]
    peers: Sequence[str]
    """All in the result file, in their order: a peer has the same colour in every picture."""
    kind: ClassVar[str] = "dots"

    @property
    def alt(self) -> str:
        """The range, and how many are below 1."""
        found = [dot for _, dots in self.works for dot in dots]
        low, high = (number(f(dot.median for dot in found)) for f in (min, max))
        below = sum(dot.median < 1 for dot in found)
        return f"{self.title}, {self.subtitle}: {len(found)} between {low} and {high}, {below} of them below 1; all are in the table"


@dataclass(frozen=True)
class Curve:
    """What a library takes in each size; `law` is the fit that the rows tell of, in their words."""

    name: str
    points: Sequence[tuple[float, float, float, float]]
    """Size, lower quartile, median, upper quartile."""
    law: str


@dataclass(frozen=True)
class Curves(Picture):
    """What libraries take as something grows, on logarithmic axes."""

    grows: str
    unit: str
    curves: Sequence[Curve]
    peers: Sequence[str]
    kind: ClassVar[str] = "curves"

    @property
    def alt(self) -> str:
        """Each library at the largest size."""
        ends = ", ".join(f"{curve.name} {number(curve.points[-1][2])} {self.unit}" for curve in self.curves)
        return f"{self.title}, {self.subtitle}: at the largest size {ends}; all figures are in the table"


@dataclass(frozen=True)
class Bars(Picture):
    """Memory by work, each work to a scale of its own."""

    unit: str
    works: Sequence[tuple[str, Sequence[tuple[str, float, float, float]]]]
    """Per work and column: lower quartile, median, upper quartile."""
    peers: Sequence[str]
    kind: ClassVar[str] = "bars"

    @property
    def alt(self) -> str:
        """How many works there are; the bars are numbers in the table."""
        return f"{self.title} of {len(self.works)} works, a bar per library; all figures are in the table"


def pictures(rows: Iterable[Row]) -> list[Picture]:
    """All pictures of a result file, in the order of the page."""
    groups = grouped(row for row in rows if not row["void"])
    libraries = list(dict.fromkeys(name for there in groups.values() for row in there for name in _libraries(row)))
    found: list[Picture] = []
    for group in GROUPS:
        there = groups.get(group.name, [])
        if group.name == "growth":
            found += _curves(there, libraries)
            continue
        works = _dots(there)
        if works:
            what = "memory" if group.name == "memory" else "time"
            title = "Memory" if what == "memory" else group.title
            subtitle, works = _shorter(works)
            against = {dot.against for _, dots in works for dot in dots}
            told = f"{what} of gpugrad / {what} of {against.pop() if len(against) == 1 else 'the peer'}"
            told += f"; {subtitle}" if subtitle else ""
            found.append(Dots(group.name, f"{title}: ratios", told, works, libraries))
        if group.name == "memory":
            found += _bars(there, libraries)
    return found


def hashes(svg: str) -> tuple[str, bool]:
    """The hash of the data that a file says it shows (empty if it says nothing), and whether the file is as it was drawn."""
    found = re.search("data sha256 ([0-9a-f]{64}), file sha256 ([0-9a-f]{64})", svg)
    if found is None:
        return "", False
    return found[1], stamped(svg.replace(found[2], PENDING)) == svg


def stamped(svg: str) -> str:
    """The file with its own hash in the place that is kept for it."""
    return svg.replace(PENDING, hashlib.sha256(svg.encode()).hexdigest())


def of_group(found: Sequence[Picture], name: str) -> list[Picture]:
    """The pictures that belong to a group of the page."""
    return [picture for picture in found if picture.name.partition("-")[0] == name]


def _libraries(row: Row) -> list[str]:
    """The columns of a row that has ratios, those of peers that are a choice of columns left out."""
    return [name for name in row["figures"] if any(peer(c) for c in row["comparisons"])]


def _works(rows: Sequence[Row]) -> dict[str, Row]:
    """Rows by what they are called in a picture: their case too where there are several."""
    several = len({row["case"] for row in rows}) > 1
    return {(f"{row['case']}: {row['work']}" if several else row["work"]): row for row in rows}


def _dots(rows: Sequence[Row]) -> list[tuple[str, list[Dot]]]:
    found = []
    for name, row in _works(rows).items():
        dots = [
            Dot(
                peer(c), *_quartiles(c["spread"]), limit=c["limit"], decided=verdict(c["spread"]) != UNDECIDED
            )
            for c in row["comparisons"]
            if peer(c) and min(c["spread"].values()) > 0
        ]  # fmt: skip
        if dots:
            found.append((name, dots))
    return found


def _bars(rows: Sequence[Row], libraries: Sequence[str]) -> list[Picture]:
    works = [
        (name, [(column, *_quartiles(found)) for column, found in row["figures"].items()])
        for name, row in _works([row for row in rows if row["unit"] == "MiB" and row["figures"]]).items()
    ]
    subtitle, works = _shorter(works)
    told = "MiB, a scale for each work; line: quartiles" + (f"; {subtitle}" if subtitle else "")
    return [Bars("memory-peaks", "Peak memory", told, "MiB", works, libraries)] if works else []


def _curves(rows: Sequence[Row], libraries: Sequence[str]) -> list[Picture]:
    found: list[Picture] = []
    for case in dict.fromkeys(row["case"] for row in rows):
        there = sorted(
            (row for row in rows if row["case"] == case and row["size"] and row["figures"]), key=lambda row: row["size"]
        )
        names = dict.fromkeys(name for row in there for name in row["figures"])
        curves = [
            Curve(
                name,
                [(float(row["size"]), *_quartiles(row["figures"][name])) for row in there if name in row["figures"]],
                _law(name, [row for row in rows if row["case"] == case]),
            )
            for name in names
        ]
        if len({row["size"] for row in there}) > 1:
            grows = case.partition(".")[2] or "size"
            found.append(
                Curves(
                    f"growth-{grows.replace('.', '-')}",
                    f"Growth with {grows}",
                    _common([row["work"] for row in there]),
                    grows,
                    there[0]["unit"],
                    curves,
                    libraries,
                )
            )
    return found


def _common(works: Sequence[str]) -> str:
    """What works have in common, word by word; dots for what they have not."""
    words = [work.split(" ") for work in works]
    if len({len(found) for found in words}) > 1:
        return ""
    return " ".join(
        found[0] if len(set(found)) == 1 else "…" + "," * found[0].endswith(",") for found in zip(*words, strict=True)
    )


def _law(name: str, rows: Sequence[Row]) -> str:
    """What a case notes of one column, without its interval or the reason why there is no law: what fits beside a curve."""
    start = f"{name}: "
    notes = (note.removeprefix(start) for row in rows for note in row["note"].split("; ") if note.startswith(start))
    return next(notes, "").partition(" (")[0].partition(": ")[0]


def _quartiles(spread: Mapping[str, float]) -> tuple[float, float, float]:
    return spread["low"], spread["median"], spread["high"]


def _shorter(works: Sequence[tuple[str, Any]]) -> tuple[str, list[tuple[str, Any]]]:
    """What all names end with, and the works without it; names are parts with commas between."""
    parts = [name.split(", ") for name, _ in works]
    shared = 0
    while (
        len(works) > 1 and all(len(found) > shared + 1 for found in parts) and len({found[-1 - shared] for found in parts}) == 1
    ):
        shared += 1
    ending = ", ".join(parts[0][len(parts[0]) - shared :]) if shared else ""
    return ending, [(", ".join(found[: len(found) - shared]), rest) for found, (_, rest) in zip(parts, works, strict=True)]
