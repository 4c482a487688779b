"""LARS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from gpugrad.errors import OptionError
from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import where
from gpugrad.optim.flat_optimizer import FlatOptimizer
from gpugrad.optim.optimizer import Parameters
from gpugrad.optim.options import Switches
from gpugrad.optim.update import norm, update_kernels, whole_kernels


def trust(p: Any, d: Any, *_: Any, rate: float, trust_coefficient: float, eps: float, **numbers: Any) -> Any:
    """The factor of the rate for a whole parameter: 1 if it or its gradient is 0."""
    size, gradient = norm(p), norm(d)
    known = (size > 0) & (gradient > 0)
    return astype(where(known, trust_coefficient * size / where(known, gradient + rate * size + eps, 1.0), 1.0), p.dtype)


def lars(
    p: Any, d: Any, *rest: Any, lr: float, rate: float, momentum: float, nesterov: bool, **numbers: Any
) -> tuple[Any, ...]:
    """One step of LARS. `rest` is the buffer of the momentum, if there is momentum, and the factor."""
    *state, factor = rest
    d = lr * factor * (d + rate * p)
    if not state:
        return (p - d,)
    momentum_buffer = momentum * state[0] + d
    return p - (d + momentum * momentum_buffer if nesterov else momentum_buffer), momentum_buffer


class LARS(FlatOptimizer):
    """Momentum with a rate for each parameter, by its norm (You, Gitman and Ginsburg, "Large batch training of CNNs", 2017).

    ::

        local = trust_coefficient * norm(p) / (norm(g) + weight_decay * norm(p) + eps)         1 where norm(p) or norm(g) is 0
        b <- momentum * b + lr * local * (g + weight_decay * p)
        p <- p - b                                          or, with nesterov, p - (momentum * b + lr * local * (g + ...))

    The norms are of whole parameters. Biases and the weights of normalization layers are best put into a group of their own with
    another optimizer. `maximize` takes ``-g`` for g. PyTorch has no LARS; `switches` are those of
    :class:`~gpugrad.optim.options.Switches`.
    Raises OptionError for an lr of 0 or less, negative options, and for nesterov without momentum.
    """

    kernels = update_kernels("lars", lars)
    whole = whole_kernels("lars", trust)
    counted = False

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust_coefficient: float = 1e-3,
        eps: float = 1e-8,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        **switches: Unpack[Switches],
    ) -> None:
        options = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "trust_coefficient": trust_coefficient}
        super().__init__(params, {**options, "eps": eps, "nesterov": nesterov, "maximize": maximize}, switches)

    def check(self, options: Mapping[str, Any]) -> None:
        super().check(options)
        if options["nesterov"] and options["momentum"] <= 0:
            raise OptionError("LARS: nesterov needs a momentum above 0")

    def arrays(self, options: Mapping[str, Any]) -> dict[str, float]:
        return {"momentum_buffer": 0.0} if options["momentum"] else {}

    def decays(self, options: Mapping[str, Any]) -> tuple[float, float]:
        return 0.0, 1.0  # the rule has its own

    def numbers(self, options: Mapping[str, Any], state: dict[str, float]) -> dict[str, Any]:
        names = ("lr", "momentum", "trust_coefficient", "eps", "nesterov")
        return {"rate": options["weight_decay"], **{name: options[name] for name in names}}
