"""Rprop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from gpugrad.errors import OptionError
from gpugrad.ops.elementwise import maximum, minimum, sign, where
from gpugrad.optim.flat_optimizer import FlatOptimizer
from gpugrad.optim.optimizer import Parameters
from gpugrad.optim.options import Switches
from gpugrad.optim.update import update_kernels


def rprop(
    p: Any, d: Any, prev: Any, step_size: Any, *, etaminus: float, etaplus: float, least: float, largest: float
) -> tuple[Any, ...]:
    """One step of Rprop: the new parameters, the gradient that is kept (0 where its sign has changed), the new step sizes."""
    agreement = d * prev
    # Two choices, neither within the other: so compilers compute them for whole vectors.
    factor = where(agreement > 0, etaplus, 1.0) * where(agreement < 0, etaminus, 1.0)
    step_size = minimum(maximum(step_size * factor, least), largest)
    d = where(agreement < 0, 0.0, d)
    return p - sign(d) * step_size, d, step_size


class Rprop(FlatOptimizer):
    """Steps by the signs of the gradient alone (Riedmiller and Braun, "A direct adaptive method: RPROP", 1993). For whole batches.

    ::

        s <- s * etas[1], s * etas[0] or s         where g has its sign of before, the other one, or one of them is 0
        g <- 0                                     where it has the other one
        p <- p - sign(g) * s                       s stays within step_sizes, and starts with lr

    `maximize` takes ``-g`` for g. As ``torch.optim.Rprop``; `switches` are those of :class:`~gpugrad.optim.options.Switches`.
    Raises OptionError for an lr of 0 or less, for etas other than 0 < etas[0] < 1 < etas[1], and for step_sizes that are not in order.
    """

    kernels = update_kernels("rprop", rprop)

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50.0),
        *,
        maximize: bool = False,
        **switches: Unpack[Switches],
    ) -> None:
        super().__init__(params, {"lr": lr, "etas": etas, "step_sizes": step_sizes, "maximize": maximize}, switches)

    def check(self, options: Mapping[str, Any]) -> None:
        super().check(options)
        (minus, plus), (least, largest) = options["etas"], options["step_sizes"]
        if not 0 < minus < 1 < plus:
            raise OptionError(f"Rprop: etas is {options['etas']}, expected a number between 0 and 1, and one above 1")
        if not 0 <= least <= largest:
            raise OptionError(f"Rprop: step_sizes is {options['step_sizes']}, expected the least, 0 or more, and the largest")

    def arrays(self, options: Mapping[str, Any]) -> dict[str, float]:
        return {"prev": 0.0, "step_size": options["lr"]}

    def numbers(self, options: Mapping[str, Any], state: dict[str, float]) -> dict[str, Any]:
        (etaminus, etaplus), (least, largest) = options["etas"], options["step_sizes"]
        return {"etaminus": etaminus, "etaplus": etaplus, "least": least, "largest": largest}
