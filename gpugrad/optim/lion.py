"""Lion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from gpugrad.ops.elementwise import sign
from gpugrad.optim.flat_optimizer import FlatOptimizer
from gpugrad.optim.optimizer import Parameters
from gpugrad.optim.options import Switches
from gpugrad.optim.update import update_kernels


def lion(p: Any, d: Any, exp_avg: Any, *, lr: float, beta1: float, beta2: float) -> tuple[Any, ...]:
    """One step of Lion: the new parameters and the new mean."""
    return p - lr * sign(beta1 * exp_avg + (1 - beta1) * d), beta2 * exp_avg + (1 - beta2) * d


class Lion(FlatOptimizer):
    """Steps by the sign of a momentum (Chen et al., "Symbolic discovery of optimization algorithms", 2023, program 1).

    ::

        p <- p * (1 - lr * weight_decay) - lr * sign(beta1 * m + (1 - beta1) * g)
        m <- beta2 * m + (1 - beta2) * g

    Good rates are three to ten times smaller than Adam's, and weight decays as much larger. `maximize` takes ``-g`` for g. PyTorch has
    no Lion; `switches` are those of :class:`~gpugrad.optim.options.Switches`.
    Raises OptionError for an lr of 0 or less, a negative weight_decay, and for betas outside [0, 1).
    """

    kernels = update_kernels("lion", lion)

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        **switches: Unpack[Switches],
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize}, switches)

    def arrays(self, options: Mapping[str, Any]) -> dict[str, float]:
        return {"exp_avg": 0.0}

    def decays(self, options: Mapping[str, Any]) -> tuple[float, float]:
        return 0.0, 1 - options["lr"] * options["weight_decay"]

    def numbers(self, options: Mapping[str, Any], state: dict[str, float]) -> dict[str, Any]:
        beta1, beta2 = options["betas"]
        return {"lr": options["lr"], "beta1": beta1, "beta2": beta2}
