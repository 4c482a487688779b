"""LAMB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import sqrt, where
from gpugrad.optim.flat_optimizer import FlatOptimizer
from gpugrad.optim.optimizer import Parameters
from gpugrad.optim.options import Switches
from gpugrad.optim.update import norm, update_kernels, whole_kernels


def direction(
    p: Any, d: Any, exp_avg: Any, exp_avg_sq: Any, beta1: float, beta2: float, eps: float, correction1: float, correction2: float,
    rate: float,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """The step of Adam with weight decay, before it is scaled, and the new moments."""
    exp_avg = beta1 * exp_avg + (1 - beta1) * d
    exp_avg_sq = beta2 * exp_avg_sq + (1 - beta2) * d * d
    return exp_avg / correction1 / (sqrt(exp_avg_sq / correction2) + eps) + rate * p, exp_avg, exp_avg_sq


def trust(p: Any, d: Any, exp_avg: Any, exp_avg_sq: Any, *, lr: float, **numbers: float) -> Any:
    """The ratio of the norms of a whole parameter and of its step: 1 if one of them is 0."""
    size, change = norm(p), norm(direction(p, d, exp_avg, exp_avg_sq, **numbers)[0])
    known = (size > 0) & (change > 0)
    return astype(where(known, size / where(known, change, 1.0), 1.0), p.dtype)


def lamb(p: Any, d: Any, exp_avg: Any, exp_avg_sq: Any, ratio: Any, *, lr: float, **numbers: float) -> tuple[Any, ...]:
    """One step of LAMB: the new parameters and the new moments."""
    u, exp_avg, exp_avg_sq = direction(p, d, exp_avg, exp_avg_sq, **numbers)
    return p - lr * ratio * u, exp_avg, exp_avg_sq


class LAMB(FlatOptimizer):
    """Adam with steps as long as the parameters are (You et al., "Large batch optimization for deep learning", 2020, algorithm 2).

    ::

        m <- beta1 * m + (1 - beta1) * g
        v <- beta2 * v + (1 - beta2) * g ** 2
        u = m_hat / (sqrt(v_hat) + eps) + weight_decay * p          m_hat = m / (1 - beta1 ** t), v_hat = v / (1 - beta2 ** t)
        p <- p - lr * norm(p) / norm(u) * u                         1 in place of the ratio where norm(p) or norm(u) is 0

    The norms are of whole parameters. `maximize` takes ``-g`` for g. PyTorch has no LAMB; `switches` are those of
    :class:`~gpugrad.optim.options.Switches`.
    Raises OptionError for an lr of 0 or less, a negative eps or weight_decay, and for betas outside [0, 1).
    """

    kernels = update_kernels("lamb", lamb)
    whole = whole_kernels("lamb", trust)

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        **switches: Unpack[Switches],
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, options, switches)

    def arrays(self, options: Mapping[str, Any]) -> dict[str, float]:
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0}

    def decays(self, options: Mapping[str, Any]) -> tuple[float, float]:
        return 0.0, 1.0  # the rule has its own

    def numbers(self, options: Mapping[str, Any], state: dict[str, float]) -> dict[str, Any]:
        (beta1, beta2), step = options["betas"], state["step"]
        return {
            "lr": options["lr"],
            "beta1": beta1,
            "beta2": beta2,
            "eps": options["eps"],
            "correction1": 1 - beta1**step,
            "correction2": 1 - beta2**step,
            "rate": options["weight_decay"],
        }
