"""The cases by name, in the order in which they run. A case takes the device and a number of rounds and returns its rows."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.cases import (
    bandwidth,
    black_scholes,
    call,
    chain,
    compile_time,
    deep,
    fused_adam,
    gemm,
    import_time,
    kernels,
    memory,
    mlp,
    op,
)
from gpugrad.bench.method import Row

CASES: dict[str, Callable[[str, int], list[Row]]] = {
    "op": op.run,
    "chain": chain.run,
    "call": call.run,
    "kernels": kernels.run,
    "adam": fused_adam.run,
    "options": black_scholes.run,
    "bandwidth": bandwidth.run,
    "gemm": gemm.run,
    "mlp": mlp.run,
    "memory": memory.run,
    "deep": deep.run,
    "compile": compile_time.run,
    "import": import_time.run,
}
