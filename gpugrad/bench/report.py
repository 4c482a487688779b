"""``python -m gpugrad bench``: the devices of this machine side by side, as a table on the terminal, as JSON and as a picture."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gpugrad import cuda
from gpugrad.arrays.devices import CPU, Device, cuda_problem, on
from gpugrad.bench import cnn, gpt, lstm, mlp, ops, plot, table, transfers
from gpugrad.bench.case import Case
from gpugrad.bench.compare import Measure, crossovers, faster, rows
from gpugrad.bench.effort import FULL, QUICK, Time
from gpugrad.bench.method import Row, interleaved
from gpugrad.check import files
from gpugrad.check.about import describe, name_of
from gpugrad.compile.runtime import get_num_threads
from gpugrad.errors import DeviceError

CASES: tuple[Case, ...] = (*transfers.CASES, *ops.CASES, *mlp.CASES, *lstm.CASES, *cnn.CASES, *gpt.CASES)
"""In the order of the table. What compiles most comes last, where a quick run may have no time left for it on a busy machine."""

INTERRUPTED = 130
"""The exit code of a command that Ctrl-C ended: 128 and the number of the signal."""

BLAS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "OMP_NUM_THREADS")
"""The variables that BLAS libraries read their number of threads from."""


def bench(
    devices: str | None = None,
    quick: bool = False,
    file: Path | None = None,
    picture: Path | None = None,
    *,
    cases: Sequence[Case] = CASES,
    measure: Measure = interleaved,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Measure and print. The exit code: 0, 1 if a row is void, 2 for what cannot be done, 130 if Ctrl-C ended it.

    `devices` are names with commas between them, the first of them what the others are compared with; None for all there are.
    """
    effort = QUICK if quick else FULL
    end = clock() + effort.seconds - (0.0 if picture is None else plot.SECONDS)
    if picture is not None and (problem := plot.problem(picture)):  # before minutes are spent
        return refused(problem)
    try:
        chosen = choose(devices)
    except DeviceError as error:
        return refused(error)
    cases = [case for case in cases if any(device.type in case.devices for device in chosen)]
    found: dict[str, Any] = {
        "date": files.today(),
        "devices": {str(device): name_of(str(device)) for device in chosen},
        "threads": threads(),
        "rounds": str(effort.rounds) if effort.least == effort.rounds else f"{effort.least} to {effort.rounds}",
        "about": describe(),
        "complete": False,
        "cases": {case.name: {"work": case.work, "grows": case.grows} for case in cases},
        "rows": [],
        "crossovers": [],
    }
    left = Time(effort, math.fsum(case.reserve for case in cases), end, clock)
    print("\n".join(table.head(found)), flush=True)
    try:
        for case in cases:
            _measure(case, chosen, left, measure, found, file)
        found["complete"] = True
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
    _keep(found, file)
    _tell(found, file, picture)
    if not found["complete"]:
        return INTERRUPTED
    return int(any(row["void"] for row in found["rows"]))


def show(source: Path, picture: Path | None = None) -> int:
    """Print the table of a file that ``--json`` wrote, and draw it. The exit code: 0, or 2 if it is no such file or cannot be drawn."""
    if picture is not None and (problem := plot.problem(picture)):
        return refused(problem)
    try:
        found = json.loads(source.read_text(encoding="utf-8"))
        lines = list(table.whole(found))
    except OSError as error:
        return refused(f"cannot read {str(source)!r} ({error.strerror}); give --from a file that --json wrote")
    except (ValueError, KeyError, TypeError, AttributeError):
        return refused(f"{str(source)!r} is no file of python -m gpugrad bench; give --from one that its --json wrote")
    print("\n".join(lines))
    _tell(found, None, picture)
    return 0


def refused(problem: object) -> int:
    """Say why nothing is done. The exit code for that."""
    print(f"gpugrad bench: {problem}", file=sys.stderr)
    return 2


def _measure(
    case: Case, devices: Sequence[Device], left: Time, measure: Measure, found: dict[str, Any], file: Path | None
) -> None:
    """Measure a case: print its rows as they come, and put them into `found` and the file, so that a run cut short leaves them."""
    print(f"\n{table.heading(found, case.name)}", flush=True)
    here: list[Row] = []
    for row in rows(case, devices, left, measure=measure):
        here.append(row)
        found["rows"].append(row.as_dict() | {"faster": faster(row)})
        _keep(found, file)
        if not left.effort.quick:
            print(table.line(row, list(found["devices"])), flush=True)
    if left.effort.quick:  # then they come in another order, and soon
        here.sort(key=lambda row: row.size or 0)
        print("\n".join(table.line(row, list(found["devices"])) for row in here), flush=True)
    crossings = crossovers(case, here, devices)
    found["crossovers"] += crossings
    for crossing in crossings:
        print(f"  {table.sentence(crossing, here)}", flush=True)


def _keep(found: dict[str, Any], file: Path | None) -> None:
    if file is not None:
        files.write(file, found)


def _tell(found: dict[str, Any], file: Path | None, picture: Path | None) -> None:
    """Draw the picture, and say where everything is."""
    drawn = picture is not None and any(row["figures"] for row in found["rows"])
    if picture is not None and drawn:
        plot.draw(found, picture)
    written = [
        f"{what}: {path}" for what, path in (("results", file), ("plot", picture if drawn else None)) if path is not None
    ]
    if picture is not None and not drawn:
        written.append("plot: none, as nothing was measured")
    if written:
        print("\n" + "\n".join(written))


def choose(names: str | None) -> list[Device]:
    """The devices of these names, GPUs by their numbers. Raises DeviceError for one that is unknown, absent or named twice."""
    if names is None:
        return [CPU, *(Device("cuda", i) for i in range(0 if cuda_problem() else cuda.device_count()))]
    found: list[Device] = []
    for name in names.split(","):
        device = Device(name.strip())
        with on(device):
            if device.type == "cuda":
                device = Device("cuda", cuda.current_device())
        if device in found:
            raise DeviceError(f"devices are {names!r}, and {device} is there twice; name each once")
        found.append(device)
    return found


def threads() -> dict[str, Any]:
    """How many threads compute on the CPU: of what there is, gpugrad's kernels and BLAS, as far as the environment says."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    blas = next((f"{name}={os.environ[name]}" for name in BLAS if os.environ.get(name)), "its default")
    return {"cores": cores, "kernels": get_num_threads(), "BLAS": blas}
