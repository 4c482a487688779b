"""NAdam."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from gpugrad.ops.elementwise import sqrt
from gpugrad.optim.flat_optimizer import FlatOptimizer
from gpugrad.optim.optimizer import Parameters
from gpugrad.optim.options import Switches
from gpugrad.optim.update import update_kernels


def nadam(
    p: Any, d: Any, exp_avg: Any, exp_avg_sq: Any, *, rate: float, momentum_rate: float, beta1: float, beta2: float, eps: float,
    correction2: float,
) -> tuple[Any, ...]:  # fmt: skip
    """One step of NAdam: the new parameters and the new moments.

    `rate` belongs to the gradient, `momentum_rate` to its mean; `correction2` is 1 - beta2 ** t in step t.
    """
    exp_avg = beta1 * exp_avg + (1 - beta1) * d
    exp_avg_sq = beta2 * exp_avg_sq + (1 - beta2) * d * d
    return p - (rate * d + momentum_rate * exp_avg) / (sqrt(exp_avg_sq / correction2) + eps), exp_avg, exp_avg_sq


class NAdam(FlatOptimizer):
    """Adam with Nesterov's momentum (Dozat, "Incorporating Nesterov momentum into Adam", 2016).

    ::

        mu_t = beta1 * (1 - 0.96 ** (t * momentum_decay) / 2)       M_t = mu_1 * ... * mu_t
        m <- beta1 * m + (1 - beta1) * g
        v <- beta2 * v + (1 - beta2) * g ** 2
        p <- p - lr * (mu_(t+1) * m / (1 - M_(t+1)) + (1 - mu_t) * g / (1 - M_t)) / (sqrt(v / (1 - beta2 ** t)) + eps)

    `weight_decay`, `decoupled_weight_decay` and `maximize` are as in :class:`~gpugrad.optim.Adam`. As ``torch.optim.NAdam``, but that
    keeps M in float32; `switches` are those of :class:`~gpugrad.optim.options.Switches`.
    Raises OptionError for an lr of 0 or less, a negative eps, weight_decay or momentum_decay, and for betas outside [0, 1).
    """

    kernels = update_kernels("nadam", nadam)

    def __init__(
        self,
        params: Parameters,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        **switches: Unpack[Switches],
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "momentum_decay": momentum_decay}
        super().__init__(params, {**options, "maximize": maximize, "decoupled_weight_decay": decoupled_weight_decay}, switches)

    def arrays(self, options: Mapping[str, Any]) -> dict[str, float]:
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0}

    def scalars(self, options: Mapping[str, Any]) -> dict[str, float]:
        return {"mu_product": 1.0}

    def numbers(self, options: Mapping[str, Any], state: dict[str, float]) -> dict[str, Any]:
        (beta1, beta2), lr, step = options["betas"], options["lr"], state["step"]
        mu, mu_next = (beta1 * (1 - 0.5 * 0.96 ** (t * options["momentum_decay"])) for t in (step, step + 1))
        state["mu_product"] *= mu
        return {
            "rate": lr * (1 - mu) / (1 - state["mu_product"]),
            "momentum_rate": lr * mu_next / (1 - state["mu_product"] * mu_next),
            "beta1": beta1,
            "beta2": beta2,
            "eps": options["eps"],
            "correction2": 1 - beta2**step,
        }
