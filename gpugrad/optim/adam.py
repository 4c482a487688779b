"""Adam."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gpugrad.errors import OptionError
from gpugrad.ops.elementwise import maximum, sqrt
from gpugrad.optim.optimizer import Optimizer, Parameters, update_kernels


def adam(
    p: Any,
    g: Any,
    exp_avg: Any,
    exp_avg_sq: Any,
    max_exp_avg_sq: Any = None,
    *,
    step_size: float,
    beta1: float,
    beta2: float,
    eps: float,
    correction2_sqrt: float,
    weight_decay: float,
    decay: float,
    maximize: bool,
) -> tuple[Any, ...]:
    """One step of Adam: the new parameters and the new moments. The definition that the kernels are held to.

    `step_size` is lr / (1 - beta1 ** t), `correction2_sqrt` is sqrt(1 - beta2 ** t) in step t; `decay` multiplies the
    parameters first (decoupled weight decay), `weight_decay` joins the gradient. With `max_exp_avg_sq`, AMSGrad.
    """
    p = p * decay
    d = (-g if maximize else g) + weight_decay * p
    exp_avg = beta1 * exp_avg + (1 - beta1) * d
    exp_avg_sq = beta2 * exp_avg_sq + (1 - beta2) * d * d
    state: tuple[Any, ...] = (exp_avg, exp_avg_sq)
    if max_exp_avg_sq is not None:
        state += (maximum(max_exp_avg_sq, exp_avg_sq),)
    return p - step_size * exp_avg / (sqrt(state[-1]) * (1 / correction2_sqrt) + eps), *state


class Adam(Optimizer):
    """Adam: steps scaled by running means of the gradient and of its square (Kingma and Ba, 2015).

    ::

        m <- beta1 * m + (1 - beta1) * g
        v <- beta2 * v + (1 - beta2) * g ** 2
        p <- p - lr * m_hat / (sqrt(v_hat) + eps)      m_hat = m / (1 - beta1 ** t), v_hat = v / (1 - beta2 ** t)

    `weight_decay` adds ``weight_decay * p`` to the gradient, and `maximize` takes ``-g`` for g. With `amsgrad` the largest v so
    far takes the place of v in v_hat (Reddi et al., "On the convergence of Adam and beyond", 2018). As ``torch.optim.Adam``.
    Raises OptionError for a negative lr, eps or weight_decay, and for betas outside [0, 1).
    """

    kernels = update_kernels("adam", adam)

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize}
        super().__init__(params, options)

    def check(self, options: Mapping[str, Any]) -> None:
        for name in ("lr", "eps", "weight_decay"):
            if not options[name] >= 0:  # nan too
                raise OptionError(f"{type(self).__name__}: {name} is {options[name]}, expected 0 or more")
        betas = options["betas"]
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise OptionError(f"{type(self).__name__}: betas is {betas!r}, expected two numbers")
        for i, beta in enumerate(betas):
            if not 0 <= beta < 1:
                raise OptionError(f"{type(self).__name__}: betas[{i}] is {beta}, expected at least 0 and below 1")

    def state_names(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if options["amsgrad"] else ("exp_avg", "exp_avg_sq")

    def numbers(self, options: Mapping[str, Any], step: int) -> dict[str, Any]:
        beta1, beta2 = options["betas"]
        return {
            "step_size": options["lr"] / (1 - beta1**step),
            "beta1": beta1,
            "beta2": beta2,
            "eps": options["eps"],
            "correction2_sqrt": math.sqrt(1 - beta2**step),
            "weight_decay": options["weight_decay"],
            "decay": 1.0,
            "maximize": options["maximize"],
        }
