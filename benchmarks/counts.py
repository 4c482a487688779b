"""Counts of the hot paths beside those that are stored: ``python -m benchmarks.counts [--write]``.

Calls, arrays, memory that an op keeps, kernels launched: workloads.py says of what, counters.py how they are counted, and
results/counts.json what they were. A count, unlike a time, is the same on a busy machine, so the tests compare it. Each part is
counted in a process of its own, and what runs on CuPy on the stand-in for it (tests/standin).
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping

import numpy

from benchmarks import counters, workloads
from benchmarks.machine import ROOT, python_path
from gpugrad.arrays.devices import import_cupy
from gpugrad.compile import build

FILE = ROOT / "benchmarks" / "results" / "counts.json"
STORE = "python -m benchmarks.counts --write"
PARTS = ("cpu", "stand-in")

TOLERANCE = 0.03
"""By what part a count may differ from the stored one, rounded down to a whole number: below 34 by nothing.

Python 3.11, 3.12 and 3.13, with NumPy 2.1, 2.4 and 2.5, differ by at most 0.016 in what they count.
"""

Counts = Mapping[str, Mapping[str, int]]
"""Workload: measure: count."""

Counted = tuple[dict[str, dict[str, int]], str]
"""Counts, and why some are left out, if some are."""

_WARM_UP = 3
_KEPT = ("GPUGRAD_CACHE_DIR", "GPUGRAD_CC", "GPUGRAD_COMPILE")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "GPUGRAD_NUM_THREADS")


def differences(stored: Counts, found: Counts, *, complete: bool = True) -> list[str]:
    """A sentence for each count that is not the stored one, within the tolerance; `found` has all workloads, or is not `complete`."""
    sentences = []
    for workload, measures in stored.items():
        absent = ", ".join(measures.keys() - found[workload].keys()) if workload in found else "all" if complete else ""
        if absent:
            sentences.append(f"{workload}: {absent} stored and no longer counted; forget it with `{STORE}`.")
    for workload, measures in found.items():
        for measure, now in measures.items():
            before = stored.get(workload, {}).get(measure)
            if before is None:
                sentences.append(f"{workload}: {now} {measure}, none stored; store it with `{STORE}`.")
            elif now > before + int(TOLERANCE * before):
                sentences.append(
                    f"{workload}: {now} {measure}, stored {before}: find what costs more, or, if it has to, store it with `{STORE}`."
                )
            elif now < before - int(TOLERANCE * before):
                sentences.append(f"{workload}: {now} {measure}, stored {before}: improved, store it with `{STORE}`.")
    return sentences


def counted(part: str) -> Counted:
    """Count "cpu" or "stand-in" in a process of its own. Raises RuntimeError, with what that said, if it failed."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("GPUGRAD_", "PYTHON")) or name in _KEPT}
    own |= {**dict.fromkeys(_THREADS, "1"), "PYTHONPATH": python_path()}
    # Without a GPU and cuDNN, which other machines lack, and without NVRTC: other tests have it compile the kernels.
    own |= {"CUDA_VISIBLE_DEVICES": "", "GPUGRAD_CUDNN": "0", "GPUGRAD_TEST_NVRTC": "0"}
    command = [sys.executable, "-m", "benchmarks.counts", "--count", part]
    done = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"counting on {part} failed:\n{done.stderr}")
    counts, left_out = json.loads(done.stdout.splitlines()[-1])
    return counts, left_out


def _on_cpu() -> Counted:
    found = {
        **_count(workloads.RECORDED, counters.calls, counters.arrays, counters.held),
        **_count(workloads.PLAIN, counters.calls, counters.arrays),
    }
    if build.load("int gpugrad_counts;\n", "counts") is None:
        return found, "no kernels can be compiled here, so what runs them was not counted"
    return {**found, **_count(workloads.COMPILED, counters.calls, counters.arrays)}, ""


def _on_standin() -> Counted:
    folder = str(ROOT / "tests" / "standin")
    sys.path.insert(0, folder)
    if shutil.which("g++") is None:
        return {}, "there is no g++, which compiles kernels for the stand-in for CuPy, so nothing was counted on it"
    if not importlib.import_module("activate").activate():
        return {}, "the stand-in for CuPy does not run beside a GPU, so nothing was counted on it"
    cupy = import_cupy()
    calls, launches = (lambda step: counters.calls(step, folder)), (lambda step: counters.launches(step, cupy))
    return _count(workloads.STANDIN, calls, launches), ""


def _count(
    made: Mapping[str, workloads.Make], *measures: Callable[[workloads.Step], dict[str, int]]
) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for workload, make in made.items():
        step = make()
        for _ in range(_WARM_UP):  # imports, compiled kernels, caches, buffers
            step()
        gc.collect()
        gc.disable()
        found[workload] = {name: count for measure in measures for name, count in measure(step).items()}
        gc.enable()
    return found


def stored() -> dict[str, dict[str, dict[str, int]]]:
    """What the file holds: by part, and the "versions" that it was counted with."""
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


def _store(found: Mapping[str, Counts]) -> None:
    """A line for each workload, so that a change of it is one of that line."""
    versions = {"python": ".".join(map(str, sys.version_info[:2])), "numpy": numpy.__version__}
    parts = [f' "versions": {json.dumps(versions)}']
    for part, counts in found.items():
        lines = (f"  {json.dumps(workload)}: {json.dumps(measures)}" for workload, measures in counts.items())
        parts.append(f" {json.dumps(part)}: {{\n" + ",\n".join(lines) + "\n }")
    FILE.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def table(stored: Counts, found: Counts) -> str:
    """A row for each workload, a column for each measure, "9 -> 10" where 9 is stored and 10 was found."""
    names = list(dict.fromkeys(measure for measures in found.values() for measure in measures))
    rows = [["", *names]]
    for workload, measures in found.items():
        pairs = [(stored.get(workload, {}).get(name, ""), measures.get(name, "")) for name in names]
        rows.append([workload, *(str(now) if before in ("", now) else f"{before} -> {now}" for before, now in pairs)])
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    return "\n".join(
        "  ".join([row[0].ljust(first), *(cell.rjust(width) for cell, width in zip(row[1:], others, strict=True))])
        for row in rows
    )


def main(arguments: list[str]) -> int:
    """The exit code: 1 if a count is not the stored one, 2 if they are to be stored and not all can be counted here."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.counts", description="Counts of the hot paths beside stored ones."
    )
    parser.add_argument("--write", action="store_true", help="store what is counted now")
    parser.add_argument("--count", choices=PARTS, help="count these in this process, as JSON")
    options = parser.parse_args(arguments)
    if options.count:
        print(json.dumps(_on_cpu() if options.count == "cpu" else _on_standin()))
        return 0
    before, found, sentences, reasons = stored(), {}, [], []
    for part in PARTS:
        found[part], left_out = counted(part)
        print(f"{part}\n{table(before.get(part, {}), found[part])}\n")
        sentences += differences(before.get(part, {}), found[part], complete=not left_out)
        reasons += [left_out] if left_out else []
    if not options.write:
        print("\n".join([*sentences, *reasons]) or "all counts are those stored, within the tolerance")
        return int(bool(sentences))
    if reasons:
        print(f"nothing is stored: {'; '.join(reasons)}")
        return 2
    _store(found)
    print(f"stored in {FILE.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
