"""Options that optimizers share: what they may be, and the switches that all of them take."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from numbers import Real
from typing import Any, TypedDict

from gpugrad.errors import OptionError

_FROM_0 = (0.0, sys.float_info.max, "0 or more, and finite")
_BELOW_1 = (0.0, math.nextafter(1.0, 0.0), "at least 0 and below 1")
_TO_1 = (0.0, 1.0, "0 to 1")

RANGES: dict[str, tuple[float, float, str]] = {
    **dict.fromkeys(
        ("lr", "eps", "weight_decay", "momentum", "lr_decay", "initial_accumulator_value", "momentum_decay"), _FROM_0
    ),
    **dict.fromkeys(("alpha", "lambd", "trust_coefficient", "tolerance_grad", "tolerance_change"), _FROM_0),
    **dict.fromkeys(("dampening", "t0"), (-sys.float_info.max, sys.float_info.max, "a finite number")),
    "betas": _BELOW_1,
    "rho": _TO_1,
}
"""The least, the largest and the words for them, by the name of an option, which means the same to every optimizer."""

_PAIRS = frozenset({"betas", "etas", "step_sizes"})

LASTING = frozenset(
    {"initial_lr", "max_lr", "min_lr", "swa_lr", "base_momentum", "max_momentum", "base_beta1", "max_beta1", "name"}
)
"""What a group may hold besides options, which no optimizer reads: schedules keep their own numbers there."""


class Switches(TypedDict, total=False):
    """What every optimizer takes by keyword, beside the options of its own.

    `master_weights`: parameters of 16 bits (float16, bfloat16) have a float32 copy, which the steps change and which they are
    rounded from, and a state in float32; it is part of ``state_dict()``, as "master" of each parameter. Without it, steps smaller
    than half a unit in the last place of a parameter are lost. It costs 4 bytes a parameter, and 2 for each array of the state.

    `foreach`, `fused` and `capturable` choose in PyTorch between implementations that compute the same. Here there is one, so they are
    accepted and change nothing. `differentiable` must be False: a step is not recorded.
    """

    master_weights: bool
    foreach: bool | None
    fused: bool | None
    capturable: bool
    differentiable: bool


def read_switches(optimizer: str, switches: Switches) -> dict[str, bool]:
    """The switches that are options. Raises OptionError for `differentiable`, TypeError for what is no switch."""
    unknown = sorted(set(switches) - set(Switches.__annotations__))
    if unknown:
        raise TypeError(f"{optimizer}.__init__() got an unexpected keyword argument {unknown[0]!r}")
    if switches.get("differentiable"):
        raise OptionError(f"{optimizer}: differentiable is True, but steps are not recorded; leave it out")
    return {"master_weights": switches.get("master_weights", False)}


def check_options(optimizer: str, options: Mapping[str, Any]) -> None:
    """Raise OptionError for what is no number, or out of the range that :data:`RANGES` names."""
    for name, value in options.items():
        if name in _PAIRS and (not isinstance(value, (tuple, list)) or len(value) != 2):
            raise OptionError(f"{optimizer}: {name} is {value!r}, expected two numbers")
        if name in RANGES:
            least, largest, words = RANGES[name]
            pairs = [(f"{name}[{i}]", x) for i, x in enumerate(value)] if name in _PAIRS else [(name, value)]
            for label, x in pairs:
                if not isinstance(x, Real) or not least <= float(x) <= largest:  # nan too
                    raise OptionError(f"{optimizer}: {label} is {x if isinstance(x, Real) else repr(x)}, expected {words}")
