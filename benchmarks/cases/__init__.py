"""The cases by name, in the order in which they run. A case takes the device and a number of rounds and returns its rows."""

from __future__ import annotations

import functools
from collections.abc import Callable

from benchmarks import contest
from benchmarks.cases import (
    bandwidth,
    black_scholes,
    call,
    chain,
    cnn,
    compile_time,
    deep,
    fused_adam,
    gaussian_process,
    gemm,
    gpt,
    import_time,
    kernels,
    layers,
    lstm,
    mlp,
    op,
    optimizers,
    tiny,
)
from gpugrad.bench.method import Row

CONTESTS = {"mlp": mlp, "cnn": cnn, "gpt": gpt, "lstm": lstm, "tiny": tiny, "gp": gaussian_process}
"""The cases that compare libraries."""

CASES: dict[str, Callable[[str, int], list[Row]]] = {
    "op": op.run,
    "chain": chain.run,
    "call": call.run,
    "kernels": kernels.run,
    "adam": fused_adam.run,
    "options": black_scholes.run,
    "bandwidth": bandwidth.run,
    "gemm": gemm.run,
    **{name: functools.partial(contest.run, module) for name, module in CONTESTS.items()},
    "layers": layers.run,
    "optimizers": optimizers.run,
    "deep": deep.run,
    "compile": compile_time.run,
    "import": import_time.run,
}

PARTS: dict[str, Callable[[str, int], list[Row]]] = {
    f"layers.{name}": functools.partial(layers.run, names=(name,)) for name in layers.WORKS
}
"""What a case consists of, where that can be run alone."""
