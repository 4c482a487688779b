"""tiny: a training step of an 8-16-16-2 network, batch 1, cross-entropy, SGD: what is left is what the engine costs."""

from __future__ import annotations

from functools import partial

from benchmarks.cases.mlp import loss, mygrad_loss
from benchmarks.contest import Contest, Target
from benchmarks.libraries import PYTORCH
from benchmarks.training import columns, sgd
from gpugrad.bench.mlp import problem
from gpugrad.bench.training import FIRST_STEPS, TOLERANCE

SIZES = (8, 16, 16, 2)
LR = 0.01

CONTESTS = (
    Contest(
        "tiny", "-".join(map(str, SIZES)) + ", batch 1, SGD, per step", partial(problem, 1, SIZES, "SGD", LR),
        columns(loss, sgd(LR), autograd=True, mygrad=mygrad_loss),
        targets=(Target(0.5, (PYTORCH,)),),
        tolerance=TOLERANCE, agree=FIRST_STEPS, unit="us", memory_limit=None,
    ),
)  # fmt: skip
