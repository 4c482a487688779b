"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from gpugrad.errors import OptionError
from gpugrad.optim.flat_optimizer import FlatOptimizer
from gpugrad.optim.optimizer import Parameters
from gpugrad.optim.options import Switches
from gpugrad.optim.update import update_kernels


def sgd(
    p: Any, d: Any, momentum_buffer: Any = None, *, lr: float, momentum: float, dampening: float, nesterov: bool
) -> tuple[Any, ...]:
    """One step of SGD: the new parameters and, with momentum, its new buffer."""
    if momentum_buffer is None:
        return (p - lr * d,)
    momentum_buffer = momentum * momentum_buffer + (1 - dampening) * d
    return p - lr * (d + momentum * momentum_buffer if nesterov else momentum_buffer), momentum_buffer


class SGD(FlatOptimizer):
    """Stochastic gradient descent, ``p <- p - lr * d`` with d the gradient, or its momentum.

    With `momentum`, ``b <- momentum * b + (1 - dampening) * g`` and ``d = b``, or ``d = g + momentum * b`` with `nesterov`
    (Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013); b starts with the first g, undamped.
    `weight_decay` adds ``weight_decay * p`` to the gradient, and `maximize` takes ``-g`` for g. As ``torch.optim.SGD``;
    `switches` are those of :class:`~gpugrad.optim.options.Switches`.
    Raises OptionError for an lr of 0 or less, negative options, and for nesterov without momentum or with dampening.
    """

    kernels = update_kernels("sgd", sgd)
    counted = False

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        **switches: Unpack[Switches],
    ) -> None:
        options = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov}
        super().__init__(params, {**options, "maximize": maximize}, switches)

    def check(self, options: Mapping[str, Any]) -> None:
        super().check(options)
        if options["nesterov"] and (options["momentum"] <= 0 or options["dampening"] != 0):
            raise OptionError("SGD: nesterov needs a momentum above 0 and no dampening")

    def arrays(self, options: Mapping[str, Any]) -> dict[str, float]:
        return {"momentum_buffer": 0.0} if options["momentum"] else {}

    def numbers(self, options: Mapping[str, Any], state: dict[str, float]) -> dict[str, Any]:
        undamped = state["step"] == 1
        return {
            "lr": options["lr"],
            "momentum": options["momentum"],
            "dampening": 0.0 if undamped else options["dampening"],
            "nesterov": options["nesterov"],
        }
