"""gpt: a training step of the GPT of gpugrad/bench/gpt.py."""

from __future__ import annotations

from functools import partial

from benchmarks.contest import Contest, Target
from benchmarks.training import columns
from gpugrad.bench.gpt import BATCH, WORK, problem
from gpugrad.bench.training import FIRST_STEPS, TOLERANCE

CONTESTS = (
    Contest(
        "gpt", f"{WORK}, batch {BATCH}, per step", problem, columns(),
        targets=(Target(1.0),), tolerance=TOLERANCE, agree=FIRST_STEPS, memory_limit=None, small=partial(problem, 1),
    ),
)  # fmt: skip
