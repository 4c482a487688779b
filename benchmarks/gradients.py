"""The table of gradients: ``python benchmarks/gradients.py [--device cuda] [--json FILE]``, which ``nox -s gradients`` starts.

Runs the checks of gpugrad/check/gradients.py. On the CPU it writes docs/gradients.md, with what GPUs gave from the newest file in
benchmarks/results that holds any; on a GPU it writes such a file, benchmarks/results/gradients-<gpu>.json unless --json names another.
Exit code: 0 if every function has every derivative, 1 if not, 2 if the device is not there.
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # started as a script: what is imported is this checkout, not this folder
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks import machine
from benchmarks.report import markdown
from gpugrad.check import files
from gpugrad.check import gradients as checked
from gpugrad.check.backend import on as backend_on
from gpugrad.check.gradients import DERIVATIVES, FUNCTIONS, LOCALLY_CONSTANT, NO, NOT_RUN, REAL_ONLY, SLOPE_ONE, Table
from gpugrad.check.result import Result
from gpugrad.errors import DeviceError

RESULTS = machine.ROOT / "benchmarks" / "results"
PAGE = machine.ROOT / "docs" / "gradients.md"
WRITTEN = 25
"""After so many checks a GPU's file is written, so that a run that is cut short leaves what it found."""

HEAD = """\
# Gradients of the standard's functions

The Array API standard (2025.12) has {functions} functions with a derivative, a name in the main namespace and in `linalg` counted twice.
Of each, this page says whether its derivatives are right, compared with central differences in float64 and complex128 on the device
itself:

- **VJP**: the gradients of the backward sweep, for real numbers (for complex ones, where the function takes no others).
- **complex VJP**: the same for complex numbers; "–" for the {real} functions that take none by the standard.
- **second order**: the gradients of these gradients, real and complex.
- **JVP**: the Jacobian-vector products of `gg.jvp`, real and complex.

The {real} are
{real_only}.

What depends on a gauge, as eigenvectors and singular vectors do, is compared by functions that do not.

`python -m nox -s gradients` runs the checks and writes this page; `-- --device cuda` writes what a GPU gives to a file in
benchmarks/results, which the next page takes up, as `python benchmarks/gpu.py` does. No cell is written by hand: one is "yes" if the
check passed, for all argument sets of the function's records (gpugrad/check/records).
"""

CONSTANT = """\
## Constant gradients

The gradient of a locally constant function is zero, never an error; the slope of `nextafter` is 1 along its first operand and 0
along its second.
"""


def main(arguments: list[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python benchmarks/gradients.py", description="The table of gradients.")
    parser.add_argument("--device", default="cpu", help="cpu (the default), cuda, cuda:1")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the results of a GPU")
    parser.add_argument("--page", type=Path, default=PAGE, metavar="FILE", help="the page (default docs/gradients.md)")
    options = parser.parse_args(arguments)
    try:
        backend = backend_on(options.device)
        backend.asarray(0.0)
    except DeviceError as error:
        print(f"gradients.py: {error}", file=sys.stderr)
        return 2
    on_gpu = backend.device != "cpu"
    about = {"machine": machine.describe(options.device), "versions": machine.versions()} if on_gpu else {}
    results: list[Result] = []

    def write(found: Table) -> None:
        default = RESULTS / f"gradients-{machine.slug(about['machine']['gpu']['name'])}.json"
        files.write(options.json or default, {"date": files.today(), **about, "summary": summary(found), "gradients": found})

    def report(result: Result) -> None:
        if result.status != "pass":
            print(f"{result.name}, {result.kind}: {checked.cell(result)}", flush=True)
        results.append(result)
        if on_gpu and len(results) % WRITTEN == 0:
            write(checked.table_of(results))

    found = checked.table(backend, report)
    if on_gpu:
        write(found)
    else:
        options.page.write_text(page(found, newest(RESULTS)), encoding="utf-8")
    print(summary(found))
    return int(any(_missing(found, "")))


def summary(found: Table) -> str:
    """How many functions have each derivative, in one line."""
    return ", ".join(f"{kind} {have} of {can}" for kind, (have, can) in checked.counts(found).items())


def newest(folder: Path) -> dict[str, Any] | None:
    """The newest results of a GPU, of this command or of gpu.py, among the files of a folder."""
    read = (json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json")))
    return max((data for data in read if data.get("gradients")), key=lambda data: data["date"], default=None)


def page(found: Table, gpu: dict[str, Any] | None) -> str:
    """docs/gradients.md: what NumPy gave, and a file of results of a GPU or None."""
    there: Table = gpu["gradients"] if gpu else {}
    real_only = ", ".join(f"`{name}`" for name in sorted(REAL_ONLY, key=FUNCTIONS.index))
    head = HEAD.format(functions=len(FUNCTIONS), real=len(REAL_ONLY), real_only=textwrap.fill(real_only, 128))
    text = [head, _summary(found, there), _gpu(gpu)]
    spaces = {"Main namespace": checked.MAIN, "linalg": checked.LINALG, "fft": checked.FFT}
    for title, names in spaces.items():
        rows = [name if title == "Main namespace" else f"{title}.{name}" for name in names]
        head = ["function", *DERIVATIVES, *(f"{kind}, CuPy" for kind in DERIVATIVES)]
        lines = [[f"`{name}`", *(_cell(t, name, kind) for t in (found, there) for kind in DERIVATIVES)] for name in rows]
        text += [f"## {title}", markdown([head, *lines])]
    kinds = {**dict.fromkeys(LOCALLY_CONSTANT, "zero"), **dict.fromkeys(SLOPE_ONE, "slope")}
    lines = [[f"`{name}`", _cell(found, name, kind), _cell(there, name, kind)] for name, kind in kinds.items()]
    text += [CONSTANT.rstrip(), markdown([["function", "NumPy", "CuPy"], *lines])]
    missing = [*_missing(found, "NumPy"), *_missing(there, "CuPy")]
    if missing:
        text += ["## What is missing", "\n".join(missing)]
    return "\n\n".join(part.rstrip() for part in text) + "\n"


def _summary(found: Table, there: Table) -> str:
    ours, theirs = checked.counts(found), checked.counts(there)
    lines = [
        [kind, f"{ours[kind][0]} of {ours[kind][1]}", f"{theirs[kind][0]} of {theirs[kind][1]}" if there else NOT_RUN]
        for kind in DERIVATIVES
    ]
    return markdown([["", "NumPy", "CuPy"], *lines])


def _gpu(gpu: dict[str, Any] | None) -> str:
    if gpu is None:
        return "CuPy's columns are not run: no results of a GPU are in benchmarks/results."
    name, versions = gpu["machine"]["gpu"]["name"], gpu["versions"]
    cupy = ", ".join(
        f"{key} {value}" for key, value in versions.items() if key in ("python", "gpugrad", "numpy") or "cupy" in key
    )
    return f"CuPy's columns: {name}, {gpu['date']}, {cupy}, commit {gpu['machine']['commit']}."


def _cell(found: Table, name: str, kind: str) -> str:
    """Without the reason, which stands below the tables."""
    return found.get(name, {}).get(kind, NOT_RUN).partition(":")[0]


def _missing(found: Table, device: str) -> Iterator[str]:
    for name, row in found.items():
        for kind, cell in row.items():
            if cell.startswith((f"{NO}:", f"{NOT_RUN}:")):
                yield f"- `{name}`, {kind}, {device}: {cell}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
