"""RAdam."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Unpack

from gpugrad.ops.elementwise import sqrt
from gpugrad.optim.flat_optimizer import FlatOptimizer
from gpugrad.optim.optimizer import Parameters
from gpugrad.optim.options import Switches
from gpugrad.optim.update import update_kernels


def radam(
    p: Any, d: Any, exp_avg: Any, exp_avg_sq: Any, *, step_size: float, beta1: float, beta2: float, eps: float, rectified: bool
) -> tuple[Any, ...]:
    """One step of RAdam: the new parameters and the new moments. `step_size` holds all factors that are numbers."""
    exp_avg = beta1 * exp_avg + (1 - beta1) * d
    exp_avg_sq = beta2 * exp_avg_sq + (1 - beta2) * d * d
    update = step_size * exp_avg
    return p - (update / (sqrt(exp_avg_sq) + eps) if rectified else update), exp_avg, exp_avg_sq


class RAdam(FlatOptimizer):
    """Adam whose steps are not scaled while too little is known of the gradient's variance (Liu et al., 2020).

    ::

        m <- beta1 * m + (1 - beta1) * g
        v <- beta2 * v + (1 - beta2) * g ** 2
        R = 2 / (1 - beta2) - 1,  r = R - 2 * t * beta2 ** t / (1 - beta2 ** t)
        p <- p - lr * m_hat                                             m_hat = m / (1 - beta1 ** t), if r <= 5, else
        p <- p - lr * m_hat * c * sqrt(1 - beta2 ** t) / (sqrt(v) + eps)
        with c = sqrt((r - 4) * (r - 2) * R / ((R - 4) * (R - 2) * r))

    "On the variance of the adaptive learning rate and beyond". `weight_decay`, `decoupled_weight_decay` and `maximize` are as in
    :class:`~gpugrad.optim.Adam`. As ``torch.optim.RAdam``; `switches` are those of :class:`~gpugrad.optim.options.Switches`.
    Raises OptionError for an lr of 0 or less, a negative eps or weight_decay, and for betas outside [0, 1).
    """

    kernels = update_kernels("radam", radam)

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        **switches: Unpack[Switches],
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, {**options, "decoupled_weight_decay": decoupled_weight_decay}, switches)

    def arrays(self, options: Mapping[str, Any]) -> dict[str, float]:
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0}

    def numbers(self, options: Mapping[str, Any], state: dict[str, float]) -> dict[str, Any]:
        (beta1, beta2), step = options["betas"], state["step"]
        correction2 = 1 - beta2**step
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * beta2**step / correction2
        rectified = length > 5
        step_size = options["lr"] / (1 - beta1**step)
        if rectified:
            variance = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            step_size *= math.sqrt(variance * correction2)
        return {"step_size": step_size, "beta1": beta1, "beta2": beta2, "eps": options["eps"], "rectified": rectified}
