"""batch_norm and instance_norm: each channel scaled by the statistics of a batch or of an image, or by running ones."""

from __future__ import annotations

import math
from typing import Any

from gpugrad.derived import derived
from gpugrad.errors import OptionError, ShapeError
from gpugrad.families import A, composite
from gpugrad.modes import no_grad, recomputing
from gpugrad.nn.functional.normalization import affine, check_channels, check_eps, standardized
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.ops.creation import raw_full
from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import sqrt
from gpugrad.ops.reduction import mean
from gpugrad.ops.shape import reshape
from gpugrad.tape import raw


# The mean and the variance are results too: the running ones move towards them, and nothing is computed twice.
@derived
def _batch_norm(input: Any, weight: Any, bias: Any, axes: tuple[int, ...], eps: float) -> tuple[Any, Any, Any]:
    return standardized(input, weight, bias, axes, eps)


@derived
def _running_norm(input: Any, centre: Any, spread: Any, weight: Any, bias: Any, eps: float) -> Any:
    x = wide(input)
    return narrow(affine((x - wide(centre)) * (1 / sqrt(wide(spread) + eps)), weight, bias), input)


@derived
def _moved(
    running_mean: Any, running_var: Any, centre: Any, spread: Any, momentum: float, correction: float
) -> tuple[Any, Any]:
    """The running statistics a step of `momentum` towards those of a batch, (N, C, 1), of which the images are averaged."""

    def step(old: Any, new: Any) -> Any:
        """One of the two statistics."""
        return astype(wide(old) * (1 - momentum) + mean(new, axis=(0, 2)) * momentum, old.dtype, copy=False)

    return step(running_mean, centre), step(running_var, spread * correction)


@composite
def batch_norm(
    input: A,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: Any = 0.1,
    eps: float = 1e-5,
) -> A:
    """(x - mean) / sqrt(var + eps) * weight + bias for each channel, mean and variance over all other axes.

    With `training` they are those of the input, and `running_mean` and `running_var`, unless they are None, become
    (1 - momentum) * old + momentum * new, in place, the variance then divided by n - 1; else they are the running ones.
    Nothing is changed if anything fails, or by an input without elements.

    Shapes: input (N, C, ...), result the same, all others (C,) or None. Dtypes: real floating; 16 bits are computed with in
    float32, and the statistics may be float32 beside them. `momentum` may be an array without axes.
    Raises ShapeError for other shapes and for one number per channel in training, whose variance is 0; DTypeError for other
    dtypes; OptionError for `eps` of 0 or less, and where running statistics are needed and missing.
    Source: S. Ioffe, C. Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate
    shift", ICML 2015. https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.batch_norm.html
    """
    out: A = _normalized(
        "batch_norm", "training", (0, 2), input, running_mean, running_var, weight, bias, training, momentum, eps
    )
    return out


@composite
def instance_norm(
    input: A,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: Any = 0.1,
    eps: float = 1e-5,
) -> A:
    """(x - mean) / sqrt(var + eps) * weight + bias for each channel of each image, mean and variance over its spatial axes.

    As :func:`batch_norm` otherwise: without `use_input_stats` they are the running ones, and with it those move towards the
    averages of the images' statistics.
    Source: D. Ulyanov, A. Vedaldi, V. Lempitsky, "Instance normalization: the missing ingredient for fast stylization", 2016.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.instance_norm.html
    """
    out: A = _normalized(
        "instance_norm", "use_input_stats", (2,), input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps
    )
    return out


def _normalized(
    name: str, option: str, axes: tuple[int, ...], input: Any, running_mean: Any, running_var: Any, weight: Any, bias: Any,
    own: bool, momentum: Any, eps: float,
) -> Any:  # fmt: skip
    """The input by its own statistics over `axes` of (N, C, elements), or by the running ones."""
    vectors = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    shape = check_channels(name, input, 2, **vectors)
    check_eps(name, eps)
    if (running_mean is None) != (running_var is None):
        raise OptionError(f"{name}: got only one of running_mean and running_var, expected both or neither")
    if not own and running_mean is None:
        raise OptionError(f"{name}: {option} is False and there are no running statistics; pass running_mean and running_var")
    x = reshape(input, (*shape[:2], math.prod(shape[2:])))
    count = math.prod(x.shape[axis] for axis in axes)
    if own and count == 1:
        raise ShapeError(
            f"{name}: input {shape} has one number to take the mean and the variance of, expected more than 1 for each channel"
            f"{' of each image' if axes == (2,) else ''}; with {option}=False (a layer: after eval()) the running statistics serve"
        )
    column = (shape[1], 1)
    weight, bias = (v if v is None else reshape(v, column) for v in (weight, bias))
    if not own or not math.prod(shape):
        like, dtype = raw(input), input.dtype
        # Of nothing there are no statistics, and nothing is scaled; the parameters have gradients of zeros.
        centre = raw_full(like, column, 0, dtype) if own else reshape(running_mean, column)
        spread = raw_full(like, column, 1, dtype) if own else reshape(running_var, column)
        return reshape(_running_norm(x, centre, spread, weight, bias, float(eps)), shape)
    out, centre, spread = _batch_norm(x, weight, bias, axes, float(eps))
    out = reshape(out, shape)
    if running_mean is not None and not recomputing.get():
        moved = _moved(
            raw(running_mean), raw(running_var), raw(centre), raw(spread), raw(momentum), count / (count - 1)
        )  # fmt: skip
        with no_grad():
            running_mean[...], running_var[...] = moved
    return out
