"""Records of gpugrad/ops/random_bits.py."""

from __future__ import annotations

from typing import Any

import gpugrad as gg
from gpugrad.check.records.case import Case, call, real
from gpugrad.ops.random_bits import bernoulli_mask, bernoulli_threshold, random_state
from gpugrad.tape import raw


def _bernoulli_mask(x: Any, p: float) -> Any:
    threshold, width = bernoulli_threshold(p)
    return bernoulli_mask(x, random_state(raw(x), gg.random.Generator(7).take, width), threshold, width)


def _bernoulli(x: Any, p: float) -> Any:
    return gg.random.Generator(7).bernoulli(x.shape, p, device="cpu").numpy()


CASES = [
    Case(
        "bernoulli_mask",
        [
            call(real(4, 5), 0.5),
            call(real(3, 3), 0.2),
            call(real(3), 0.0),
            call(real(50), 1e-5),
            call(real(), 0.9),
            call(real(0, 2), 0.5),
        ],
        _bernoulli,
        order=None,
        function=_bernoulli_mask,
    ),
]
