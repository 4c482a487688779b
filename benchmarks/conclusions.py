"""What a run says of gpugrad beside each peer, and whether another run says the same: ``python benchmarks/conclusions.py FILE``.

"ahead" and "behind" are said of a ratio whose quartiles are closer together than its median is to 1; of others, "undecided". Rows are
taken as JSON has them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # started as a script: what is imported is this checkout, not this folder
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.machine import ROOT
from benchmarks.report import markdown, number
from gpugrad.bench.method import Comparison, Spread

REFERENCE = ROOT / "benchmarks" / "results" / "cpu.json"
"""The results that README.md and docs/benchmarks.md tell of."""

AHEAD, UNDECIDED, BEHIND, VOID = "ahead", "undecided", "behind", "void"
VERDICTS = (AHEAD, UNDECIDED, BEHIND, VOID)

FASTEST = "fastest of "
"""How the name of a choice of columns begins: the fastest of them in each round."""

_OF_ONE = {"pass": AHEAD, "fail": BEHIND, "undecided": UNDECIDED}

Result = Mapping[str, Any]
"""A file of benchmarks/run.py: the machine, the versions, the rows."""

Key = tuple[str, str, str]
"""A case, its work, and whom it is compared with."""


@dataclass(frozen=True)
class Conclusion:
    """What one comparison says; of a void row, that it says nothing."""

    verdict: str
    figure: str = ""
    memory: bool = False

    def __str__(self) -> str:
        return f"{self.verdict}, {self.figure}" if self.figure else self.verdict


def sides(label: str, sign: str = " / ") -> tuple[str, str] | None:
    """Ours and theirs in the label of a ratio (or, with another sign, of a difference); None for any other label."""
    ours, found, theirs = label.partition(sign)
    return (ours, theirs) if found else None


def peer(comparison: Mapping[str, Any]) -> str:
    """The column that gpugrad is compared with in a ratio; empty for differences, bare figures, and gpugrad beside itself."""
    pair = sides(comparison["label"])
    return "" if pair is None or comparison["unit"] or pair[1].partition(" ")[0] == "gpugrad" else pair[1]


def verdict(spread: Mapping[str, float]) -> str:
    """Of a ratio: ahead where it is below 1, behind where above, undecided where the spread is larger than the difference."""
    return _OF_ONE[Comparison("", Spread(**spread), 1.0).verdict]


def drawn(rows: Sequence[Mapping[str, Any]]) -> dict[Key, Conclusion]:
    """The conclusion of every ratio to a peer. A void row has one, about nobody in particular."""
    found = {}
    for row in rows:
        if row["void"]:
            found[row["case"], row["work"], ""] = Conclusion(VOID, row["void"])
        for comparison in row["comparisons"]:
            if peer(comparison) and not row["void"]:
                spread = comparison["spread"]
                figure = f"{number(spread['median'])} ({number(spread['low'])} to {number(spread['high'])})"
                key = row["case"], row["work"], peer(comparison)
                found[key] = Conclusion(verdict(spread), figure, row["unit"] == "MiB")
    return found


def counts(conclusions: Mapping[Key, Conclusion], *, memory: bool) -> dict[str, Counter[str]]:
    """How often each verdict was given beside each peer, on time or on memory."""
    found: dict[str, Counter[str]] = {}
    for (_, _, against), conclusion in conclusions.items():
        if against and conclusion.memory == memory:
            found.setdefault(against, Counter())[conclusion.verdict] += 1
    return found


def beside(here: Result, there: Result) -> Iterator[tuple[Key, Conclusion | None, Conclusion | None]]:
    """Each comparison of two runs with what it says in both; None where a run has not made it.

    Work on all threads is the same work on a machine with another number of them.
    """
    ours, theirs = drawn(here["rows"]), drawn(there["rows"])
    used = set()
    for key, conclusion in ours.items():
        other = next((k for k in (key, _on_threads_of(key, here, there)) if k in theirs), None)
        used.add(other)
        yield key, conclusion, theirs[other] if other else None
    yield from ((key, None, conclusion) for key, conclusion in theirs.items() if key not in used)


def _on_threads_of(key: Key, here: Result, there: Result) -> Key:
    case, work, against = key
    return case, work.replace(f", {_threads(here)}", f", {_threads(there)}"), against


def _threads(result: Result) -> str:
    count = result["machine"]["threads"]
    return f"{count} thread" if count == 1 else f"{count} threads"


def sentences(here: Result, there: Result, name: str = "docs/benchmarks.md") -> list[str]:
    """Whether a run says what the one on the page does: how often, and every comparison that differs or is missing, a line each."""
    chosen = {row["case"] for row in here["rows"]}  # of a run of some cases only these
    pairs = [pair for pair in beside(here, there) if pair[0][0] in chosen]
    both = [(key, a, b) for key, a, b in pairs if a and b]
    different = [(key, a, b) for key, a, b in both if a.verdict != b.verdict]
    head = f"the same conclusion as {name} in {len(both) - len(different)} of {len(both)} comparisons"
    lines = [head + ("; different:" if different else "")]
    lines += [f"  {_told(key)}: here {a}; there {b}" for key, a, b in different]
    for where, missing in (
        ("there", [(key, a) for key, a, b in pairs if a and not b]),
        ("here", [(key, b) for key, a, b in pairs if b and not a]),
    ):
        if missing:
            lines.append(f"not compared, as it was not measured {where}:")
            lines += [f"  {_told(key)}: {conclusion}" for key, conclusion in missing]
    return lines


def _told(key: Key) -> str:
    case, work, against = key
    return f"{case}, {work}" + (f", against {against}" if against else "")


def table(here: Result, there: Result) -> str:
    """Every verdict of a run beside that of another."""
    lines = [["case", "work", "against", "gpugrad is", "on the page"]]
    for (case, work, against), a, b in beside(here, there):
        if a:
            lines.append([case, work, against, str(a), b.verdict if b else ""])
    return markdown(lines) if len(lines) > 1 else "No row compares gpugrad with a peer."


def main(arguments: list[str]) -> int:
    """Print the conclusions of a file of results, and whether they are those of the reference."""
    parser = argparse.ArgumentParser(
        prog="python benchmarks/conclusions.py", description="What a run says, beside the reference."
    )
    parser.add_argument("file", type=Path, help="what benchmarks/run.py --json wrote")
    parser.add_argument("--reference", type=Path, default=REFERENCE, help="what to compare with (default cpu.json)")
    options = parser.parse_args(arguments)
    here, there = (json.loads(file.read_text(encoding="utf-8")) for file in (options.file, options.reference))
    print(table(here, there), "", *sentences(here, there), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
