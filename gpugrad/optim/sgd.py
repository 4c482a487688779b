"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gpugrad.errors import OptionError
from gpugrad.optim.optimizer import Optimizer, Parameters, update_kernels


def sgd(
    p: Any,
    g: Any,
    buffer: Any = None,
    *,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
    first: bool,
) -> tuple[Any, ...]:
    """One step of SGD: the new parameters and, with momentum, its new buffer. The definition that the kernels are held to."""
    d = (-g if maximize else g) + weight_decay * p
    if not momentum:
        return (p - lr * d,)
    buffer = d if first else momentum * buffer + (1 - dampening) * d
    d = d + momentum * buffer if nesterov else buffer
    return p - lr * d, buffer


class SGD(Optimizer):
    """Stochastic gradient descent, ``p <- p - lr * d`` with d the gradient, or its momentum.

    With `momentum`, ``b <- momentum * b + (1 - dampening) * g`` and ``d = b``, or ``d = g + momentum * b`` with `nesterov`
    (Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013). `weight_decay` adds
    ``weight_decay * p`` to the gradient, and `maximize` takes ``-g`` for g. As ``torch.optim.SGD``.
    Raises OptionError for negative options, and for nesterov without momentum or with dampening.
    """

    kernels = update_kernels("sgd", sgd)

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
    ) -> None:
        options = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov}
        super().__init__(params, {**options, "maximize": maximize})

    def check(self, options: Mapping[str, Any]) -> None:
        for name in ("lr", "momentum", "weight_decay"):
            if not options[name] >= 0:  # nan too
                raise OptionError(f"SGD: {name} is {options[name]}, expected 0 or more")
        if options["nesterov"] and (options["momentum"] <= 0 or options["dampening"] != 0):
            raise OptionError("SGD: nesterov needs a momentum above 0 and no dampening")

    def state_names(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        return ("momentum_buffer",) if options["momentum"] else ()

    def numbers(self, options: Mapping[str, Any], step: int) -> dict[str, Any]:
        names = ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")
        return {**{name: options[name] for name in names}, "first": step == 1}
