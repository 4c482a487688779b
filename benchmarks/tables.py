"""The rows of a result file, in groups, as the tables of docs/benchmarks.md. Rows are taken as JSON has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.conclusions import peer, sides, verdict
from benchmarks.growth import FURTHEST
from benchmarks.report import number
from benchmarks.run import NAMES

Row = Mapping[str, Any]

RESULTS = {"pass": "met", "fail": "missed", "undecided": "undecided"}
"""What is said of a target, by the verdict of a comparison."""


@dataclass(frozen=True)
class Group:
    """A section of the page: `cases` are the names of its rows up to the first dot."""

    name: str
    title: str
    text: str
    cases: Sequence[str] = ()


GROUPS = (
    Group(
        "training",
        "Training steps",
        "Forward pass, backward pass and the optimizer's update, from the same initial weights on the same data.",
        ("mlp", "cnn", "gpt", "lstm", "tiny"),
    ),
    Group(
        "derivatives",
        "Derivatives",
        "Gradients of formulas and Hessian-vector products, without layers.",
        ("options", "gp", "hvp", "einsum"),
    ),
    Group(
        "overhead",
        "Engine overhead",
        "What recording, sweeping and calling cost where the arrays are so small that computing costs next to nothing.",
        ("op", "chain", "call", "deep"),
    ),
    Group(
        "memory", "Memory", "The most memory that the work takes, beyond what was in use before it, in a process of its own."
    ),
    Group(
        "kernels",
        "Kernels",
        "Functions that run as compiled kernels, and the hardware's own limits.",
        ("kernels", "adam", "bandwidth", "gemm"),
    ),
    Group("optimizers", "Optimizers", "A step of each.", ("optimizers",)),
    Group("layers", "Layers", "Layers, forward and backward, with the same weights and input.", ("layers", "checkpointing")),
    Group(
        "growth",
        "How cost grows",
        "The same work in growing sizes, and the laws that fit: a fixed cost and a cost per unit of what grows. In brackets stands what that "
        "cost varies between, if one size is left out or if times are others within their quartiles, and how far the times are from the "
        f"law at most. Where one is more than {FURTHEST:g} times the law, or the law more than that times it, none is stated.",
        ("growth",),
    ),
    Group(
        "compile",
        "Compile time",
        "What compiling takes, at first use; no other table counts it.",
        ("compile",),
    ),
    Group("size", "Import and size", "What having the library costs before it computes.", ("import", "size", "install")),
    Group("other", "Other", "Cases that are in none of the groups above."),
)

_ALONE = ("growth", "size")
"""Groups whose rows stay together, whatever their unit."""


def group_of(row: Row) -> str:
    """The name of the group a row belongs to: that of its case, but what is measured in MiB is with memory."""
    base = row["case"].partition(".")[0]
    found = next((group.name for group in GROUPS if base in group.cases), "other")
    return "memory" if found not in _ALONE and (row["unit"] == "MiB" or base == "memory") else found


def grouped(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows by the names of their groups, in the order of the page; those that did not run are left out."""
    found: dict[str, list[Row]] = {group.name: [] for group in GROUPS}
    for row in rows:
        if not not_run(row):
            found[group_of(row)].append(row)
    return {name: there for name, there in found.items() if there}


def not_run(row: Row) -> bool:
    """Whether a row only says why there is nothing to say."""
    return row["note"].startswith("not run: ") and not (row["void"] or row["figures"] or row["comparisons"])


def command(rows: Iterable[Row]) -> str:
    """What measures these rows anew; a case that run.py knows no longer is left out of it."""
    cases = dict.fromkeys(row["case"].partition(".")[0] for row in rows)
    return "python -m nox -s bench -- " + " ".join(case for case in cases if case in NAMES)


def spread(values: Mapping[str, float], unit: str = "") -> str:
    """A median with its unit, and the quartiles."""
    text = number(values["median"]) + (f" {unit}" if unit else "")
    if values["low"] == values["high"]:
        return text
    return f"{text} ({number(values['low'])} to {number(values['high'])})"


def ours(row: Row) -> str:
    """The name of gpugrad's column: the first side of a comparison, or the first figure that bears its name; empty if it has none."""
    pairs = (sides(c["label"], sign) for c in row["comparisons"] for sign in (" / ", " - "))
    names = [pair[0] for pair in pairs if pair and pair[0] in row["figures"]]
    return next((name for name in (*names, *row["figures"]) if name.partition(" ")[0] == "gpugrad"), "")


def table(rows: Sequence[Row]) -> str:
    """The table for rows: with a line per comparison where gpugrad is compared, else a column per figure."""
    if any(row["void"] or (ours(row) and row["comparisons"]) for row in rows):
        return compared(rows)
    return columns(rows)


def compared(rows: Sequence[Row]) -> str:
    """A line per comparison, with the verdict and the target, and what the rows say beside their figures."""
    lines = [["case", "work", "gpugrad", "against", "takes", "ratio, or + difference", "gpugrad is", "target"]]
    for row in rows:
        start = [f"`{row['case']}`", cell(row["work"])]
        if row["void"]:
            lines.append([*start, f"void: {cell(row['void'])}", "", "", "", "void", ""])
            continue
        mine = row["figures"].get(ours(row))
        start.append(spread(mine, row["unit"]) if mine else "")
        for comparison in row["comparisons"] or [None]:
            lines.append([*start, *(_against(row, comparison) if comparison else [""] * 5)])
            start = ["", "", ""]
    return _with_notes(lean(lines), rows)


def _against(row: Row, comparison: Mapping[str, Any]) -> list[str]:
    """Whom with, its own figure, the ratio or the difference, the verdict, the target."""
    pair, excess = sides(comparison["label"]), sides(comparison["label"], " - ")
    theirs = pair[1] if pair else excess[1] if excess else "" if comparison["label"] == ours(row) else comparison["label"]
    takes = row["figures"].get(theirs)
    text = ("+" if excess else "") + spread(comparison["spread"], comparison["unit"])
    said = verdict(comparison["spread"]) if peer(comparison) else ""
    return [cell(theirs), spread(takes, row["unit"]) if takes else "", text, said, _target(comparison)]


def limit(comparison: Mapping[str, Any]) -> str:
    """The most that a comparison may come to."""
    return f"at most {comparison['limit']:g}" + (f" {comparison['unit']}" if comparison["unit"] else "")


def _target(comparison: Mapping[str, Any]) -> str:
    return "" if comparison["limit"] is None else f"{limit(comparison)}: {RESULTS[comparison['verdict']]}"


def columns(rows: Sequence[Row]) -> str:
    """A column per figure, whatever they are called; what rows say beside their figures stands below."""
    names = list(dict.fromkeys(name for row in rows for name in row["figures"]))
    lines = [["case", "work", *names]]
    for row in rows:
        ratios = {_other(c): f"; ratio {spread(c['spread'])}" for c in row["comparisons"]}
        figures = [
            spread(row["figures"][name], row["unit"]) + ratios.get(name, "") if name in row["figures"] else "" for name in names
        ]
        lines.append([f"`{row['case']}`", cell(row["work"]), *figures])
    told = [
        f"- {cell(row['work'])}: {comparison['label']} {spread(comparison['spread'], comparison['unit'])}"
        + ("" if comparison["limit"] is None else f"; target {_target(comparison)}")
        for row in rows
        for comparison in row["comparisons"]
        if _other(comparison) not in row["figures"]
    ]
    return _with_notes("\n".join([lean(lines), *(["", *told] if told else [])]), rows)


def _other(comparison: Mapping[str, Any]) -> str:
    """The other column of a ratio; empty for what is none."""
    return (sides(comparison["label"]) or ("", ""))[1]


def _with_notes(text: str, rows: Sequence[Row]) -> str:
    """Below a table what its rows note, each note once."""
    notes: dict[str, list[str]] = {}
    for row in rows:
        if row["note"]:
            notes.setdefault(row["note"], []).append(row["work"])
    told = [
        f"- {cell('all of them' if len(works) == len(rows) else '; '.join(works))}: {cell(note)}"
        for note, works in notes.items()
    ]
    return "\n".join([text, *(["", *told] if told else [])])


def first_steps(rows: Sequence[Row]) -> str:
    """The seconds of the first step of each column; empty if no row has any."""
    rows = [row for row in rows if row.get("first") and not row["void"]]
    names = list(dict.fromkeys(name for row in rows for name in row["first"]))
    lines = [["case", "work", *names]]
    for row in rows:
        cells = [f"{number(row['first'][name])} s" if name in row["first"] else "" for name in names]
        lines.append([f"`{row['case']}`", cell(row["work"]), *cells])
    return lean(lines) if rows else ""


def targets(rows: Sequence[Row]) -> list[list[str]]:
    """Every target with what was measured, the missed ones first."""
    found = []
    for row in rows:
        for comparison in row["comparisons"]:
            if comparison["limit"] is not None:
                result = "void" if row["void"] else RESULTS[comparison["verdict"]]
                measured = spread(comparison["spread"], comparison["unit"])
                found.append(
                    [f"`{row['case']}`", cell(row["work"]), cell(comparison["label"]), limit(comparison), measured, result]
                )
        if row["void"] and not row["comparisons"]:
            found.append([f"`{row['case']}`", cell(row["work"]), cell(row["void"]), "", "", "void"])
    order = ("void", "missed", "undecided", "met")
    return sorted(found, key=lambda line: order.index(line[-1]))


def lean(lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table without padding, its first line the header: a figure that changes changes its own line alone."""
    head, *rest = ("| " + " | ".join(line) + " |" for line in lines)
    return "\n".join([head, "|" + "---|" * len(lines[0]), *rest])


def cell(text: str) -> str:
    """Text as a cell of a Markdown table takes it."""
    return text.replace("|", "\\|").replace("\n", " ")
