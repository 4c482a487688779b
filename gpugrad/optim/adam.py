"""Adam and AdamW."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Unpack

from gpugrad.ops.elementwise import maximum, sqrt
from gpugrad.optim.flat_optimizer import FlatOptimizer
from gpugrad.optim.optimizer import Parameters
from gpugrad.optim.options import Switches
from gpugrad.optim.update import update_kernels


def adam(
    p: Any,
    d: Any,
    exp_avg: Any,
    exp_avg_sq: Any,
    max_exp_avg_sq: Any = None,
    *,
    step_size: float,
    beta1: float,
    beta2: float,
    eps: float,
    correction2_sqrt: float,
) -> tuple[Any, ...]:
    """One step of Adam: the new parameters and the new moments.

    `step_size` is lr / (1 - beta1 ** t), `correction2_sqrt` is sqrt(1 - beta2 ** t) in step t. With `max_exp_avg_sq`, AMSGrad.
    """
    exp_avg = beta1 * exp_avg + (1 - beta1) * d
    exp_avg_sq = beta2 * exp_avg_sq + (1 - beta2) * d * d
    state: tuple[Any, ...] = (exp_avg, exp_avg_sq)
    if max_exp_avg_sq is not None:
        state += (maximum(max_exp_avg_sq, exp_avg_sq),)
    return p - step_size * exp_avg / (sqrt(state[-1]) * (1 / correction2_sqrt) + eps), *state


class Adam(FlatOptimizer):
    """Adam: steps scaled by running means of the gradient and of its square (Kingma and Ba, 2015).

    ::

        m <- beta1 * m + (1 - beta1) * g
        v <- beta2 * v + (1 - beta2) * g ** 2
        p <- p - lr * m_hat / (sqrt(v_hat) + eps)      m_hat = m / (1 - beta1 ** t), v_hat = v / (1 - beta2 ** t)

    `weight_decay` adds ``weight_decay * p`` to the gradient or, with `decoupled_weight_decay`, multiplies the parameters by
    ``1 - lr * weight_decay`` first; `maximize` takes ``-g`` for g. With `amsgrad` the largest v so far takes the place of v in v_hat
    (Reddi et al., "On the convergence of Adam and beyond", 2018). As ``torch.optim.Adam``; `switches` are those of
    :class:`~gpugrad.optim.options.Switches`.
    Raises OptionError for an lr of 0 or less, a negative eps or weight_decay, and for betas outside [0, 1).
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
        decoupled_weight_decay: bool = False,
        **switches: Unpack[Switches],
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize}
        super().__init__(params, {**options, "decoupled_weight_decay": decoupled_weight_decay}, switches)

    def arrays(self, options: Mapping[str, Any]) -> dict[str, float]:
        return dict.fromkeys(("exp_avg", "exp_avg_sq", *["max_exp_avg_sq"] * options["amsgrad"]), 0.0)

    def numbers(self, options: Mapping[str, Any], state: dict[str, float]) -> dict[str, Any]:
        (beta1, beta2), step = options["betas"], state["step"]
        return {
            "step_size": options["lr"] / (1 - beta1**step),
            "beta1": beta1,
            "beta2": beta2,
            "eps": options["eps"],
            "correction2_sqrt": math.sqrt(1 - beta2**step),
        }


class AdamW(Adam):
    """:class:`Adam` with decoupled weight decay (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019).

    As ``torch.optim.AdamW``.
    """

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        **switches: Unpack[Switches],
    ) -> None:
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True, **switches
        )
