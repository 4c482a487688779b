"""Rows as a table for people and as JSON for everything else."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.method import Comparison, Row, Spread


def table(rows: Sequence[Row]) -> str:
    """All rows as one Markdown table: a line per row, and one more for each further comparison."""
    columns = list(dict.fromkeys(name for row in rows for name in row.figures))
    lines = [["case", "work", *columns, "compared", "figure", "quartiles", "target", "verdict"]]
    for row in rows:
        figures = [_figure(row.figures.get(name), row.unit) for name in columns]
        if row.void or not row.comparisons:
            lines.append([row.case, row.work, *figures, "", "", "", "", f"VOID: {row.void}" if row.void else row.note])
            continue
        for i, comparison in enumerate(row.comparisons):
            start = [row.case, row.work, *figures] if i == 0 else ["", "", *[""] * len(columns)]
            lines.append([*start, *_cells(comparison)])
    notes = [f"{row.case}: {row.note}" for row in rows if row.note and (row.void or row.comparisons)]
    return "\n".join([markdown(lines), *(["", *notes] if notes else [])])


def table_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table of rows that were read from a result file."""
    return table([from_dict(row) for row in rows])


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its first line the header, that also reads well on a terminal."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    drawn = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines]
    return "\n".join([drawn[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *drawn[1:]])


def _cells(comparison: Comparison) -> list[str]:
    spread, unit = comparison.spread, f" {comparison.unit}" if comparison.unit else ""
    limit = "" if comparison.limit is None else f"<= {comparison.limit:g}{unit}"
    quartiles = f"{number(spread.low)} to {number(spread.high)}"
    return [comparison.label, number(spread.median) + unit, quartiles, limit, comparison.verdict]


def _figure(spread: Spread | None, unit: str) -> str:
    return "" if spread is None else f"{number(spread.median)} {unit}".strip()


def number(value: float) -> str:
    """Three significant digits, without an exponent where that is readable."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def as_dict(row: Row) -> dict[str, Any]:
    """A row as JSON takes it, verdicts included."""
    found = dataclasses.asdict(row)
    found["comparisons"] = [{**dataclasses.asdict(c), "verdict": c.verdict} for c in row.comparisons]
    return found


def write(path: Path, rows: Iterable[Row], about: Mapping[str, Any]) -> None:
    """A result file: `about` (date, machine, versions) and the rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {**about, "rows": [as_dict(row) for row in rows]}
    path.write_text(json.dumps(content, indent=1) + "\n")


def from_dict(found: Mapping[str, Any]) -> Row:
    """A row from what :func:`as_dict` made of it."""
    comparisons = [Comparison(c["label"], Spread(**c["spread"]), c["limit"], c["unit"]) for c in found["comparisons"]]
    figures = {name: Spread(**spread) for name, spread in found["figures"].items()}
    return Row(found["case"], found["work"], found["unit"], figures, comparisons, found["void"], found["note"])
