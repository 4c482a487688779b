"""Rows as a table for people.

gpu.py draws tables where gpugrad may not be importable, so rows are taken as JSON has them, and nothing of gpugrad is imported here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpugrad.bench.method import Row


def table(rows: Iterable[Row]) -> str:
    """All rows as one Markdown table: a line per row, and one more for each further comparison."""
    return table_of([row.as_dict() for row in rows])


def table_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table of rows as :meth:`Row.as_dict` gives them, or a result file."""
    columns = list(dict.fromkeys(name for row in rows for name in row["figures"]))
    lines = [["case", "work", *columns, "compared", "figure", "quartiles", "target", "verdict"]]
    for row in rows:
        figures = [_figure(row["figures"].get(name), row["unit"]) for name in columns]
        if row["void"] or not row["comparisons"]:
            last = f"VOID: {row['void']}" if row["void"] else "" if row["figures"] else row["note"]
            lines.append([row["case"], row["work"], *figures, "", "", "", "", last])
            continue
        for i, comparison in enumerate(row["comparisons"]):
            start = [row["case"], row["work"], *figures] if i == 0 else ["", "", *[""] * len(columns)]
            lines.append([*start, *_cells(comparison)])
    notes = [
        f"{row['case']}: {row['note']}" for row in rows if row["note"] and (row["void"] or row["figures"] or row["comparisons"])
    ]
    return "\n".join([markdown(lines), *(["", *notes] if notes else [])])


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its first line the header, that also reads well on a terminal."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    drawn = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines]
    return "\n".join([drawn[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *drawn[1:]])


def _cells(comparison: Mapping[str, Any]) -> list[str]:
    spread, limit, unit = comparison["spread"], comparison["limit"], f" {comparison['unit']}" if comparison["unit"] else ""
    quartiles = f"{number(spread['low'])} to {number(spread['high'])}"
    target = "" if limit is None else f"<= {limit:g}{unit}"
    return [comparison["label"], number(spread["median"]) + unit, quartiles, target, comparison["verdict"]]


def _figure(spread: Mapping[str, float] | None, unit: str) -> str:
    return "" if spread is None else f"{number(spread['median'])} {unit}".strip()


def number(value: float) -> str:
    """Three significant digits, without an exponent where that is readable."""
    return f"{value:.0f}" if abs(value) >= 999.5 else f"{value:.3g}"
