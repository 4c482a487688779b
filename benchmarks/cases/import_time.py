"""import: how long `import gpugrad` takes once NumPy is imported, in fresh processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from benchmarks.machine import ROOT
from gpugrad.bench.method import Comparison, Row, Spread, not_run

PROCESSES = 10
LIMIT = 120.0  # milliseconds

_PROGRAM = """
import time
start = time.perf_counter()
import numpy
middle = time.perf_counter()
import gpugrad
print(middle - start, time.perf_counter() - middle)
"""


def run(device: str, rounds: int) -> list[Row]:
    """Ten processes, after one that is not counted and writes the bytecode."""
    if device != "cpu":
        return [not_run("import", "it does not depend on the device; run it with --device cpu")]
    found = []
    with tempfile.TemporaryDirectory() as folder:
        # Bytecode is what users import; its own folder, so that it is written even where the environment forbids it.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        command = [sys.executable, "-c", _PROGRAM]
        for _ in range(PROCESSES + 1):
            done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=True)
            found.append([float(x) * 1e3 for x in done.stdout.split()])
    base, ours = ([pair[i] for pair in found[1:]] for i in (0, 1))
    figures = {"gpugrad": Spread.of(ours), "NumPy": Spread.of(base)}
    return [
        Row(
            "import", "import gpugrad, after import numpy", "ms", figures, [Comparison("gpugrad", Spread.of(ours), LIMIT, "ms")]
        )
    ]
