"""LRScheduler, the base class of schedules, and FactorLR, that of schedules which multiply the base rate by a factor."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from gpugrad.errors import DTypeError, OptionError
from gpugrad.optim.optimizer import Optimizer


class LRScheduler:
    """Base class: a subclass defines :meth:`get_lr`, the rates of all groups at step ``self.last_epoch``.

    ``self.base_lrs`` holds the base rate of every group: its "initial_lr", which is its "lr" when it meets its first schedule.
    `last_epoch` is -1 to start with, or the number of the last step of a run that is resumed; the groups must then have an
    "initial_lr", as an optimizer that was loaded from a state_dict has. Making a schedule takes its first step: it sets the
    rates of step 0.
    Raises DTypeError for what is no optimizer, OptionError to resume without an "initial_lr".
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(optimizer, type(self).__name__)
        groups = optimizer.param_groups
        if last_epoch == -1:
            for group in groups:
                group.setdefault("initial_lr", group["lr"])
        elif missing := [i for i, group in enumerate(groups) if "initial_lr" not in group]:
            raise OptionError(
                f"{type(self).__name__}: last_epoch is {last_epoch}, but group {missing[0]} of the optimizer has no 'initial_lr'; load the "
                "optimizer's state_dict first, or start with last_epoch=-1"
            )
        self.optimizer = optimizer
        self.base_lrs: list[float] = [group["initial_lr"] for group in groups]
        self.last_epoch = last_epoch
        self._step_count = 0
        self.step()

    def get_lr(self) -> list[float]:
        """The rate of every group at step ``self.last_epoch``; ``group["lr"]`` still is that of the step before."""
        raise NotImplementedError(
            f"{type(self).__name__} defines no get_lr method; it returns a rate for every parameter group"
        )

    def get_last_lr(self) -> list[float]:
        """The rate of every group, as this schedule set it last."""
        return list(self._last_lr)

    def step(self) -> None:
        """Go on by one step; call it after ``optimizer.step()``. Warns if the optimizer has not stepped before the first call."""
        if self._step_count == 1 and not self.optimizer.stepped:
            warnings.warn(
                f"{type(self).__name__}.step was called before the optimizer took a step, so that the rate of the first step is lost; "
                "call optimizer.step() first, then scheduler.step()",
                UserWarning,
                stacklevel=2,
            )
        self._step_count += 1
        self.last_epoch += 1
        self._set(self.get_lr())

    def restart(self) -> None:
        """Go to step 0, from the base rates, whatever the rates are now."""
        self.last_epoch = 0
        self._set(self.get_lr())

    def begin(self) -> None:
        """Go to step 0 from the rates that the groups have now."""
        self.restart()

    def _set(self, rates: Sequence[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self._last_lr = list(rates)

    def state_dict(self) -> dict[str, Any]:
        """Where the schedule is, and its options: everything but the optimizer and functions."""
        return {name: list(x) if isinstance(x, list) else x for name, x in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a :meth:`state_dict`.

        Raises OptionError if it is of another kind of schedule, or of an optimizer with other groups; then nothing has changed.
        """
        own = self.state_dict()
        name = type(self).__name__
        if not isinstance(state_dict, Mapping) or state_dict.keys() != own.keys():
            given = sorted(state_dict) if isinstance(state_dict, Mapping) else type(state_dict).__name__
            raise OptionError(
                f"{name}.load_state_dict: got {given}, expected {sorted(own)}; is it the state of another schedule?"
            )
        sizes = len(state_dict.get("base_lrs", ())), len(own.get("base_lrs", ()))
        if sizes[0] != sizes[1]:
            raise OptionError(f"{name}.load_state_dict: the state is of {sizes[0]} groups, and the optimizer has {sizes[1]}")
        vars(self).update(state_dict)

    def per_group(self, name: str, value: Any) -> list[Any]:
        """An option that may be given for each group: a list as long as there are groups. Raises OptionError for another length."""
        return per_group(self.optimizer, f"{type(self).__name__}: {name}", value)


class FactorLR(LRScheduler):
    """Base class of schedules ``floor + (base_lr - floor) * factor(step)``; a subclass defines :meth:`factor`.

    A step multiplies what the rate is by ``factor(step) / factor(step - 1)``, so that several schedules of one optimizer, and
    changes by hand, multiply each other. Where that factor was 0, ``(base_lr - floor) * factor(step)`` is added.
    """

    floor: float = 0.0

    def factor(self, step: int) -> float:
        """The factor of a step, counted from 0."""
        raise NotImplementedError

    def get_lr(self) -> list[float]:
        """See :class:`LRScheduler`."""
        step, groups = self.last_epoch, self.optimizer.param_groups
        before, factor = self.factor(step - 1) if step else 1.0, self.factor(step)
        if before == 0:
            return [g["lr"] + (base - self.floor) * factor for g, base in zip(groups, self.base_lrs, strict=True)]
        if factor == before:
            return [g["lr"] for g in groups]
        return [self.floor + (g["lr"] - self.floor) * (factor / before) for g in groups]

    def restart(self) -> None:
        """See :class:`LRScheduler`."""
        self.last_epoch = 0
        factor = self.factor(0)
        self._set([self.floor + (base - self.floor) * factor for base in self.base_lrs])

    def begin(self) -> None:
        """See :class:`LRScheduler`."""
        self.last_epoch = 0
        self._set(self.get_lr())


def check_optimizer(optimizer: Any, name: str) -> None:
    """Raise DTypeError for what is no optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise DTypeError(f"{name}: got {type(optimizer).__name__}, expected an optimizer such as gg.optim.SGD(...)")


def per_group(optimizer: Optimizer, name: str, value: Any) -> list[Any]:
    """A value for each group of an optimizer: one for all, or as many as there are groups."""
    count = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [value] * count
    if len(value) != count:
        raise OptionError(f"{name} has {len(value)} values, expected one, or {count}: one per parameter group")
    return list(value)


def positive(name: str, value: Any) -> None:
    """Raise OptionError unless `value` is an int of 1 or more."""
    if not isinstance(value, int) or value < 1:
        raise OptionError(f"{name} is {value!r}, expected an int of 1 or more")
