"""Schedules that are functions of the user's: LambdaLR, MultiplicativeLR."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gpugrad.errors import DTypeError, OptionError
from gpugrad.optim.lr_scheduler.scheduler import LRScheduler, check_optimizer, per_group
from gpugrad.optim.optimizer import Optimizer

Function = Callable[[int], float]


class _FunctionLR(LRScheduler):
    """A function of the step for all groups, or one for each.

    A state_dict holds what an object with a ``__call__`` has in its attributes; of functions and lambdas it holds nothing.
    """

    lr_lambdas: list[Function]

    def __init__(self, optimizer: Optimizer, lr_lambda: Function | Sequence[Function], last_epoch: int = -1) -> None:
        name = type(self).__name__
        check_optimizer(optimizer, name)
        self.lr_lambdas = per_group(optimizer, f"{name}: lr_lambda", lr_lambda)
        for function in self.lr_lambdas:
            if not callable(function):
                raise DTypeError(
                    f"{name}: lr_lambda is {type(function).__name__}, expected a function of the step, or a list of them"
                )
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """See :class:`LRScheduler`; functions are not part of it."""
        saved = [None if isinstance(f, types.FunctionType) else dict(vars(f)) for f in self.lr_lambdas]
        return {**super().state_dict(), "lr_lambdas": saved}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """See :class:`LRScheduler`."""
        own = self.lr_lambdas
        saved = state_dict.get("lr_lambdas", ())
        if len(saved) != len(own):
            raise OptionError(
                f"{type(self).__name__}.load_state_dict: the state has {len(saved)} lr_lambdas, expected {len(own)}"
            )
        super().load_state_dict({**state_dict, "lr_lambdas": own})
        for function, attributes in zip(own, saved, strict=True):
            if attributes is not None:
                vars(function).update(attributes)


class LambdaLR(_FunctionLR):
    """``base_lr * lr_lambda(step)``. `lr_lambda` is a function, or a list with one for every group.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LambdaLR.html
    """

    def get_lr(self) -> list[float]:
        """See :class:`LRScheduler`."""
        return [base * function(self.last_epoch) for function, base in zip(self.lr_lambdas, self.base_lrs, strict=True)]


class MultiplicativeLR(_FunctionLR):
    """The rate of the step before times ``lr_lambda(step)``, from step 1 on.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.MultiplicativeLR.html
    """

    def get_lr(self) -> list[float]:
        """See :class:`LRScheduler`."""
        step = self.last_epoch
        groups = zip(self.lr_lambdas, self.optimizer.param_groups, strict=True)
        return [group["lr"] * function(step) if step > 0 else group["lr"] for function, group in groups]
