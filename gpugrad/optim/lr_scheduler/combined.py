"""Schedules made of schedules: one after the other, SequentialLR, or all at once, ChainedScheduler."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from typing import Any

from gpugrad.errors import DTypeError, OptionError
from gpugrad.optim.lr_scheduler.plateau import ReduceLROnPlateau
from gpugrad.optim.lr_scheduler.scheduler import LRScheduler
from gpugrad.optim.optimizer import Optimizer


class _Combined(LRScheduler):
    """Schedules of one optimizer."""

    def __init__(self, optimizer: Optimizer | None, schedulers: Sequence[LRScheduler]) -> None:
        name = type(self).__name__
        self._schedulers = list(schedulers)
        if not self._schedulers:
            raise OptionError(f"{name}: got no schedulers, expected one or more")
        for i, scheduler in enumerate(self._schedulers):
            if not isinstance(scheduler, LRScheduler):
                raise DTypeError(f"{name}: scheduler {i} is {type(scheduler).__name__}, expected an LRScheduler")
            if isinstance(scheduler, ReduceLROnPlateau):
                raise OptionError(f"{name}: scheduler {i} is ReduceLROnPlateau, whose step takes a figure; step it by itself")
        self.optimizer = self._schedulers[0].optimizer if optimizer is None else optimizer
        for i, scheduler in enumerate(self._schedulers):
            if scheduler.optimizer is not self.optimizer:
                raise OptionError(f"{name}: scheduler {i}, {type(scheduler).__name__}, is of another optimizer")

    def _note(self) -> None:
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """See :class:`LRScheduler`; with the states of the schedules."""
        return {**super().state_dict(), "_schedulers": [scheduler.state_dict() for scheduler in self._schedulers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """See :class:`LRScheduler`."""
        own, before = self._schedulers, self.state_dict()
        states = state_dict.get("_schedulers", ())
        if len(states) != len(own):
            raise OptionError(
                f"{type(self).__name__}.load_state_dict: the state has {len(states)} schedulers, expected {len(own)}"
            )
        try:
            for scheduler, state in zip(own, states, strict=True):
                scheduler.load_state_dict(state)
            super().load_state_dict({**state_dict, "_schedulers": own})
        except OptionError:
            for scheduler, state in zip(own, before["_schedulers"], strict=True):
                scheduler.load_state_dict(state)
            raise


class SequentialLR(_Combined):
    """One schedule after the other: the next begins, at its own step 0, where a milestone is reached. For a warm-up::

        warmup = LinearLR(optimizer, 0.01, total_iters=500)
        SequentialLR(optimizer, [warmup, CosineAnnealingLR(optimizer, 9500)], milestones=[500])

    Raises OptionError for no schedules, milestones that are not one fewer or not in order, and schedules of another optimizer.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.SequentialLR.html
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int], last_epoch: int = -1
    ) -> None:
        super().__init__(optimizer, schedulers)
        self._milestones = list(milestones)
        if len(self._milestones) != len(self._schedulers) - 1:
            raise OptionError(
                f"SequentialLR: got {len(self._schedulers)} schedulers and {len(self._milestones)} milestones, expected one "
                "milestone between every two"
            )
        if self._milestones != sorted(self._milestones):
            raise OptionError(f"SequentialLR: milestones is {self._milestones}, expected steps in order")
        self.last_epoch = last_epoch + 1
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"]  # making the schedules has taken a first step of each
        self._current().begin()
        self._note()

    def _current(self) -> LRScheduler:
        return self._schedulers[bisect.bisect_right(self._milestones, self.last_epoch)]

    def step(self) -> None:
        """See :class:`LRScheduler`."""
        self.last_epoch += 1
        scheduler = self._current()
        if self.last_epoch in self._milestones:
            scheduler.restart()
        else:
            scheduler.step()
        self._note()

    def restart(self) -> None:
        """See :class:`LRScheduler`."""
        self.last_epoch = 0
        self._current().restart()
        self._note()

    def begin(self) -> None:
        """See :class:`LRScheduler`."""
        self.last_epoch = 0
        self._current().begin()
        self._note()


class ChainedScheduler(_Combined):
    """Schedules that step together, each multiplying what the one before made of the rate.

    Raises OptionError for no schedules, and for schedules of several optimizers.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ChainedScheduler.html
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        super().__init__(optimizer, schedulers)
        self._note()

    def step(self) -> None:
        """See :class:`LRScheduler`."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._note()

    def restart(self) -> None:
        """See :class:`LRScheduler`."""
        self._schedulers[0].restart()
        for scheduler in self._schedulers[1:]:
            scheduler.begin()
        self._note()

    def begin(self) -> None:
        """See :class:`LRScheduler`."""
        for scheduler in self._schedulers:
            scheduler.begin()
        self._note()
