"""Schedules that go up and down: OneCycleLR and CyclicLR, with the momentum against the rate, and CosineAnnealingWarmRestarts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from gpugrad.errors import OptionError
from gpugrad.optim.lr_scheduler.scheduler import LRScheduler, check_optimizer, positive
from gpugrad.optim.optimizer import Optimizer


class _WithMomentum(LRScheduler):
    """Sets the momentum of every group, too: "momentum", or the first of "betas"."""

    cycle_momentum: bool

    def _start_momentum(self, base: float | Sequence[float], highest: float | Sequence[float], last_epoch: int) -> None:
        name = type(self).__name__
        if not {"momentum", "betas"} & self.optimizer.defaults.keys():
            raise OptionError(
                f"{name}: {type(self.optimizer).__name__} has neither momentum nor betas to cycle; pass cycle_momentum=False"
            )
        bases, tops = self.per_group("base_momentum", base), self.per_group("max_momentum", highest)
        if last_epoch == -1:
            for group, low, high in zip(self.optimizer.param_groups, bases, tops, strict=True):
                group["base_momentum"], group["max_momentum"] = low, high
                _set_momentum(group, high)


def _set_momentum(group: dict[str, Any], momentum: float) -> None:
    if "betas" in group:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum


def _cosine(start: float, end: float, part: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * part))


def _linear(start: float, end: float, part: float) -> float:
    return start + (end - start) * part


_ANNEAL = {"cos": _cosine, "linear": _linear}


class OneCycleLR(_WithMomentum):
    """The one-cycle policy: from ``max_lr / div_factor`` up to `max_lr`, then down to ``max_lr / div_factor / final_div_factor``.

    It has `total_steps` steps, or `epochs` times `steps_per_epoch`; the share `pct_start` of them goes up. `anneal_strategy` is "cos"
    or "linear". With `three_phase` the way down mirrors the way up first, and then goes on to the end. With `cycle_momentum` the
    momentum (or the first of betas) goes from `max_momentum` to `base_momentum` and back meanwhile. `max_lr` and the momenta are
    numbers, or lists with one for every group.
    Raises OptionError for options out of range, and from ``step`` when all steps are done.
    Source: L. Smith, N. Topin, "Super-convergence: very fast training of neural networks using large learning rates", 2018;
    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer, "OneCycleLR")
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise OptionError("OneCycleLR: got no number of steps; pass total_steps, or epochs and steps_per_epoch")
            positive("OneCycleLR: epochs", epochs)
            positive("OneCycleLR: steps_per_epoch", steps_per_epoch)
            total_steps = epochs * steps_per_epoch
        positive("OneCycleLR: total_steps", total_steps)
        if not 0 <= pct_start <= 1:
            raise OptionError(f"OneCycleLR: pct_start is {pct_start}, expected 0 to 1")
        if anneal_strategy not in _ANNEAL:
            raise OptionError(f"OneCycleLR: anneal_strategy is {anneal_strategy!r}, expected 'cos' or 'linear'")
        self.optimizer = optimizer
        self.total_steps = total_steps
        self.anneal_strategy = anneal_strategy
        self.cycle_momentum = cycle_momentum
        # Phases: the last step of each, and between which of a group's rates and momenta it goes.
        up = pct_start * total_steps - 1
        low, high = "base_momentum", "max_momentum"
        rising = (up, "initial_lr", "max_lr", high, low)
        self._phases = (
            [rising, (2 * up, "max_lr", "initial_lr", low, high), (total_steps - 1, "initial_lr", "min_lr", high, high)]
            if three_phase
            else [rising, (total_steps - 1, "max_lr", "min_lr", low, high)]
        )
        tops = self.per_group("max_lr", max_lr)
        if last_epoch == -1:
            for group, top in zip(optimizer.param_groups, tops, strict=True):
                group["initial_lr"] = top / div_factor
                group["max_lr"] = top
                group["min_lr"] = top / div_factor / final_div_factor
        if cycle_momentum:
            self._start_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def step(self) -> None:
        """See :class:`LRScheduler`. Raises OptionError when all steps are done."""
        if self.last_epoch >= self.total_steps:
            raise OptionError(
                f"OneCycleLR: step {self.last_epoch + 1} is beyond total_steps={self.total_steps}; it counts optimizer steps, not epochs"
            )
        super().step()

    def get_lr(self) -> list[float]:
        """See :class:`LRScheduler`."""
        rates = []
        anneal, step, phases = _ANNEAL[self.anneal_strategy], self.last_epoch, self._phases
        current = next((i for i, phase in enumerate(phases) if step <= phase[0]), len(phases) - 1)
        begun = phases[current - 1][0] if current else 0.0
        last, *names = phases[current]
        part = (step - begun) / (last - begun)
        for group in self.optimizer.param_groups:
            rates.append(anneal(group[names[0]], group[names[1]], part))
            if self.cycle_momentum:
                _set_momentum(group, anneal(group[names[2]], group[names[3]], part))
        return rates


class CyclicLR(_WithMomentum):
    """Cycles between `base_lr` and `max_lr`: up in `step_size_up` steps, down in `step_size_down` (the same for None).

    The height of a cycle is scaled by 1 for `mode` "triangular", by ``1 / 2 ** (cycle - 1)`` for "triangular2", by ``gamma ** step`` for
    "exp_range", or by ``scale_fn(x)`` with x the number of the cycle, from 1 on, or of the step (`scale_mode` "cycle" or
    "iterations"). With `cycle_momentum` the momentum (or the first of betas) goes the other way.
    Raises OptionError for options out of range.
    Source: L. Smith, "Cyclical learning rates for training neural networks", WACV 2017;
    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CyclicLR.html
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | Sequence[float],
        max_lr: float | Sequence[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.8,
        max_momentum: float | Sequence[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer, "CyclicLR")
        if scale_fn is None and mode not in ("triangular", "triangular2", "exp_range"):
            raise OptionError(f"CyclicLR: mode is {mode!r}, expected 'triangular', 'triangular2' or 'exp_range', or a scale_fn")
        if scale_mode not in ("cycle", "iterations"):
            raise OptionError(f"CyclicLR: scale_mode is {scale_mode!r}, expected 'cycle' or 'iterations'")
        positive("CyclicLR: step_size_up", step_size_up)
        step_size_down = step_size_up if step_size_down is None else step_size_down
        positive("CyclicLR: step_size_down", step_size_down)
        self.optimizer = optimizer
        self.mode = mode
        self.gamma = gamma
        self._scale_fn = scale_fn
        self.scale_mode = scale_mode if scale_fn is not None else "iterations" if mode == "exp_range" else "cycle"
        self.total_size = step_size_up + step_size_down
        self.step_ratio = step_size_up / self.total_size
        self.cycle_momentum = cycle_momentum
        lowest = self.per_group("base_lr", base_lr)
        self.max_lrs = self.per_group("max_lr", max_lr)
        if last_epoch == -1:
            for group, low in zip(optimizer.param_groups, lowest, strict=True):
                group["lr"] = group["initial_lr"] = low
        if cycle_momentum:
            self._start_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """See :class:`LRScheduler`."""
        cycle, part = divmod(self.last_epoch / self.total_size, 1)
        height = part / self.step_ratio if part <= self.step_ratio else (part - 1) / (self.step_ratio - 1)
        height *= self._scale(cycle + 1 if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for group in self.optimizer.param_groups:
                _set_momentum(group, group["max_momentum"] - (group["max_momentum"] - group["base_momentum"]) * height)
        return [low + (high - low) * height for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]

    def _scale(self, x: float) -> float:
        if self._scale_fn is not None:
            return self._scale_fn(x)
        return {"triangular": 1.0, "triangular2": 2.0 ** (1 - x)}.get(self.mode) or self.gamma**x

    def state_dict(self) -> dict[str, Any]:
        """See :class:`LRScheduler`; a `scale_fn` is not part of it."""
        return {name: x for name, x in super().state_dict().items() if name != "_scale_fn"}


class CosineAnnealingWarmRestarts(LRScheduler):
    """``eta_min + (base_lr - eta_min) * (1 + cos(pi * T_cur / T_i)) / 2``: down in T_i steps, and from the top again.

    The first cycle has `T_0` steps, and each one after it `T_mult` times as many. ``step(epoch)`` goes to a place that may be
    between whole ones: ``scheduler.step(epoch + i / batches)`` after every batch.
    Raises OptionError for T_0 or T_mult below 1.
    Source: I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017;
    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingWarmRestarts.html
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        positive("CosineAnnealingWarmRestarts: T_0", T_0)
        positive("CosineAnnealingWarmRestarts: T_mult", T_mult)
        self.T_0 = self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: float = 0
        super().__init__(optimizer, last_epoch)

    def step(self, epoch: float | None = None) -> None:
        """Go on by one step, or to `epoch`. Raises OptionError for a negative one."""
        if epoch is None:
            super().step()
            return
        if not epoch >= 0:
            raise OptionError(f"CosineAnnealingWarmRestarts.step: epoch is {epoch}, expected 0 or more")
        self.last_epoch = math.floor(epoch)
        self._set(self._at(epoch))

    def get_lr(self) -> list[float]:
        """See :class:`LRScheduler`."""
        return self._at(self.last_epoch)

    def _at(self, place: float) -> list[float]:
        self.T_i, self.T_cur = self.T_0, place
        if self.T_mult == 1:
            self.T_cur = place % self.T_0
        while self.T_cur >= self.T_i:
            self.T_cur -= self.T_i
            self.T_i *= self.T_mult
        height = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]
