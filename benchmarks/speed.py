"""The figures in README.md: what stands between two marks there is written from the reference results, and from nothing else."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence

from benchmarks.conclusions import FASTEST, VERDICTS, Result, counts, drawn, peer
from benchmarks.pictures import Picture
from benchmarks.tables import GROUPS, Row, cell, grouped, lean, ours, spread, targets

BEGIN = "<!-- speed: from benchmarks/results/cpu.json by `nox -s bench` -->"
END = "<!-- end -->"

SHOWN = ("training", "derivatives", "overhead", "size")
"""The groups that README.md has tables of, beside the memory of the cases of the first two; the page has all."""

CASES = {"memory", *(case for group in GROUPS if group.name in SHOWN[:2] for case in group.cases)}


def block(result: Result, pictures: Sequence[Picture] = ()) -> str:
    """What stands between the marks: on which machine, who is ahead, the targets, tables, and the picture of the first group."""
    groups = grouped(result["rows"])
    parts = [measured(result), "\n".join([*ahead(result), met(result["rows"])])]
    parts += [f"![{picture.alt}](docs/benchmarks/{picture.file})" for picture in pictures if picture.name == SHOWN[0]]
    for group in GROUPS:
        rows = [row for row in groups.get(group.name, []) if _shown(row, group.name)]
        if rows:
            parts += [f"{group.title}:", table(rows)]
    return "\n\n".join(parts)


def _shown(row: Row, group: str) -> bool:
    """Whether README.md has a row: those that tell of a peer, the memory of the same cases, and what the library itself costs."""
    compared = row["void"] or any(peer(comparison) for comparison in row["comparisons"])
    if group == "memory":
        return bool(compared and row["case"].partition(".")[0] in CASES)
    return group in SHOWN and bool(compared or group == SHOWN[-1])


def measured(result: Result) -> str:
    """Where and when, with which versions."""
    machine, versions = result["machine"], result["versions"]
    names = {"torch": "PyTorch", "jax": "JAX", "autograd": "HIPS autograd", "mygrad": "MyGrad", "numpy": "NumPy"}
    there = [f"{name} {versions[key]}" for key, name in names.items() if key in versions]
    with_ = f"{', '.join(there[:-1])} and {there[-1]}" if len(there) > 1 else "".join(there)
    text = (
        f"From [cpu.json](benchmarks/results/cpu.json), measured on {machine['cores']} cores ({machine['cpu']}, {machine['system']}), "
        f"{machine['threads']} threads for every library unless a line says otherwise, with {with_} ({result['date']}); medians, with the "
        "quartiles of the interleaved rounds in brackets. [All results, with pictures and how they were measured](docs/benchmarks.md)."
    )
    return textwrap.fill(text, 128, break_long_words=False, break_on_hyphens=False)


def ahead(result: Result) -> list[str]:
    """How often gpugrad is ahead of each peer: a line on time and one on memory."""
    found = drawn(result["rows"])
    lines = []
    for what, memory in (("Time", False), ("Memory", True)):
        tallies = {name: c for name, c in counts(found, memory=memory).items() if not name.startswith(FASTEST)}
        if tallies:
            lines.append(f"- {what}, beside " + "; ".join(f"{name}: {tally(count)}" for name, count in tallies.items()) + ".")
    return lines


def tally(count: Counter[str]) -> str:
    """How often each verdict was given."""
    return ", ".join(f"{count[said]} {said}" for said in VERDICTS if count[said])


def met(rows: Sequence[Row]) -> str:
    """How many targets are met, and every one that is missed, by name."""
    lines = targets(rows)
    missed = [f"{case} {work} ({label} {value}, {most})" for case, work, label, most, value, said in lines if said == "missed"]
    return f"- Targets: {results(lines)}." + (f" Missed: {'; '.join(missed)}." if missed else "")


def results(lines: Sequence[Sequence[str]]) -> str:
    """How often each result is the last in the lines of a table of targets."""
    return ", ".join(f"{count} {result}" for result, count in Counter(line[-1] for line in lines).items()) or "none"


def table(rows: Sequence[Row]) -> str:
    """A line per row: gpugrad's figure, and its ratio to each peer's."""
    lines = [["what", "gpugrad", "ratio to"]]
    for row in rows:
        mine = row["figures"].get(ours(row))
        ratios = [f"{peer(c)} {spread(c['spread'])}" for c in row["comparisons"] if peer(c)]
        text = f"void: {row['void']}" if row["void"] else "; ".join(ratios)
        lines.append([f"{row['case']}: {cell(row['work'])}", spread(mine, row["unit"]) if mine else "", cell(text)])
    return lean(lines)


def written(readme: str, text: str) -> str:
    """README.md with another text between the marks. Raises ValueError where there are no marks."""
    before, begun, rest = readme.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not begun or not ended:
        raise ValueError(f"README.md has no place for the tables: expected {BEGIN!r} and, below, {END!r}")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"
