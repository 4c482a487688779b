"""Adagrad."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from gpugrad.ops.elementwise import sqrt
from gpugrad.optim.flat_optimizer import FlatOptimizer
from gpugrad.optim.optimizer import Parameters
from gpugrad.optim.options import Switches
from gpugrad.optim.update import update_kernels


def adagrad(p: Any, d: Any, total: Any, *, lr: float, eps: float) -> tuple[Any, ...]:
    """One step of Adagrad: the new parameters and the new sum of squares."""
    total = total + d * d
    return p - lr * d / (sqrt(total) + eps), total


class Adagrad(FlatOptimizer):
    """Gradients divided by the root of the sum of their squares (Duchi, Hazan and Singer, 2011).

    ::

        s <- s + g ** 2                                            from initial_accumulator_value on
        p <- p - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)

    "Adaptive subgradient methods for online learning and stochastic optimization". `weight_decay` adds ``weight_decay * p`` to the
    gradient, and `maximize` takes ``-g`` for g. As ``torch.optim.Adagrad``; `switches` are those of
    :class:`~gpugrad.optim.options.Switches`.
    Raises OptionError for an lr of 0 or less, and for negative options.
    """

    kernels = update_kernels("adagrad", adagrad)

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
        **switches: Unpack[Switches],
    ) -> None:
        options = {"lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, {**options, "initial_accumulator_value": initial_accumulator_value}, switches)

    def arrays(self, options: Mapping[str, Any]) -> dict[str, float]:
        return {"sum": options["initial_accumulator_value"]}

    def numbers(self, options: Mapping[str, Any], state: dict[str, float]) -> dict[str, Any]:
        return {"lr": options["lr"] / (1 + (state["step"] - 1) * options["lr_decay"]), "eps": options["eps"]}
