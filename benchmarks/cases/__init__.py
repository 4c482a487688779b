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
    checkpointing,
    cnn,
    compile_time,
    deep,
    einsum,
    fused_adam,
    gaussian_process,
    gemm,
    gpt,
    growth,
    hvp,
    import_time,
    installed_size,
    kernels,
    layers,
    lstm,
    mlp,
    op,
    optimizers,
    tiny,
)
from gpugrad.bench.method import Row

CONTESTS = {
    "mlp": mlp,
    "cnn": cnn,
    "gpt": gpt,
    "lstm": lstm,
    "tiny": tiny,
    "options": black_scholes,
    "gp": gaussian_process,
    "hvp": hvp,
    "einsum": einsum,
    "checkpointing": checkpointing,
}
"""The cases that compare libraries."""

CASES: dict[str, Callable[[str, int], list[Row]]] = {
    "op": functools.partial(contest.run, op),
    "chain": functools.partial(contest.run, chain),
    "call": call.run,
    "kernels": kernels.run,
    "adam": fused_adam.run,
    "bandwidth": bandwidth.run,
    "gemm": gemm.run,
    **{name: functools.partial(contest.run, module) for name, module in CONTESTS.items()},
    "layers": functools.partial(contest.run, layers),
    "optimizers": optimizers.run,
    "deep": deep.run,
    "growth": growth.run,
    "compile": compile_time.run,
    "import": import_time.run,
    "size": installed_size.run,
}

PARTS: dict[str, Callable[[str, int], list[Row]]] = {
    **{one.case: functools.partial(contest.run, layers, case=one.case) for one in layers.CONTESTS},
    **{f"growth.{name}": functools.partial(growth.run, names=(name,)) for name in growth.SERIES},
}
"""What a case consists of, where that can be run alone."""
