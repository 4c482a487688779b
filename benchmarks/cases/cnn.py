"""cnn: a training step of the CNN of gpugrad/bench/cnn.py."""

from __future__ import annotations

from functools import partial

from benchmarks.contest import Contest, Target
from benchmarks.training import columns
from gpugrad.bench.cnn import BATCH, WORK, problem
from gpugrad.bench.training import FIRST_STEPS, TOLERANCE

CONTESTS = (
    Contest(
        "cnn", f"{WORK}, batch {BATCH}, per step", problem, columns(),
        targets=(Target(1.2),), tolerance=TOLERANCE, agree=FIRST_STEPS, memory_limit=None, small=partial(problem, 1),
    ),
)  # fmt: skip
