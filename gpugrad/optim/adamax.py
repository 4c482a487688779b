"""Adamax."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from gpugrad.ops.elementwise import abs, maximum
from gpugrad.optim.flat_optimizer import FlatOptimizer
from gpugrad.optim.optimizer import Parameters
from gpugrad.optim.options import Switches
from gpugrad.optim.update import update_kernels


def adamax(
    p: Any, d: Any, exp_avg: Any, exp_inf: Any, *, step_size: float, beta1: float, beta2: float, eps: float
) -> tuple[Any, ...]:
    """One step of Adamax: the new parameters and moments. `step_size` is lr / (1 - beta1 ** t) in step t."""
    exp_avg = beta1 * exp_avg + (1 - beta1) * d
    exp_inf = maximum(beta2 * exp_inf, abs(d) + eps)
    return p - step_size * exp_avg / exp_inf, exp_avg, exp_inf


class Adamax(FlatOptimizer):
    """Adam with the largest gradient in place of the mean square (Kingma and Ba, "Adam", 2015, section 7.1).

    ::

        m <- beta1 * m + (1 - beta1) * g
        u <- max(beta2 * u, abs(g) + eps)
        p <- p - lr / (1 - beta1 ** t) * m / u

    `weight_decay` adds ``weight_decay * p`` to the gradient, and `maximize` takes ``-g`` for g. As ``torch.optim.Adamax``;
    `switches` are those of :class:`~gpugrad.optim.options.Switches`.
    Raises OptionError for an lr of 0 or less, a negative eps or weight_decay, and for betas outside [0, 1).
    """

    kernels = update_kernels("adamax", adamax)

    def __init__(
        self,
        params: Parameters,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        **switches: Unpack[Switches],
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, options, switches)

    def arrays(self, options: Mapping[str, Any]) -> dict[str, float]:
        return {"exp_avg": 0.0, "exp_inf": 0.0}

    def numbers(self, options: Mapping[str, Any], state: dict[str, float]) -> dict[str, Any]:
        beta1, beta2 = options["betas"]
        step_size = options["lr"] / (1 - beta1 ** state["step"])
        return {"step_size": step_size, "beta1": beta1, "beta2": beta2, "eps": options["eps"]}
