"""Writes docs/benchmarks.md, its pictures, and the figures in README.md from benchmarks/results/*.json, and from nothing else.

``python benchmarks/page.py``, which ``nox -s bench -- --page`` starts, measures nothing. tests/benchmarks/test_page.py holds what is in the
checkout to what this writes, so a figure that no run produced cannot get in.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # started as a script: what is imported is this checkout, not this folder
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks import speed, tables, targets
from benchmarks.conclusions import FASTEST, VERDICTS, Result, counts, drawn, sentences
from benchmarks.machine import ROOT
from benchmarks.pictures import Picture, of_group, pictures
from benchmarks.tables import GROUPS, lean

FOLDER = Path("benchmarks", "results")
PAGE = Path("docs", "benchmarks.md")
PICTURES = Path("docs", "benchmarks")
README = Path("README.md")
REFERENCE = "cpu.json"

HEAD = """\
# Benchmarks

gpugrad beside {peers}, doing the same work on the same machine.

```console
python -m nox -s bench                  # measure everything here (about half an hour), compare with this page, and write it anew
python -m nox -s bench -- mlp           # some cases only; the page stays
python -m nox -s bench -- --page        # write the page from the files of results, without measuring
```

No figure on this page, in its pictures or in the [README](../README.md#speed) is written by hand: they come from the files in
[benchmarks/results](../benchmarks/results/README.md), which runs wrote, and a test fails where they differ.

## How it was measured

- **The same work.** All libraries start from the same weights and data. Before anything is timed their results, of a training step the
  losses of the first steps, must agree; a row where they do not is void and has no figures.
- **As their users write it.** PyTorch with its default optimizers (its fused Adam is in `adam`); torch.compile of the model or the
  formula; JAX's whole step, optimizer included, as one compiled function that may use its arguments' memory again; for HIPS autograd and
  MyGrad the optimizer in NumPy. NumPy by hand has no engine: its gradients are derived on paper.
- **Side by side.** Each round measures every library once, in turn, each round beginning with another, and each after a rest until its
  threads are idle: those of OpenBLAS look for work for a tenth of a second. Ratios are taken within a round; what is told is the
  median over the rounds and, in brackets, the quartiles. So a machine that is slower for a while is so for all. Where a target is then
  undecided, the row is measured anew, in rounds in which those that decide it have several turns each, of which the median counts; what
  was measured before is dropped, whatever comes out, and the row says so.
- **Warm.** Each library runs before it is measured. What the first step takes, compiling included, is [apart](#compile-time).
- **The same threads** for every library: all cores, but where a line names a number.
- **No verdict in the noise.** gpugrad is called ahead or behind only where the median ratio is further from 1 than the quartiles are from
  each other, and a target met or missed only where it is further from the target; else it is undecided.
- **Memory** is the growth of the process's peak of resident memory, in a process for each library.
"""

NO_GPU = "No GPU has run this yet. Of what is expected of one, as [benchmarks/results](../benchmarks/results/README.md) tells:"


@dataclass(frozen=True)
class Results:
    """What is in the folder of results: runs of benchmarks/run.py by file name, and those of benchmarks/gpu.py."""

    runs: Mapping[str, Result]
    gpus: Mapping[str, Result]

    @classmethod
    def read(cls, folder: Path) -> Results:
        """The files of a folder; others, such as counts and gradients, are left out."""
        found = {file.name: json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))}
        runs = {name: content for name, content in found.items() if "rows" in content and "machine" in content}
        gpus = {name: content for name, content in found.items() if "parts" in content and "machine" in content}
        return cls(runs, gpus)

    @property
    def reference(self) -> Result:
        """The run whose figures are told. Raises FileNotFoundError without it."""
        if REFERENCE not in self.runs:
            file = FOLDER / REFERENCE
            raise FileNotFoundError(f"page.py: no results in {file}, which `python -m nox -s bench -- --json {file}` writes")
        return self.runs[REFERENCE]


def page(results: Results, drawn_pictures: Sequence[Picture]) -> str:
    """docs/benchmarks.md."""
    reference = results.reference
    rows = reference["rows"]
    head = HEAD.replace("{peers}", ", ".join(_peers(reference)))
    text = [head, "## Where", _where(results), "## Who is ahead", _ahead(reference), "## Targets", _targets(rows)]
    groups = tables.grouped(rows)
    first = tables.first_steps(rows)
    for group in GROUPS:
        there = groups.get(group.name, [])
        if not there and not (group.name == "compile" and first):
            continue
        text += [f"## {group.title}", group.text]
        if there:
            text += [f"Measured anew by `{tables.command(there)}`:"]
            text += [f"![{picture.alt}]({PICTURES.name}/{picture.file})" for picture in of_group(drawn_pictures, group.name)]
            text += _sections(there) if group.name == "growth" else [tables.table(there)]
        if group.name == "compile" and first:
            text += ["The first step of each library, what it prepares and compiles included, measured once:", first]
    left_out = [f"- `{row['case']}`: {row['note'].removeprefix('not run: ')}" for row in rows if tables.not_run(row)]
    text += ["## Not run on this machine", "\n".join(left_out)] if left_out else []
    text += ["## On a GPU", *_gpus(results.gpus), *_others(results)]
    return "\n\n".join(part.rstrip() for part in text) + "\n"


def _where(results: Results) -> str:
    """A line per file: machine, versions, date and commit."""
    lines = [["file", "date", "machine", "cores", "threads", "load before", "commit", "versions"]]
    for name, found in {**results.runs, **results.gpus}.items():
        machine = found["machine"]
        names = [machine.get(key, "") for key in ("cpu", "system", "blas")]
        there = machine["gpu"]["name"] if "gpu" in machine else ", ".join(filter(None, names))
        facts = [str(machine.get(key, "")) for key in ("cores", "threads", "load", "commit")]
        versions = ", ".join(f"{key} {value}" for key, value in found["versions"].items())
        lines.append([f"[{name}](../benchmarks/results/{name})", found["date"], there, *facts, versions])
    return f"{lean(lines)}\n\nAll tables and pictures below are of {REFERENCE}, but for those under [On a GPU](#on-a-gpu)."


def _peers(reference: Result) -> list[str]:
    """Whom gpugrad is compared with, each once."""
    return list(
        dict.fromkeys(against for _, _, against in drawn(reference["rows"]) if against and not against.startswith(FASTEST))
    )


def _ahead(reference: Result) -> str:
    found = drawn(reference["rows"])
    lines = [["compared with", "on", *VERDICTS[:3]]]
    for what, memory in (("time", False), ("memory", True)):
        for name, count in counts(found, memory=memory).items():
            lines.append([name, what, *(str(count[said]) for said in VERDICTS[:3])])
    void = sum(conclusion.verdict == VERDICTS[3] for conclusion in found.values())
    return f"Rows in which gpugrad is ahead, by whom it is compared with; rows that are void: {void}.\n\n{lean(lines)}"


def _targets(rows: Sequence[tables.Row]) -> str:
    lines = tables.targets(rows)
    head = ["case", "work", "what", "target", "measured", "result"]
    return f"{speed.results(lines)}.\n\n{lean([head, *lines])}"


def _sections(rows: Sequence[tables.Row]) -> list[str]:
    """A table per case."""
    found = []
    for case in dict.fromkeys(row["case"] for row in rows):
        there = [row for row in rows if row["case"] == case]
        found += [f"### By {case.partition('.')[2] or 'size'}", tables.columns(there)]
    return found


def _gpus(found: Mapping[str, Result]) -> list[str]:
    if not found:
        return [NO_GPU, lean(targets.lines())]
    text = []
    for name, result in found.items():
        rows = result["bench"]["rows"] if result.get("bench") else []
        text += [
            f"### {result['machine']['gpu']['name']}",
            f"`python benchmarks/gpu.py`, [{name}](../benchmarks/results/{name}):",
        ]
        text += [lean(targets.lines(rows, result.get("step"), result["parts"]))]
        text += [
            f"{group.title}:\n\n{tables.table(there)}" for group in GROUPS if (there := tables.grouped(rows).get(group.name))
        ]
    return text


def _others(results: Results) -> list[str]:
    """Whether runs on other machines say the same."""
    text = []
    for name, result in results.runs.items():
        if name != REFERENCE:
            said = "\n".join(sentences(result, results.reference, REFERENCE))
            text += [f"### {result['machine']['cpu']}, {name}", f"```text\n{said}\n```"]
    return ["## On other machines", *text] if text else []


def write(root: Path = ROOT) -> list[Path]:
    """Write the page, the pictures and README.md's figures; pictures of what is no longer measured go. Returns what was written."""
    results = Results.read(root / FOLDER)
    found = pictures(results.reference["rows"])
    draw = importlib.import_module("benchmarks.drawing").draw  # needs matplotlib, which to check the page does not
    texts = {PAGE: page(results, found), **{PICTURES / picture.file: draw(picture) for picture in found}}
    readme = (root / README).read_text(encoding="utf-8")
    texts[README] = speed.written(readme, speed.block(results.reference, found))
    for old in (root / PICTURES).glob("*.svg"):
        if PICTURES / old.name not in texts:
            old.unlink()
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return list(texts)


def main() -> int:
    """Write, and say what."""
    try:
        written: Any = write()
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        print(f"page.py: nothing was written: pictures need {error.name}, which the extra examples brings", file=sys.stderr)
        return 2
    print("written: " + ", ".join(map(str, written)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
