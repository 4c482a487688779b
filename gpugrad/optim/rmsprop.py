"""RMSprop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from gpugrad.ops.elementwise import sqrt
from gpugrad.optim.flat_optimizer import FlatOptimizer
from gpugrad.optim.optimizer import Parameters
from gpugrad.optim.options import Switches
from gpugrad.optim.update import update_kernels


def rmsprop(
    p: Any, d: Any, square_avg: Any, *state: Any, lr: float, alpha: float, eps: float, momentum: float, centered: bool
) -> tuple[Any, ...]:
    """One step of RMSprop. `state` is the buffer of the momentum, if there is momentum, and the mean gradient, if centered."""
    square_avg = alpha * square_avg + (1 - alpha) * d * d
    variance = square_avg
    if centered:
        grad_avg = alpha * state[-1] + (1 - alpha) * d
        variance = square_avg - grad_avg * grad_avg
        state = (*state[:-1], grad_avg)
    d = d / (sqrt(variance) + eps)
    if len(state) > centered:
        d = momentum * state[0] + d
        state = (d, *state[1:])
    return p - lr * d, square_avg, *state


class RMSprop(FlatOptimizer):
    """Gradients divided by the root of their mean square (Tieleman and Hinton, lecture 6.5 of "Neural networks", 2012).

    ::

        v <- alpha * v + (1 - alpha) * g ** 2
        a <- alpha * a + (1 - alpha) * g                           if centered, else a is 0
        b <- momentum * b + g / (sqrt(v - a ** 2) + eps)
        p <- p - lr * b

    `centered` is from Graves, "Generating sequences with recurrent neural networks", 2013. `weight_decay` adds ``weight_decay * p`` to
    the gradient, and `maximize` takes ``-g`` for g. As ``torch.optim.RMSprop``; `switches` are those of
    :class:`~gpugrad.optim.options.Switches`.
    Raises OptionError for an lr of 0 or less, and for negative options.
    """

    kernels = update_kernels("rmsprop", rmsprop)

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
        **switches: Unpack[Switches],
    ) -> None:
        options = {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__(params, {**options, "centered": centered, "maximize": maximize}, switches)

    def arrays(self, options: Mapping[str, Any]) -> dict[str, float]:
        more = ["momentum_buffer"] * (options["momentum"] > 0) + ["grad_avg"] * options["centered"]
        return dict.fromkeys(("square_avg", *more), 0.0)

    def numbers(self, options: Mapping[str, Any], state: dict[str, float]) -> dict[str, Any]:
        return {name: options[name] for name in ("lr", "alpha", "eps", "momentum", "centered")}
