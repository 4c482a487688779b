"""Piecewise functions that pass positive numbers on: relu6, leaky_relu, prelu, rrelu, elu, selu, celu, threshold, and the hard ones."""

from __future__ import annotations

import math
from typing import Any

from gpugrad import random
from gpugrad.arrays.devices import Device, device_of, move, place_of
from gpugrad.errors import OptionError, ShapeError
from gpugrad.families import A, composite, fused
from gpugrad.nn.functional.pointwise import pointwise
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.nn.functional.softmax import floating
from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import clip, exp, expm1, logical_and, minimum, where
from gpugrad.ops.shape import reshape
from gpugrad.tape import raw

_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805


def _elu_of(x: Any, scale: float, alpha: float, width: float) -> Any:
    return where(x > 0, scale * x, scale * alpha * expm1(minimum(x, 0) / width))


def _elu_rule(g: Any, x: Any, scale: float, alpha: float, width: float) -> Any:
    return where(x > 0, scale * g, scale * alpha / width * g * exp(minimum(x, 0) / width))


_leaky_relu = pointwise(
    "leaky_relu",
    lambda x, negative_slope: where(x > 0, x, negative_slope * x),
    lambda g, x, negative_slope: where(x > 0, g, negative_slope * g),
)
_elu = pointwise("elu", _elu_of, _elu_rule)
_threshold = pointwise(
    "threshold",
    lambda x, threshold, value: where(x <= threshold, value, x),
    lambda g, x, threshold, value: where(x <= threshold, 0, g),
)
_hardtanh = pointwise(
    "hardtanh",
    lambda x, low, high: clip(x, low, high),
    lambda g, x, low, high: where(logical_and(x > low, x < high), g, 0),
)
_hardsigmoid = pointwise(
    "hardsigmoid",
    lambda x: clip(x / 6 + 0.5, 0.0, 1.0),
    lambda g, x: where(logical_and(x > -3, x < 3), g / 6, 0),
)
_hardswish = pointwise(
    "hardswish",
    lambda x: x * clip(x / 6 + 0.5, 0.0, 1.0),
    lambda g, x: where(x <= -3, 0, where(x < 3, g * (x / 3 + 0.5), g)),
)


@composite
def relu6(input: A, inplace: bool = False) -> A:
    """min(max(x, 0), 6), elementwise. At 0 and 6 the gradient is 0, as in PyTorch.

    Shapes: any, and the result has the same. Dtypes: real floating. Raises DTypeError for another dtype.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.relu6.html
    """
    out: A = _hardtanh(floating(input, None, "relu6"), 0.0, 6.0)
    return out


@composite
def hardtanh(input: A, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> A:
    """x held between `min_val` and `max_val`, elementwise. At the bounds the gradient is 0, as in PyTorch.

    Shapes: any, and the result has the same. Dtypes: real floating. Raises OptionError unless min_val < max_val, DTypeError for
    another dtype. Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.hardtanh.html
    """
    check_bounds(min_val, max_val)
    out: A = _hardtanh(input, min_val, max_val)
    return out


def check_bounds(min_val: float, max_val: float) -> None:
    """Raise OptionError unless they are in order."""
    if not min_val < max_val:
        raise OptionError(f"hardtanh: min_val is {min_val} and max_val {max_val}, expected min_val < max_val")


@composite
def hardsigmoid(input: A, inplace: bool = False) -> A:
    """x / 6 + 1 / 2 held between 0 and 1, elementwise: piecewise linear like the logistic function.

    Shapes: any, and the result has the same. Dtypes: real floating. Raises DTypeError for another dtype.
    Source: M. Courbariaux et al., "BinaryConnect", NeurIPS 2015; the slope is PyTorch's.
    """
    out: A = _hardsigmoid(input)
    return out


@composite
def hardswish(input: A, inplace: bool = False) -> A:
    """x times hardsigmoid(x), elementwise.

    Shapes: any, and the result has the same. Dtypes: real floating. Raises DTypeError for another dtype.
    Source: A. Howard et al., "Searching for MobileNetV3", ICCV 2019.
    """
    out: A = _hardswish(input)
    return out


@composite
def threshold(input: A, threshold: float, value: float, inplace: bool = False) -> A:
    """x where x > `threshold`, else `value`, elementwise.

    Shapes: any, and the result has the same. Dtypes: real floating. Raises DTypeError for another dtype.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.threshold.html
    """
    out: A = _threshold(input, threshold, value)
    return out


@composite
def leaky_relu(input: A, negative_slope: float = 0.01, inplace: bool = False) -> A:
    """x where x > 0, else negative_slope * x, elementwise.

    Shapes: any, and the result has the same. Dtypes: real floating. Raises DTypeError for another dtype.
    Source: A. Maas et al., "Rectifier nonlinearities improve neural network acoustic models", ICML 2013.
    """
    out: A = _leaky_relu(input, negative_slope)
    return out


@composite
def elu(input: A, alpha: float = 1.0, inplace: bool = False) -> A:
    """x where x > 0, else alpha * (exp(x) - 1), elementwise.

    Shapes: any, and the result has the same. Dtypes: real floating. Raises DTypeError for another dtype.
    Source: D. Clevert et al., "Fast and accurate deep network learning by exponential linear units", ICLR 2016.
    """
    out: A = _elu(input, 1.0, alpha, 1.0)
    return out


@composite
def selu(input: A, inplace: bool = False) -> A:
    """1.0507 * elu(x, 1.6733), elementwise: numbers of mean 0 and variance 1 keep them, from layer to layer.

    Shapes: any, and the result has the same. Dtypes: real floating. Raises DTypeError for another dtype.
    Source: G. Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017.
    """
    out: A = _elu(floating(input, None, "selu"), _SELU_SCALE, _SELU_ALPHA, 1.0)
    return out


@composite
def celu(input: A, alpha: float = 1.0, inplace: bool = False) -> A:
    """x where x > 0, else alpha * (exp(x / alpha) - 1), elementwise: continuously differentiable for every alpha.

    Shapes: any, and the result has the same. Dtypes: real floating. Raises OptionError for alpha = 0, DTypeError for another dtype.
    Source: J. Barron, "Continuously differentiable exponential linear units", 2017.
    """
    check_alpha(alpha)
    out: A = _elu(floating(input, None, "celu"), 1.0, alpha, alpha)
    return out


def check_alpha(alpha: float) -> None:
    """Raise OptionError if it is 0."""
    if alpha == 0:
        raise OptionError("celu: alpha is 0, expected another number, since x is divided by it")


# With learned or random slopes -------------------------------------------------------------------------------------------


@fused(
    elementwise=True,
    x=lambda g, x, weight: narrow(where(x > 0, wide(g), wide(g) * wide(weight)), x),
    weight=lambda g, x: narrow(where(x > 0, 0, wide(g) * wide(x)), x),
)
def _prelu(x: Any, weight: Any, /) -> Any:
    return narrow(where(x > 0, wide(x), wide(x) * wide(weight)), x)


@composite
def prelu(input: A, weight: Any) -> A:
    """x where x > 0, else weight * x, elementwise, with one slope for all or one for each channel.

    Shapes: input any, with channels along axis 1; weight (), (1,) or (C,); the result has the shape of input. Dtypes: real floating.
    Raises ShapeError for a weight of another shape, DTypeError for another dtype.
    Source: K. He et al., "Delving deep into rectifiers", ICCV 2015.
    """
    x = floating(input, None, "prelu")
    shape, given = tuple(x.shape), tuple(weight.shape)
    channels = shape[1] if len(shape) > 1 else 1
    if given not in ((), (1,), (channels,)):
        raise ShapeError(f"prelu: weight {given}, expected (1,) or ({channels},), one slope per channel of input {shape}")
    slopes = (math.prod(given),) + (1,) * (len(shape) - 2) if len(shape) > 1 else ()
    out: A = _prelu(x, reshape(weight, slopes))
    return out


@composite
def rrelu(input: A, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False) -> A:
    """x where x > 0, else r * x, elementwise, with r drawn uniformly from [lower, upper) in training, and their mean otherwise.

    Draws from gpugrad's default random generator, the same numbers on every device. In training not inside ``gg.fuse``.
    Shapes: any, and the result has the same. Dtypes: real floating. Raises OptionError unless lower <= upper, DTypeError for
    another dtype. Source: B. Xu et al., "Empirical evaluation of rectified activations in convolutional network", 2015.
    """
    check_slopes(lower, upper)
    x = floating(input, None, "rrelu")
    slopes = uniform_like(x, lower, upper) if training else None
    out: A = _leaky_relu(x, (lower + upper) / 2) if slopes is None else _prelu(x, slopes)
    return out


def check_slopes(lower: float, upper: float) -> None:
    """Raise OptionError unless they are in order."""
    if not lower <= upper:
        raise OptionError(f"rrelu: lower is {lower} and upper {upper}, expected lower <= upper")


def uniform_like(x: Any, low: float, high: float) -> Any:
    """A constant array of uniform numbers from [low, high) in the shape, dtype and library of x, and where that is."""
    array = raw(x)
    device = device_of(array)
    place = device if isinstance(device, Device) else "cpu"
    # In float32 for every dtype, so that a seed gives the same numbers in all of them.
    numbers = random.uniform(tuple(array.shape), low, high, dtype="float32", device=place)
    return astype(move(numbers.array, place_of(array)), array.dtype, copy=False)
