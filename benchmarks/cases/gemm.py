"""gemm: products of square matrices on a GPU, gpugrad's against the plain call of CuPy's on the same arrays."""

from __future__ import annotations

import numpy

import gpugrad as gg
from benchmarks.devices import waiting
from gpugrad.bench.method import Column, Row, disagreement, interleaved, not_run, numbers, ratio, spreads

SIZE = 4096
LIMIT = 1.03
"""Times CuPy's: at most 3% on top of cuBLAS, which both call."""

DTYPES = {"float32": 1e-3, "bfloat16": 1e-1}
"""With how far elements, sums of SIZE products of normal numbers, may be apart."""


def run(device: str, rounds: int) -> list[Row]:
    """A row for each dtype; bfloat16 needs ml_dtypes, which CuPy takes it from."""
    if device == "cpu":
        return [not_run("gemm", "it needs a GPU; run it with --device cuda")]
    return [_row(device, rounds, dtype, tolerance) for dtype, tolerance in DTYPES.items()]


def _row(device: str, rounds: int, dtype: str, tolerance: float) -> Row:
    work = f"{SIZE} x {SIZE} @ {SIZE} x {SIZE}, {dtype}"
    cupy = gg.arrays.devices.import_cupy()
    try:
        kind = numpy.dtype(dtype)
    except TypeError:
        return not_run(f"gemm, {dtype}", "NumPy has no such dtype here: ml_dtypes is not installed")
    with gg.device(device):
        gg.manual_seed(0)
        x, y = (gg.random.normal((SIZE, SIZE)).array.astype(kind) for _ in range(2))
    steps = {f"gpugrad {device}": lambda: gg.matmul(x, y), "CuPy": lambda: cupy.matmul(x, y)}
    found = {name: numbers(step()[:4, :64].astype("float32").get()) for name, step in steps.items()}
    if void := disagreement(found, tolerance * SIZE**0.5):
        return Row("gemm", work, void=void)
    seconds = interleaved([Column(name, step, waiting(device)) for name, step in steps.items()], rounds=rounds)
    ours, theirs = steps
    rate = 2e-12 * SIZE**3 / spreads(seconds)[ours].median
    return Row(
        "gemm", work, "ms", spreads(seconds, 1e3), [ratio(seconds, ours, theirs, LIMIT)], note=f"{work}: {rate:.0f} TFLOP/s"
    )
