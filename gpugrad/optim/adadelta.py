"""Adadelta."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from gpugrad.ops.elementwise import sqrt
from gpugrad.optim.flat_optimizer import FlatOptimizer
from gpugrad.optim.optimizer import Parameters
from gpugrad.optim.options import Switches
from gpugrad.optim.update import update_kernels


def adadelta(p: Any, d: Any, square_avg: Any, acc_delta: Any, *, lr: float, rho: float, eps: float) -> tuple[Any, ...]:
    """One step of Adadelta: the new parameters and the new mean squares."""
    square_avg = rho * square_avg + (1 - rho) * d * d
    delta = sqrt(acc_delta + eps) / sqrt(square_avg + eps) * d
    acc_delta = rho * acc_delta + (1 - rho) * delta * delta
    return p - lr * delta, square_avg, acc_delta


class Adadelta(FlatOptimizer):
    """Steps as large as those before, by means of their squares (Zeiler, "ADADELTA: an adaptive learning rate method", 2012).

    ::

        v <- rho * v + (1 - rho) * g ** 2
        d = g * sqrt(u + eps) / sqrt(v + eps)
        u <- rho * u + (1 - rho) * d ** 2
        p <- p - lr * d

    `weight_decay` adds ``weight_decay * p`` to the gradient, and `maximize` takes ``-g`` for g. As ``torch.optim.Adadelta``;
    `switches` are those of :class:`~gpugrad.optim.options.Switches`.
    Raises OptionError for an lr of 0 or less, a negative eps or weight_decay, and for rho outside [0, 1].
    """

    kernels = update_kernels("adadelta", adadelta)

    def __init__(
        self,
        params: Parameters,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        **switches: Unpack[Switches],
    ) -> None:
        options = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, options, switches)

    def arrays(self, options: Mapping[str, Any]) -> dict[str, float]:
        return {"square_avg": 0.0, "acc_delta": 0.0}

    def numbers(self, options: Mapping[str, Any], state: dict[str, float]) -> dict[str, Any]:
        return {name: options[name] for name in ("lr", "rho", "eps")}
