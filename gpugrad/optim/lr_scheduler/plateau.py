"""ReduceLROnPlateau: a lower rate when a figure stops getting better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from gpugrad.errors import OptionError
from gpugrad.optim.lr_scheduler.scheduler import LRScheduler, check_optimizer, per_group
from gpugrad.optim.optimizer import Optimizer
from gpugrad.tape import Tensor


class ReduceLROnPlateau(LRScheduler):
    """Multiply the rates by `factor` when the figure given to ``step(metrics)`` has not improved for more than `patience` steps.

    `mode` "min" or "max" says what is better: for "min" and `threshold_mode` "rel" less than ``best * (1 - threshold)``, for
    "abs" less than ``best - threshold``. After a reduction `cooldown` steps do not count. No rate goes below `min_lr` (a number, or
    one for each group), and a change of `eps` or less is not made. nan counts as no improvement.
    Raises OptionError for options out of range.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        check_optimizer(optimizer, "ReduceLROnPlateau")
        if mode not in ("min", "max"):
            raise OptionError(f"ReduceLROnPlateau: mode is {mode!r}, expected 'min' or 'max'")
        if threshold_mode not in ("rel", "abs"):
            raise OptionError(f"ReduceLROnPlateau: threshold_mode is {threshold_mode!r}, expected 'rel' or 'abs'")
        if not factor < 1:
            raise OptionError(f"ReduceLROnPlateau: factor is {factor}, expected less than 1")
        self.optimizer = optimizer
        self.mode = mode
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.cooldown = cooldown
        self.min_lrs = per_group(optimizer, "ReduceLROnPlateau: min_lr", min_lr)
        self.eps = eps
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = 0
        self.cooldown_counter = 0
        self.last_epoch = 0
        self._last_lr = [group["lr"] for group in optimizer.param_groups]

    def step(self, metrics: Any) -> None:  # type: ignore[override]
        """Look at a figure, such as the validation loss: a number, or a Tensor or array of one element, which waits for a GPU."""
        current = float(metrics.detach().item() if isinstance(metrics, Tensor) else metrics)
        self.last_epoch += 1
        if self._better(current):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _better(self, x: float) -> bool:
        sign = 1 if self.mode == "max" else -1
        step = sign * self.threshold
        return x * sign > sign * (self.best * (1 + step) if self.threshold_mode == "rel" else self.best + step)

    def _reduce(self) -> None:
        for group, lowest in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            new = max(group["lr"] * self.factor, lowest)
            if group["lr"] - new > self.eps:
                group["lr"] = new
