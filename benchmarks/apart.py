"""A case in a process of its own, with its own number of threads for every library.

XLA and OpenBLAS take theirs when they load. So what is compared on one thread, or on one and on two, runs apart from the rest.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import machine
from gpugrad.bench.method import Row

_OWN = ("NPROC", "GPUGRAD_NUM_THREADS")
"""Variables for the number of threads beside those of machine.py: what XLA calls the number of processors, and gpugrad's."""

_CACHES = ("GPUGRAD_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "CUPY_CACHE_DIR")
"""Variables for the folders in which gpugrad, torch.compile and CuPy keep what they compile."""


def apart(module: str, rounds: int, threads: Sequence[int], *arguments: str) -> list[Row]:
    """The rows of ``benchmarks.<module>.rows(rounds, *arguments)`` for each of these numbers of threads, with that number in `work`.

    Whatever the libraries compile is compiled anew: their caches are folders of their own.
    """
    found = []
    for count in threads:
        for row in _run(module, rounds, count, *arguments):
            work = f"{row.work}, {count} thread{'s' if count > 1 else ''}"
            found.append(replace(row, work=work))
    return found


def _run(module: str, rounds: int, threads: int, *arguments: str) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "rows.json")
        command = [sys.executable, "-m", __name__, module, str(rounds), str(threads), str(file), *arguments]
        caches = {name: str(Path(folder, name.lower())) for name in _CACHES}
        environment = {**os.environ, **dict.fromkeys(_OWN, str(threads)), **caches}
        done = subprocess.run(command, capture_output=True, text=True, cwd=machine.ROOT, env=environment, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"the process ended with code {done.returncode}"])[-1]
            return [Row(module, module, void=last)]
        return [Row.from_dict(row) for row in json.loads(file.read_text())]


def main(arguments: list[str]) -> None:
    """Write the rows of a case to a file."""
    module, rounds, threads, file, *others = arguments
    machine.with_threads(int(threads), "benchmarks.apart", arguments)
    rows = importlib.import_module(f"benchmarks.{module}").rows(int(rounds), *others)
    Path(file).write_text(json.dumps([row.as_dict() for row in rows]))


if __name__ == "__main__":
    main(sys.argv[1:])
