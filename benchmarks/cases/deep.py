"""deep: a chain of 500,000 ops, back-propagated without recursion and freed by reference counting alone."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
import weakref

from benchmarks.machine import ROOT
from gpugrad.bench.method import Row, Spread, not_run

LENGTH = 500_000
_FRAMES = 60  # more than the engine needs, and far fewer than the chain is long


def run(device: str, rounds: int) -> list[Row]:
    """In a process of its own: what a recursion would end is not this one."""
    if device != "cpu":
        return [not_run("deep", "it measures the engine, which is the same on every device; run it with --device cpu")]
    found: list[list[float]] = []
    for _ in range(max(3, rounds // 5)):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.cases.deep"], capture_output=True, text=True, cwd=ROOT, check=False
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"the process ended with code {done.returncode}"])[-1]
            return [Row("deep", f"{LENGTH:,} ops", void=last)]
        found.append([float(x) for x in done.stdout.split()])
    return [
        Row(
            "deep",
            f"{LENGTH:,} ops: {part}",
            "us per op",
            {"gpugrad": Spread.of([x / LENGTH * 1e6 for x in values])},
            note=note,
        )
        for part, values, note in zip(
            ("forward", "backward", "freed"),
            zip(*found, strict=True),
            ("", f"without recursion: at most {_FRAMES} frames", "by reference counting alone: the collector was off"),
            strict=True,
        )
    ]


def main() -> None:
    """Print the seconds of the forward pass, of the backward pass, and of freeing a graph that was not differentiated."""
    import gpugrad as gg

    gc.disable()
    x = gg.tensor([1.0], requires_grad=True)
    seconds = [time.perf_counter()]
    y = _chain(x)
    seconds.append(time.perf_counter())
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(_FRAMES)
    gg.sum(y).backward()
    sys.setrecursionlimit(limit)
    seconds.append(time.perf_counter())
    if abs(x.grad.item() - 1) > 1e-6:
        raise SystemExit(f"the gradient is {x.grad.item()}, expected 1")
    y = _chain(x)
    node = weakref.ref(_ancestor(y.node, 1000))
    start = time.perf_counter()
    del y
    freed = time.perf_counter() - start
    if node() is not None:
        raise SystemExit("the graph was not freed by reference counting")
    print(seconds[1] - seconds[0], seconds[2] - seconds[1], freed)


def _chain(x):  # type: ignore[no-untyped-def]
    y = x
    for _ in range(LENGTH // 2):
        y = -y
        y = y * 1.0
    return y


def _ancestor(node, distance):  # type: ignore[no-untyped-def]
    for _ in range(distance):
        node = node.edges[0][0]
    return node


if __name__ == "__main__":
    main()
