"""Schedules side by side with PyTorch's: the rates and momenta of 60 steps, two groups, with a change by hand on the way.

Run by ``python -m nox -s parity``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from parity.peers import torch

import gpugrad as gg
from gpugrad.optim import lr_scheduler as ours

SCHEDULES: dict[str, Callable[[Any, Any], Any]] = {
    "StepLR": lambda s, o: s.StepLR(o, 7, gamma=0.5),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [3, 9, 9, 40], gamma=0.3),
    "ConstantLR": lambda s, o: s.ConstantLR(o, 0.25, total_iters=6),
    "LinearLR": lambda s, o: s.LinearLR(o, 0.1, 0.8, total_iters=11),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.93),
    "PolynomialLR": lambda s, o: s.PolynomialLR(o, 20, power=2.0),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 13, eta_min=0.01),
    "CosineAnnealingLR to 0": lambda s, o: s.CosineAnnealingLR(o, 10),
    "CosineAnnealingWarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 5, 2, eta_min=0.001),
    "CosineAnnealingWarmRestarts, equal": lambda s, o: s.CosineAnnealingWarmRestarts(o, 9),
    "LambdaLR": lambda s, o: s.LambdaLR(o, [lambda t: 0.95**t, lambda t: 1 / (1 + t)]),
    "MultiplicativeLR": lambda s, o: s.MultiplicativeLR(o, lambda t: 0.9 if t % 2 else 1.05),
    "OneCycleLR": lambda s, o: s.OneCycleLR(o, 0.5, total_steps=61),
    "OneCycleLR, linear": lambda s, o: s.OneCycleLR(
        o, [0.5, 0.2], epochs=7, steps_per_epoch=9, anneal_strategy="linear", pct_start=0.4
    ),
    "OneCycleLR, three phases": lambda s, o: s.OneCycleLR(o, 0.5, total_steps=61, three_phase=True, div_factor=10.0),
    "OneCycleLR, no momentum": lambda s, o: s.OneCycleLR(o, 0.5, total_steps=61, cycle_momentum=False),
    "CyclicLR": lambda s, o: s.CyclicLR(o, 0.01, 0.2, step_size_up=5, step_size_down=8),
    "CyclicLR, triangular2": lambda s, o: s.CyclicLR(o, 0.01, [0.2, 0.3], step_size_up=4, mode="triangular2"),
    "CyclicLR, exp_range": lambda s, o: s.CyclicLR(
        o, 0.01, 0.2, step_size_up=6, mode="exp_range", gamma=0.97, cycle_momentum=False
    ),
    "CyclicLR, scale_fn": lambda s, o: s.CyclicLR(o, 0.01, 0.2, step_size_up=6, scale_fn=lambda x: 1 / x, scale_mode="cycle"),
    "SequentialLR": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.01, total_iters=5), s.CosineAnnealingLR(o, 30, eta_min=0.002), s.ExponentialLR(o, 0.9)], [5, 40]
    ),
    "ChainedScheduler": lambda s, o: s.ChainedScheduler(
        [s.ConstantLR(o, 0.1, total_iters=4), s.ExponentialLR(o, 0.97), s.CosineAnnealingLR(o, 17, eta_min=0.01)]
    ),
    "LinearLR and StepLR by turns": lambda s, o: _Both(s.LinearLR(o, 0.2, total_iters=9), s.StepLR(o, 10, 0.5)),
}


class _Both:
    """Two schedules that the user steps one after the other."""

    def __init__(self, *schedulers: Any) -> None:
        self.schedulers = schedulers

    def step(self) -> None:
        for scheduler in self.schedulers:
            scheduler.step()


def rates(schedulers: Any, optimizer: Any, make: Callable[[Any, Any], Any], by_hand: bool) -> list[list[float]]:
    """Rates and momenta of both groups in every step."""
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, about arguments of its own schedules
        scheduler = make(schedulers, optimizer)
        for step in range(60):
            found.append([x for group in optimizer.param_groups for x in (group["lr"], group["momentum"])])
            optimizer.step()
            scheduler.step()
            if by_hand and step == 6:
                for group in optimizer.param_groups:
                    group["lr"] *= 0.5
    return found


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_are_those_of_pytorch(name: str, by_hand: bool) -> None:
    p, q = gg.zeros(1).requires_grad_(), gg.zeros(1).requires_grad_()
    optimizer = gg.optim.SGD([{"params": [p]}, {"params": [q], "lr": 0.03}], lr=0.1, momentum=0.9)
    x, y = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    other = torch.optim.SGD([{"params": [x]}, {"params": [y], "lr": 0.03}], lr=0.1, momentum=0.9)
    found = rates(ours, optimizer, SCHEDULES[name], by_hand)
    expected = rates(torch.optim.lr_scheduler, other, SCHEDULES[name], by_hand)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-15)


def test_a_plateau_is_found_where_pytorch_finds_it() -> None:
    rng = np.random.default_rng(0)
    for mode in ("min", "max"):
        for threshold_mode in ("rel", "abs"):
            options: dict[str, Any] = {"patience": 2, "factor": 0.5, "cooldown": 1, "threshold": 0.05, "min_lr": [0.001, 0.01]}
            pairs = []
            for library, schedulers in ((gg, ours), (torch, torch.optim.lr_scheduler)):
                tensors = [library.zeros(1).requires_grad_() for _ in range(2)]
                optimizer = library.optim.SGD([{"params": [t]} for t in tensors], lr=0.1)
                pairs.append(
                    (optimizer, schedulers.ReduceLROnPlateau(optimizer, mode, threshold_mode=threshold_mode, **options))
                )
            found: list[list[float]] = [[], []]
            for figure in [*(1 / (1 + i) + 0.1 * rng.normal() for i in range(60)), float("nan"), float("nan")]:
                for (optimizer, scheduler), rates_found in zip(pairs, found, strict=True):
                    scheduler.step(figure)
                    rates_found += [group["lr"] for group in optimizer.param_groups]
            assert found[0] == found[1]
            assert min(found[0]) < 0.1


@pytest.mark.parametrize("name", [*ours.__all__])
def test_every_schedule_of_pytorch_is_compared(name: str) -> None:
    assert hasattr(torch.optim.lr_scheduler, name)
    assert name in {"LRScheduler", "ReduceLROnPlateau"} or any(key.startswith(name) for key in SCHEDULES)
