"""Initial values, written into a Tensor in place, drawn on its device: PyTorch's ``torch.nn.init``.

Each function returns the Tensor it was given. `generator` is a ``gg.random.Generator``; without one the default generator
draws, which ``gg.manual_seed`` seeds. "Fan-in" and "fan-out" are the numbers of inputs and outputs that a weight of shape
(out, in, ...) connects: in and out, each times the product of the axes that follow.
"""

from __future__ import annotations

import math
from typing import TypeVar

from array_api_compat import array_namespace

from gpugrad.arrays.devices import CPU, Device, device_of
from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.errors import OptionError, ShapeError
from gpugrad.nn.parameter import overwrite
from gpugrad.random import Generator, default_generator
from gpugrad.tape import Tensor

T = TypeVar("T", bound=Tensor)

_GAINS = {
    **dict.fromkeys(("linear", "conv1d", "conv2d", "conv3d", "sigmoid"), 1.0),
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 3 / 4,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which initial weights make up for a nonlinearity: sqrt(2) for "relu", 5/3 for "tanh", 1 for "linear", ...

    `param` is the negative slope of "leaky_relu": sqrt(2 / (1 + param ** 2)), 0.01 if it is None.
    Raises OptionError for an unknown name.
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        names = ", ".join([*_GAINS, "leaky_relu"])
        raise OptionError(f"calculate_gain: unknown nonlinearity {nonlinearity!r}, expected one of {names}")
    return _GAINS[nonlinearity]


def constant_(tensor: T, val: float) -> T:
    """`val` everywhere."""
    overwrite(tensor, val)
    return tensor


def zeros_(tensor: T) -> T:
    """0 everywhere."""
    return constant_(tensor, 0)


def ones_(tensor: T) -> T:
    """1 everywhere."""
    return constant_(tensor, 1)


def uniform_(tensor: T, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> T:
    """Uniform numbers in [a, b); a everywhere if they are equal."""
    return constant_(tensor, a) if a == b else _draw(tensor, "uniform", a, b, generator)


def normal_(tensor: T, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> T:
    """Normal numbers of mean `mean` and standard deviation `std`."""
    return _draw(tensor, "normal", mean, std, generator)


def xavier_uniform_(tensor: T, gain: float = 1.0, generator: Generator | None = None) -> T:
    """Uniform in +-gain * sqrt(6 / (fan_in + fan_out)). Raises ShapeError for fewer than two axes.

    Source: X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.
    """
    bound = gain * math.sqrt(6 / max(1, sum(_fans(tensor))))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: T, gain: float = 1.0, generator: Generator | None = None) -> T:
    """Normal with standard deviation gain * sqrt(2 / (fan_in + fan_out)). Raises ShapeError for fewer than two axes.

    Source: as :func:`xavier_uniform_`.
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2 / max(1, sum(_fans(tensor)))), generator)


def kaiming_uniform_(
    tensor: T, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Generator | None = None
) -> T:
    """Uniform in +-sqrt(3) * gain / sqrt(fan), with the gain of `nonlinearity` (`a` the negative slope of leaky_relu).

    Raises ShapeError for fewer than two axes, OptionError for another `mode` than "fan_in" and "fan_out".
    Source: K. He et al., "Delving deep into rectifiers", ICCV 2015.
    """
    bound = math.sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: T, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Generator | None = None
) -> T:
    """Normal with standard deviation gain / sqrt(fan), with the gain of `nonlinearity`.

    Errors and source as :func:`kaiming_uniform_`.
    """
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise OptionError(f"kaiming: mode is {mode!r}, expected 'fan_in' or 'fan_out'")
    fan = _fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan) if fan else 0.0


def _fans(tensor: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight."""
    shape = tensor.shape
    if len(shape) < 2:
        raise ShapeError(f"init: fan-in and fan-out need a weight of two axes or more, got shape {shape}")
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def _draw(tensor: T, distribution: str, first: float, second: float, generator: Generator | None) -> T:
    array = tensor.array
    device = device_of(array)
    draw = getattr(generator or default_generator, distribution)
    # Other libraries' arrays get the numbers that the CPU draws.
    own = isinstance(device, Device)
    drawn = draw(tensor.shape, first, second, dtype=numpy_dtype(array.dtype), device=device if own else CPU).array
    overwrite(tensor, drawn if own else array_namespace(array).asarray(drawn, device=device))
    return tensor
