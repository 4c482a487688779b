"""import: how long `import gpugrad` takes once NumPy is imported, in fresh processes, and what importing its peers takes."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping

from benchmarks.libraries import AUTOGRAD, GPUGRAD, MYGRAD
from benchmarks.machine import ROOT
from gpugrad.bench.method import Comparison, Row, Spread, not_run, ratio, spreads

PROCESSES = 10
LIMIT = 120.0  # milliseconds

MODULES = {GPUGRAD: "gpugrad", "PyTorch": "torch", "JAX": "jax.numpy", AUTOGRAD: "autograd.numpy", MYGRAD: "mygrad"}
"""What is imported, by the names of the columns."""

_PROGRAM = """
import time
start = time.perf_counter()
import numpy
middle = time.perf_counter()
import {module}
print(middle - start, time.perf_counter() - middle)
"""


def run(device: str, rounds: int) -> list[Row]:
    """Ten processes for each library in turn, after one that is not counted and writes the bytecode."""
    if device != "cpu":
        return [not_run("import", "it does not depend on the device; run it with --device cpu")]
    modules = {name: module for name, module in MODULES.items() if importlib.util.find_spec(module.partition(".")[0])}
    base: list[float] = []
    seconds: dict[str, list[float]] = {name: [] for name in modules}
    with tempfile.TemporaryDirectory() as folder:
        # Bytecode is what users import; its own folder, so that it is written even where the environment forbids it.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for number in range(PROCESSES + 1):
            for name, module in modules.items():
                found = _imported(module, environment)
                if number:
                    seconds[name].append(found[1])
                    base += found[:1] if name == GPUGRAD else []
    figures = {**spreads(seconds, 1e3), "NumPy": Spread.of([value * 1e3 for value in base])}
    comparisons = [
        Comparison(GPUGRAD, figures[GPUGRAD], LIMIT, "ms"),
        *(ratio(seconds, GPUGRAD, name) for name in list(modules)[1:]),
    ]
    return [Row("import", "import, after import numpy", "ms", figures, comparisons)]


def _imported(module: str, environment: Mapping[str, str]) -> list[float]:
    """The seconds that NumPy took, and the module after it."""
    command = [sys.executable, "-c", _PROGRAM.format(module=module)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=True)
    return [float(x) for x in done.stdout.split()]
