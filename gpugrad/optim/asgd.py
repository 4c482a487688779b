"""ASGD, averaged stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from gpugrad.optim.flat_optimizer import FlatOptimizer
from gpugrad.optim.optimizer import Parameters
from gpugrad.optim.options import Switches
from gpugrad.optim.update import update_kernels


def asgd(p: Any, d: Any, ax: Any, *, eta: float, lambd: float, mu: float) -> tuple[Any, ...]:
    """One step of ASGD: the new parameters and their new average."""
    p = p * (1 - lambd * eta) - eta * d
    return p, ax + (p - ax) * mu


class ASGD(FlatOptimizer):
    """Stochastic gradient descent with an average of the parameters (Polyak and Juditsky, 1992).

    ::

        p <- p * (1 - lambd * eta) - eta * g            eta = lr / (1 + lambd * lr * t) ** alpha after step t, lr before the first
        ax <- ax + mu * (p - ax)                        mu = 1 / max(1, t - t0) after step t, 1 before the first

    "Acceleration of stochastic approximation by averaging". The averages are "ax" of each parameter's state; use them for evaluation.
    `weight_decay` adds ``weight_decay * p`` to the gradient, and `maximize` takes ``-g`` for g. As ``torch.optim.ASGD``, but that
    keeps eta and mu in float32; `switches` are those of :class:`~gpugrad.optim.options.Switches`.
    Raises OptionError for an lr of 0 or less, and a negative weight_decay, lambd or alpha.
    """

    kernels = update_kernels("asgd", asgd)

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        **switches: Unpack[Switches],
    ) -> None:
        options = {"lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, options, switches)

    def arrays(self, options: Mapping[str, Any]) -> dict[str, float]:
        return {"ax": 0.0}

    def scalars(self, options: Mapping[str, Any]) -> dict[str, float]:
        return {"eta": options["lr"], "mu": 1.0}

    def numbers(self, options: Mapping[str, Any], state: dict[str, float]) -> dict[str, Any]:
        found = {"eta": state["eta"], "mu": state["mu"], "lambd": options["lambd"]}
        state["eta"] = options["lr"] / (1 + options["lambd"] * options["lr"] * state["step"]) ** options["alpha"]
        state["mu"] = 1 / max(1.0, state["step"] - options["t0"])
        return found
