"""A training step on a GPU, looked at closely: ``python -m benchmarks.step FILE``.

The network and the data of gpugrad/bench/mlp.py. Its first ten losses must be those on the CPU; of a step on the GPU the most memory in
use and the launches are written to FILE as JSON. Exit code 1 if the losses differ.
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import gpugrad as gg
from benchmarks import peers
from benchmarks.training import with_torch
from gpugrad.bench import mlp
from gpugrad.bench.method import disagreement
from gpugrad.bench.training import TOLERANCE, Step, Training, with_gpugrad

STEPS = 10
_KINDS = {0: "kernels", 1: "copies", 2: "fills"}  # of CUgraphNodeType


def main(path: Path) -> int:
    """The exit code."""
    found = look()
    path.write_text(json.dumps(found))
    print(f"losses of {STEPS} steps: at most {found['apart']:.2g} from those on the CPU, expected at most {TOLERANCE:g}")
    print(f"memory: {found['peak'] / 2**20:.1f} MiB at the most while building the model and making {STEPS} steps")
    print("launches of a step: " + ", ".join(f"{name}: {what}" for name, what in found["launches"].items()))
    if found["void"]:
        print(found["void"])
    return int(bool(found["void"]))


def look() -> dict[str, Any]:
    """Losses on both devices, the peak of memory in bytes, and the launches of a step per library, or why they were not counted."""
    problem = mlp.problem()
    gg.cuda.reset_peak_memory_stats()
    before = gg.cuda.memory_allocated()
    step = with_gpugrad(problem, "cuda")
    reads = [step() for _ in range(STEPS)]
    peak = gg.cuda.max_memory_allocated() - before
    losses = {"CPU": [loss.item() for loss in _steps(problem)], "GPU": [read.item() for read in reads]}
    apart = max(abs(x - y) for x, y in zip(*losses.values(), strict=True))
    return {
        "losses": losses,
        "apart": apart,
        "void": disagreement(losses, TOLERANCE),
        "peak": peak,
        "launches": {"gpugrad": _said(lambda: captured(step)), "PyTorch": _said(lambda: of_torch(problem))},
    }


def _steps(problem: Training) -> list[Any]:
    step = with_gpugrad(problem, "cpu")
    return [step() for _ in range(STEPS)]


def _said(count: Any) -> Any:
    """A count, or why there is none: capturing and profiling depend on drivers and versions."""
    try:
        return count()
    except Exception as error:
        return f"not counted: {type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def captured(step: Step) -> dict[str, int]:
    """What a step launches, by kind, read off a CUDA graph that it is captured into. Raises what cannot be captured."""
    cupy = gg.arrays.devices.import_cupy()
    if hasattr(cupy, "standin"):
        with cupy.standin.counting() as seen:
            step()
        return {"kernels": seen.kernel_launches}
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        for _ in range(3):  # so that nothing is compiled or allocated any more
            step()
        stream.synchronize()
        stream.begin_capture()
        try:
            step()
        finally:
            graph = stream.end_capture()
    return dict(Counter(_KINDS.get(kind, "other") for kind in _nodes(graph)))


def _nodes(graph: Any) -> list[int]:
    """The types of the nodes of a CUDA graph, from the driver; CuPy does not tell."""
    driver = ctypes.CDLL("libcuda.so.1")
    handle, count = ctypes.c_void_p(graph.graph), ctypes.c_size_t(0)
    if driver.cuGraphGetNodes(handle, None, ctypes.byref(count)):
        raise RuntimeError("the driver does not tell the nodes of the graph")
    nodes = (ctypes.c_void_p * count.value)()
    driver.cuGraphGetNodes(handle, nodes, ctypes.byref(count))
    kinds = []
    for node in nodes:
        kind = ctypes.c_int(-1)
        driver.cuGraphNodeGetType(ctypes.c_void_p(node), ctypes.byref(kind))
        kinds.append(kind.value)
    return kinds


def of_torch(problem: Training) -> dict[str, int]:
    """What a step of PyTorch launches, from its profiler."""
    torch = peers.torch("cuda")
    if torch is None:
        raise ImportError("PyTorch with CUDA is not installed")
    step = with_torch(problem, "cuda")
    for _ in range(3):
        step()
    torch.cuda.synchronize()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        step()
        torch.cuda.synchronize()
    names = [event.name for event in profile.events() if event.device_type == torch.autograd.DeviceType.CUDA]
    kinds = ("copies" if name.startswith("Memcpy") else "fills" if name.startswith("Memset") else "kernels" for name in names)
    return dict(Counter(kinds))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
