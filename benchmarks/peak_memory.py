"""The most memory that a piece of work takes, each column in its own process.

On the CPU it is the resident set: /proc/self/clear_refs resets its high-water mark, VmHWM, once the libraries are loaded, warm
and have their data; where there is no /proc, getrusage's ru_maxrss, which cannot be reset, minus what it was then. On a GPU
it is what the allocator has handed out: counted by a hook of CuPy's memory pool, and by PyTorch itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.libraries import LIBRARIES, PYTORCH
from benchmarks.machine import ROOT
from gpugrad.bench.method import Row, ratio, spreads

_MIB = 1 << 20


def measured(case: str, work: str, device: str, rounds: int, limit: float, module: str, *arguments: str) -> Row:
    """The peak of gpugrad and of PyTorch; a fifth of the rounds: starting processes takes long, and memory varies little.

    ``benchmarks.<module>.for_memory(library, device, *arguments)`` gives two functions, which are called in the process of
    a column: one that makes the library load what it loads at first use, and one whose memory is measured. What exists before
    that one is called is not counted. `limit` is how many times as much as PyTorch's it may be, on the CPU.
    """
    columns = {"gpugrad": "gpugrad"}
    if peers.torch(device) is not None:
        columns[LIBRARIES[PYTORCH].column(device)] = "torch"
    found: dict[str, list[float]] = {name: [] for name in columns}
    how = ""
    for _ in range(max(3, rounds // 5)):
        for name, library in columns.items():
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.peak_memory", module, library, device, *arguments],
                capture_output=True,
                text=True,
                cwd=ROOT,
                check=False,
            )
            if done.returncode:
                return Row(case, work, void=f"{name}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
            size, how = done.stdout.strip().split(" ", 1)
            found[name].append(float(size))
    comparisons = [ratio(found, "gpugrad", name, limit if device == "cpu" else None) for name in list(columns)[1:]]
    return Row(case, work, "MiB", spreads(found, 1 / _MIB), comparisons, note=f"measured as {how}")


def main(module: str, library: str, device: str, *arguments: str) -> None:
    """Print the peak in bytes and how it was measured."""
    warm, work = importlib.import_module(f"benchmarks.{module}").for_memory(library, device, *arguments)
    for _ in range(2):
        warm()
    peak, how = _resident() if device == "cpu" else _allocated(library)
    work()
    print(peak(), how, flush=True)  # the process ends without doing it


def _resident() -> tuple[Callable[[], int], str]:
    """Start measuring the resident set: a function that gives the peak since now, and what it measures."""
    gc.collect()
    with contextlib.suppress(AttributeError):  # where the C library is not glibc
        # What was freed goes back to the system, or it would be used again without being counted.
        ctypes.CDLL(None).malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        import resource  # not on Windows

        unit = 1 if sys.platform == "darwin" else 1024
        start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return lambda: (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) * unit, "growth of ru_maxrss"
    before = _status("VmRSS")
    return lambda: _status("VmHWM") - before, "VmHWM after a reset, minus VmRSS at the reset"


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {key}")


def _allocated(library: str) -> tuple[Callable[[], int], str]:
    """The same for memory that is allocated on the GPU."""
    if library == "torch":
        torch: Any = peers.torch("cuda")
        torch.cuda.reset_peak_memory_stats()
        start = torch.cuda.memory_allocated()
        return lambda: torch.cuda.max_memory_allocated() - start, "bytes handed out by the allocator of each library"
    import cupy

    class Count(cupy.cuda.MemoryHook):  # type: ignore[misc, name-defined]
        """Adds up what the pool hands out and takes back."""

        name = "gpugrad_benchmark"
        now = peak = 0

        def malloc_postprocess(self, **event: Any) -> None:
            self.now += event["mem_size"]
            self.peak = max(self.peak, self.now)

        def free_postprocess(self, **event: Any) -> None:
            self.now -= event["mem_size"]

    count = Count()
    count.__enter__()
    return lambda: count.peak, "bytes handed out by the allocator of each library"


if __name__ == "__main__":
    main(*sys.argv[1:])
    os._exit(0)  # not waiting for threads of the libraries
