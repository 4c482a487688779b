"""compile: what the first use of a kernel costs, with an empty cache and, in the next process, with a full one.

Each process has `import gpugrad` behind it. The first kernel of all has the launcher built, too, or loaded: that is a row of its own.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from benchmarks.machine import ROOT
from gpugrad.bench.method import Comparison, Row, Spread, not_run

LIMIT = 0.5
"""Seconds for each kernel, with an empty cache."""

FIRST = "x + y: the first kernel, and the launcher"


def run(device: str, rounds: int) -> list[Row]:
    """A process with an empty cache and one with what that has left there, a fifth of the rounds."""
    if device != "cpu":
        return [not_run("compile", "it measures the C compiler; run it with --device cpu")]
    empty: list[dict[str, float]] = []
    full: list[dict[str, float]] = []
    for _ in range(max(3, rounds // 5)):
        with tempfile.TemporaryDirectory() as folder:
            for found in (empty, full):
                done = _process(folder)
                if done.returncode:
                    last = (done.stderr.strip().splitlines() or [f"the process ended with code {done.returncode}"])[-1]
                    return [Row("compile", "first results", void=last)]
                found.append(json.loads(done.stdout.splitlines()[-1]))
    rows = [
        Row(
            "compile",
            name,
            "ms",
            {label: Spread.of([seconds[name] * 1e3 for seconds in found]) for label, found in _columns(empty, full)},
        )
        for name in empty[0]
    ]
    rows[0] = Row("compile", FIRST, "ms", rows[0].figures, note="once per user, then once per process")
    kernels = [name for name in empty[0] if name != FIRST]
    figures = {label: Spread.of([_median(found, name) * 1e3 for name in kernels]) for label, found in _columns(empty, full)}
    slowest = Spread.of([max(seconds[name] for name in kernels) for seconds in empty])
    comparison = Comparison("the slowest kernel, empty cache", slowest, LIMIT, "s")
    return [*rows, Row("compile", f"all {len(kernels)} but the first", "ms", figures, [comparison])]


def _columns(empty: list[dict[str, float]], full: list[dict[str, float]]) -> list[tuple[str, list[dict[str, float]]]]:
    return [("empty cache", empty), ("full cache", full)]


def _median(found: list[dict[str, float]], name: str) -> float:
    return Spread.of([seconds[name] for seconds in found]).median


def _process(folder: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GPUGRAD_CACHE_DIR": folder}
    command = [sys.executable, "-m", "benchmarks.cases.compile_time"]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)


def main() -> None:
    """Print the seconds of the first call of each kernel, as JSON. The arrays are so small that computing takes no time."""
    found = {}
    for name, step in first_uses().items():
        start = time.perf_counter()
        step()
        found[name] = time.perf_counter() - start
    print(json.dumps(found))


def first_uses() -> dict[str, Callable[[], Any]]:
    """Calls, in this order and each made once, that need new kernels, by their names."""
    import numpy

    import gpugrad as gg
    from benchmarks import formulas
    from benchmarks.cases import black_scholes, fused_adam
    from gpugrad.nn import functional

    rng = numpy.random.default_rng(0)
    x = rng.standard_normal((64, 128)).astype(numpy.float32)
    w, b = x[:2]
    arrays = [rng.standard_normal((2, 8192)).astype(numpy.float32)]
    t, u, v = (gg.tensor(a, requires_grad=True) for a in (x, w, b))
    seed = gg.asarray(x)
    recorded: list[Any] = []

    def backward(function: Callable[[Any], Any]) -> Callable[[], Any]:
        return lambda: function(t).backward(seed)  # the kernel of the forward pass is there by then

    return {
        FIRST: functools.partial(gg.fuse(lambda x, y: x + y), x, x),
        "softmax": lambda: functional.softmax(x, 1),
        "softmax, backward": backward(lambda t: functional.softmax(t, 1)),
        "layer norm": lambda: functional.layer_norm(x, 128, w, b),
        "layer norm, forward, with what the backward pass needs": lambda: recorded.append(functional.layer_norm(t, 128, u, v)),
        "layer norm, backward": lambda: recorded.pop().backward(seed),
        "GELU": lambda: functional.gelu(x),
        "GELU, backward": backward(functional.gelu),
        "Adam": fused_adam.with_gpugrad(arrays),
        "Black-Scholes and its 5 gradients": formulas.with_fused(black_scholes.problem(4096), "cpu"),
    }


if __name__ == "__main__":
    main()
