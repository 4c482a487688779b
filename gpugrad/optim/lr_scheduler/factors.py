"""Schedules that multiply the base rate by a factor: steps, ramps, exponentials, polynomials, cosines."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable

from gpugrad.errors import OptionError
from gpugrad.optim.lr_scheduler.scheduler import FactorLR, positive
from gpugrad.optim.optimizer import Optimizer


class StepLR(FactorLR):
    """``base_lr * gamma ** (step // step_size)``: times `gamma` every `step_size` steps.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.StepLR.html
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        positive("StepLR: step_size", step_size)
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def factor(self, step: int) -> float:
        """gamma ** (step // step_size)."""
        return self.gamma ** (step // self.step_size)


class MultiStepLR(FactorLR):
    """``base_lr * gamma ** n``, with n the number of `milestones` that were reached. One that is given twice counts twice.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.MultiStepLR.html
    """

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.milestones = sorted(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def factor(self, step: int) -> float:
        """gamma ** (the number of milestones up to this step)."""
        return self.gamma ** bisect.bisect_right(self.milestones, step)


class ConstantLR(FactorLR):
    """``base_lr * factor`` for the first `total_iters` steps, then base_lr. Raises OptionError for a factor outside [0, 1].

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ConstantLR.html
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5, last_epoch: int = -1) -> None:
        if not 0 <= factor <= 1:
            raise OptionError(f"ConstantLR: factor is {factor}, expected 0 to 1")
        self.start_factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def factor(self, step: int) -> float:
        """The factor for the first steps, then 1."""
        return self.start_factor if step < self.total_iters else 1.0


class LinearLR(FactorLR):
    """From ``base_lr * start_factor`` to ``base_lr * end_factor``, in a straight line over `total_iters` steps: a warm-up.

    Raises OptionError for a start_factor outside (0, 1], an end_factor outside [0, 1], and total_iters below 1.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LinearLR.html
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1:
            raise OptionError(f"LinearLR: start_factor is {start_factor}, expected more than 0 and at most 1")
        if not 0 <= end_factor <= 1:
            raise OptionError(f"LinearLR: end_factor is {end_factor}, expected 0 to 1")
        positive("LinearLR: total_iters", total_iters)
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def factor(self, step: int) -> float:
        """start_factor + (end_factor - start_factor) * min(step / total_iters, 1)."""
        if step >= self.total_iters:
            return self.end_factor
        return self.start_factor + (self.end_factor - self.start_factor) * step / self.total_iters


class ExponentialLR(FactorLR):
    """``base_lr * gamma ** step``.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ExponentialLR.html
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def factor(self, step: int) -> float:
        """gamma ** step."""
        return self.gamma**step


class PolynomialLR(FactorLR):
    """``base_lr * (1 - step / total_iters) ** power``, and 0 from step `total_iters` on.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.PolynomialLR.html
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        positive("PolynomialLR: total_iters", total_iters)
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def factor(self, step: int) -> float:
        """(1 - min(step / total_iters, 1)) ** power."""
        return float((1 - min(self.total_iters, step) / self.total_iters) ** self.power)


class CosineAnnealingLR(FactorLR):
    """``eta_min + (base_lr - eta_min) * (1 + cos(pi * step / T_max)) / 2``: down to `eta_min` in `T_max` steps, and up again.

    Source: I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017 (without the restarts);
    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingLR.html
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        positive("CosineAnnealingLR: T_max", T_max)
        self.T_max = T_max
        self.eta_min = self.floor = eta_min
        super().__init__(optimizer, last_epoch)

    def factor(self, step: int) -> float:
        """(1 + cos(pi * step / T_max)) / 2, which is 0 at odd multiples of T_max, without rounding errors there."""
        return 0.0 if step % (2 * self.T_max) == self.T_max else (1 + math.cos(math.pi * step / self.T_max)) / 2
