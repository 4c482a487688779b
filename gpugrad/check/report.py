"""``python -m gpugrad check``: all checks of a device, one line each, and the summary as text and as JSON."""

from __future__ import annotations

import dataclasses
import fnmatch
import sys
from collections.abc import Sequence
from pathlib import Path

from gpugrad.arrays.devices import Device, on
from gpugrad.check import files, kernels, ops, parts
from gpugrad.check.about import cuda_kernels, describe, failures, name_of
from gpugrad.check.backend import NUMPY, Backend
from gpugrad.check.backend import on as backend_on
from gpugrad.check.result import Check, Result, run
from gpugrad.errors import DeviceError

WRITTEN = 25
"""After so many results the file is written, so that a run that is cut short leaves what it found."""


def checks(backend: Backend, only: str = "*") -> list[Check]:
    """The checks of a device whose kind, name or "kind:name" matches a pattern as of file names: "softmax", "kernel", "op:c*"."""
    found = [*ops.checks(), *kernels.checks(backend), *parts.checks(backend)]
    return [c for c in found if any(fnmatch.fnmatchcase(x, only) for x in (c.kind, c.name, c.id))]


def check(device: str, only: str = "*", file: Path | None = None) -> int:
    """Run the checks of a device and print them. The exit code: 0 if all pass, 1 if one does not, 2 if there is nothing to check."""
    try:
        with on(Device(device)):
            backend = backend_on(device)
    except DeviceError as error:
        print(f"gpugrad check: {error}", file=sys.stderr)
        return 2
    chosen = checks(backend, only)
    if not chosen:
        print(
            f"gpugrad check: no check is called {only!r}; the names are in the third column of a full report", file=sys.stderr
        )
        return 2
    # Asked now: a GPU that an error has ended says nothing of itself any more.
    name, about = name_of(backend.device), describe()
    print(f"{name}: {len(chosen)} checks; the figure is the largest error in units of the tolerance", flush=True)
    if backend is not NUMPY and not kernels.known("bfloat16"):
        print("bfloat16 is not checked: CuPy takes it from ml_dtypes, which is not installed")
    results: list[Result] = []

    def write() -> None:
        if file is not None:
            if backend is not NUMPY:  # what compiles, and what cuDNN refuses, shows when it is launched
                about["kernels"]["cuda"] = cuda_kernels()
            head = {"date": files.today(), "device": backend.device, "name": name, "summary": summary(results, name)}
            files.write(file, {**head, "about": about, "results": [as_json(result) for result in results]})

    def report(result: Result) -> None:
        print(result.line, flush=True)
        results.append(result)
        if len(results) % WRITTEN == 0:
            write()

    run(chosen, backend, report)
    print(f"\n{summary(results, name)}")
    for what, log in ({} if backend is NUMPY else failures()).items():
        print(f"{what}: {log}")
    write()
    return int(any(result.status not in ("pass", "skip") for result in results))


def summary(results: Sequence[Result], name: str) -> str:
    """How many compute right, and which do not."""
    counted = [result for result in results if result.status != "skip"]
    wrong = [f"{result.kind}:{result.name}" for result in counted if result.status in ("fail", "error")]
    lost = sum(result.status == "not run" for result in counted)
    line = f"{len(counted) - len(wrong) - lost} of {len(counted)} compute right on {name}"
    if wrong:
        line += f"; not right: {', '.join(wrong)}"
    return line + (f"; {lost} not run" if lost else "")


def as_json(result: Result) -> dict[str, object]:
    """A result as JSON takes it, which has no infinity: that is text."""
    found = dataclasses.asdict(result)
    return found | {"error": "inf"} if result.error == float("inf") else found
