"""Initial values, written into a Tensor in place, drawn on its device: PyTorch's ``torch.nn.init``.

Each function returns the Tensor it was given. `generator` is a ``gg.random.Generator``; without one the default generator
draws, which ``gg.manual_seed`` seeds. "Fan-in" and "fan-out" are the numbers of inputs and outputs that a weight of shape
(out, in, ...) connects: in and out, each times the product of the axes that follow.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy
from array_api_compat import array_namespace

from gpugrad.arrays.devices import CPU, Device, device_of
from gpugrad.arrays.dtypes import DType, DTypeLike, float64, numpy_dtype
from gpugrad.errors import OptionError, ShapeError
from gpugrad.nn.functional.precision import wide_dtype
from gpugrad.nn.parameter import overwrite
from gpugrad.ops.conversion import asarray
from gpugrad.ops.creation import eye, zeros_like
from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import clip, sign, where
from gpugrad.ops.linalg.products import diagonal
from gpugrad.ops.linalg.qr import qr
from gpugrad.ops.searching import argsort
from gpugrad.ops.shape import matrix_transpose, reshape
from gpugrad.ops.special.error import ndtri
from gpugrad.random import Generator, default_generator
from gpugrad.tape import Tensor

T = TypeVar("T", bound=Tensor)

_GAINS = {
    **dict.fromkeys(("linear", "conv1d", "conv2d", "conv3d"), 1.0),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "sigmoid"), 1.0),
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 3 / 4,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which initial weights make up for a nonlinearity: sqrt(2) for "relu", 5/3 for "tanh", 1 for "linear", ...

    `param` is the negative slope of "leaky_relu": sqrt(2 / (1 + param ** 2)), 0.01 if it is None.
    Raises OptionError for an unknown name, and for a slope that is no number.
    Source: https://docs.pytorch.org/docs/stable/nn.init.html#torch.nn.init.calculate_gain
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise OptionError(f"calculate_gain: the negative slope is {slope!r}, expected a number")
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


def trunc_normal_(
    tensor: T, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Generator | None = None
) -> T:
    """Numbers of a normal distribution of mean `mean` and standard deviation `std`, of which those outside [a, b] are left out.

    Drawn by the inverse of the distribution function. Raises OptionError unless std > 0 and a < b.
    """
    if not std > 0 or not a < b:
        raise OptionError(f"trunc_normal_: std is {std} and [a, b] is [{a}, {b}], expected std > 0 and a < b")
    # In the tail where more digits are: from below if the interval is there, else from above.
    low, high = ((a - mean) / std, (b - mean) / std)
    side = -1.0 if low + high > 0 else 1.0
    ends = sorted((side * low, side * high))
    below, above = (0.5 * math.erfc(-end / math.sqrt(2)) for end in ends)
    u = _numbers(tensor, "uniform", below, above, generator)
    return _write(tensor, clip(mean + side * std * clip(ndtri(u), *ends), a, b))


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


def eye_(tensor: T) -> T:
    """The identity: 1 on the diagonal, 0 elsewhere. Raises ShapeError unless there are two axes."""
    rows, columns = _matrix(tensor, "eye_")
    return _write(tensor, eye(rows, columns, dtype=_own_dtype(tensor), device=_drawing_device(tensor)))


def dirac_(tensor: T, groups: int = 1) -> T:
    """The weight of a convolution that passes on its input: channel i to channel i of each of the `groups`, as far as there are channels.

    Raises ShapeError unless there are three to five axes and the groups divide the first.
    """
    shape = tuple(tensor.shape)
    if not 3 <= len(shape) <= 5 or groups < 1 or shape[0] % groups:
        raise ShapeError(
            f"dirac_: got shape {shape} and {groups} groups, expected 3 to 5 axes, the first a multiple of the groups"
        )
    out = numpy.zeros(shape, _own_dtype(tensor))
    middle = tuple(n // 2 for n in shape[2:])
    per_group = shape[0] // groups
    for group in range(groups):
        for channel in range(min(per_group, shape[1])):
            out[(group * per_group + channel, channel, *middle)] = 1
    return _write(tensor, asarray(out, device=_drawing_device(tensor)))


def orthogonal_(tensor: T, gain: float = 1, generator: Generator | None = None) -> T:
    """A random matrix with orthonormal rows, or columns if there are more rows, times `gain`; the axes from the second on are its columns.

    Raises ShapeError for fewer than two axes.
    Source: A. Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks", ICLR 2014.
    """
    shape = tuple(tensor.shape)
    if len(shape) < 2:
        raise ShapeError(f"orthogonal_: got shape {shape}, expected two axes or more")
    rows, columns = shape[0], math.prod(shape[1:])
    if not rows * columns:
        return tensor
    drawn = _numbers(tensor, "normal", 0.0, 1.0, generator, shape=(max(rows, columns), min(rows, columns)))
    q, r = qr(drawn)
    q = q * sign(diagonal(r))  # makes the distribution uniform
    return _write(tensor, gain * reshape(matrix_transpose(q) if rows < columns else q, shape))


def sparse_(tensor: T, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> T:
    """Normal numbers of standard deviation `std`, of which in every column the fraction `sparsity`, rounded up, is 0.

    Raises ShapeError unless there are two axes, OptionError unless 0 <= sparsity <= 1.
    Source: J. Martens, "Deep learning via Hessian-free optimization", ICML 2010.
    """
    rows, _ = _matrix(tensor, "sparse_")
    if not 0 <= sparsity <= 1:
        raise OptionError(f"sparse_: sparsity is {sparsity}, expected a number from 0 to 1")
    drawn = _numbers(tensor, "normal", 0.0, std, generator)
    order = argsort(argsort(_numbers(tensor, "uniform", 0.0, 1.0, generator, dtype=float64), axis=0), axis=0)
    return _write(tensor, where(order < math.ceil(sparsity * rows), zeros_like(drawn), drawn))


def _matrix(tensor: Tensor, name: str) -> tuple[int, int]:
    shape = tuple(tensor.shape)
    if len(shape) != 2:
        raise ShapeError(f"{name}: got shape {shape}, expected two axes")
    return shape[0], shape[1]


def _fans(tensor: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight."""
    shape = tensor.shape
    if len(shape) < 2:
        raise ShapeError(f"init: fan-in and fan-out need a weight of two axes or more, got shape {shape}")
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def _draw(tensor: T, distribution: str, first: float, second: float, generator: Generator | None) -> T:
    return _write(tensor, _numbers(tensor, distribution, first, second, generator))


def _numbers(
    tensor: Tensor,
    distribution: str,
    first: float,
    second: float,
    generator: Generator | None = None,
    *,
    dtype: DTypeLike | None = None,
    shape: tuple[int, ...] | None = None,
) -> Tensor:
    """Random numbers for a Tensor: of its shape and dtype (float32 for 16 bits), unless others are given, on its device."""
    draw = getattr(generator or default_generator, distribution)
    size = tuple(tensor.shape) if shape is None else shape
    numbers: Tensor = draw(size, first, second, dtype=dtype or wide_dtype(_own_dtype(tensor)), device=_drawing_device(tensor))
    return numbers


def _write(tensor: T, values: Tensor) -> T:
    """Give a Tensor values of any dtype."""
    array = tensor.array
    device = device_of(array)
    values = astype(values, _own_dtype(tensor), copy=False)
    overwrite(
        tensor, values.array if isinstance(device, Device) else array_namespace(array).asarray(values.array, device=device)
    )
    return tensor


def _own_dtype(tensor: Tensor) -> DType:
    return numpy_dtype(tensor.array.dtype)


def _drawing_device(tensor: Tensor) -> Device:
    """Its own device; other libraries' arrays get the numbers that the CPU draws."""
    device = device_of(tensor.array)
    return device if isinstance(device, Device) else CPU
