"""``python -m gpugrad bench``: the devices of this machine side by side, as a table on the terminal and as JSON."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gpugrad import cuda
from gpugrad.arrays.devices import CPU, Device, cuda_problem, on
from gpugrad.bench import cnn, gpt, lstm, mlp, ops, transfers
from gpugrad.bench.case import Case
from gpugrad.bench.compare import FULL, QUICK, Measure, crossovers, faster, rows
from gpugrad.bench.method import Row, Spread, interleaved, ratio_label
from gpugrad.check import files
from gpugrad.check.about import describe, name_of
from gpugrad.compile.runtime import get_num_threads
from gpugrad.errors import DeviceError

CASES: tuple[Case, ...] = (*mlp.CASES, *cnn.CASES, *gpt.CASES, *lstm.CASES, *ops.CASES, *transfers.CASES)

BLAS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "OMP_NUM_THREADS")
"""The variables that BLAS libraries read their number of threads from."""

_UNITS = ((1.0, "s"), (1e3, "ms"), (1e6, "us"), (1e9, "ns"))
_LABEL, _FIGURE, _RATIO = 14, 28, 24


def bench(
    devices: str | None = None,
    quick: bool = False,
    file: Path | None = None,
    *,
    cases: Sequence[Case] = CASES,
    measure: Measure = interleaved,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Measure and print. The exit code: 0, 1 if a row is void, 2 for a device that is not there.

    `devices` are names with commas between them, the first of them what the others are compared with; None for all there are.
    """
    effort = QUICK if quick else FULL
    end = clock() + effort.seconds
    try:
        chosen = choose(devices)
    except DeviceError as error:
        print(f"gpugrad bench: {error}", file=sys.stderr)
        return 2
    about = {
        "date": files.today(),
        "devices": {str(device): name_of(str(device)) for device in chosen},
        "threads": threads(),
        "rounds": effort.rounds,
        "about": describe(),
    }
    found: list[Row] = []
    crossings: list[dict[str, Any]] = []
    print("\n".join(head(about)), flush=True)
    for case in cases:
        begun = len(found)
        for row in rows(case, chosen, effort, measure=measure, late=lambda: clock() >= end):
            if len(found) == begun:
                print(f"\n{case.name}, {case.work}")
            print(line(row, [str(device) for device in chosen]), flush=True)
            found.append(row)
        here = crossovers(case, found[begun:], chosen)
        for crossing in here:
            print(f"{'':2}{sentence(crossing, found[begun:])}", flush=True)
        crossings += here
        if file is not None:  # after every case, so that a run that is cut short leaves what it measured
            files.write(
                file, {**about, "rows": [row.as_dict() | {"faster": faster(row)} for row in found], "crossovers": crossings}
            )
    return int(any(row.void for row in found))


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


def head(about: dict[str, Any]) -> list[str]:
    """What is compared, on what, by which versions, and what the columns mean."""
    problem = about["about"]["cuda"]["problem"]
    used = about["threads"]
    names = list(about["devices"])
    columns = [f"{'size':>{_LABEL}}", *(f"{name:{_FIGURE}}" for name in names)]
    columns += [f"{ratio_label(names[0], name):{_RATIO}}" for name in names[1:]]
    return [
        ", ".join(f"{name} {version}" for name, version in about["about"]["versions"].items()),
        *(f"{device}: {name}" for device, name in about["devices"].items()),
        *([f"no GPU: {problem}"] if problem else []),
        f"threads on the CPU: {used['kernels']} for kernels, BLAS {used['BLAS']}; {used['cores']} cores",
        f"median and quartiles of {about['rounds']} rounds, by turns; no device is called faster where quartiles overlap",
        "",
        "  ".join([*columns, "faster" if len(names) > 1 else ""]).rstrip(),
    ]


def line(row: Row, names: Sequence[str]) -> str:
    """A row of the table, whose columns are these devices; not every row has a figure for all of them."""
    if row.void or not row.figures:
        return f"{row.work:>{_LABEL}}  {f'VOID: {row.void}' if row.void else row.note}"
    times = [duration(row.figures[name]) if name in row.figures else "" for name in names]
    found = {comparison.label: _quartiles(comparison.spread) for comparison in row.comparisons}
    ratios = [found.get(ratio_label(names[0], name), "") for name in names[1:]]
    cells = [f"{row.work:>{_LABEL}}", *(f"{x:{_FIGURE}}" for x in times), *(f"{x:{_RATIO}}" for x in ratios)]
    return "  ".join([*cells, faster(row), row.note]).rstrip()


def sentence(crossing: dict[str, Any], found: Sequence[Row]) -> str:
    """From which size a device wins, among those that were measured."""
    sizes = {row.size: row.work for row in found if row.figures}
    pair, size = f"{crossing['device']} is faster than {crossing['against']}", crossing["size"]
    if size is None:
        return f"crossover: none up to {list(sizes.values())[-1]} where {pair}"
    return f"crossover: {pair} from {sizes[size]} on" + (", the smallest size" if size == next(iter(sizes)) else "")


def duration(spread: Spread) -> str:
    """Seconds with a unit in which the median is readable."""
    scale, unit = next(((s, u) for s, u in _UNITS if spread.median * s >= 1), _UNITS[-1])
    return _quartiles(Spread(spread.median * scale, spread.low * scale, spread.high * scale), f" {unit}")


def _quartiles(spread: Spread, unit: str = "") -> str:
    return f"{number(spread.median)}{unit} ({number(spread.low)} to {number(spread.high)})"


def number(value: float) -> str:
    """Three significant digits, without an exponent where that is readable."""
    return f"{value:.0f}" if abs(value) >= 999.5 else f"{value:.3g}"
