"""Losses of differences: mse_loss, l1_loss, smooth_l1_loss, huber_loss."""

from __future__ import annotations

import math
from typing import Any

from gpugrad.errors import OptionError
from gpugrad.families import composite, fused
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.nn.functional.reduction import alike, check_reduction, check_same, elementwise_loss, operands, reduced, weighted
from gpugrad.ops.elementwise import abs, square, subtract, where


def _mse_rule(g: Any, input: Any, target: Any, reduction: str) -> Any:
    difference = subtract(input, target)
    twice = wide(difference) * 2
    g = wide(g) / math.prod(difference.shape) if reduction == "mean" else wide(g)
    return narrow(g * twice, difference)


# With a rule, since what it needs are the operands: nothing else is kept.
@fused(input=_mse_rule, target=lambda g, input, target, reduction: -_mse_rule(g, input, target, reduction))
def _mse(input: Any, target: Any, /, *, reduction: str) -> Any:
    difference = subtract(input, target)
    return narrow(reduced(square(wide(difference)), reduction), difference)


@elementwise_loss
def _weighted_mse(input: Any, target: Any, weight: Any) -> Any:
    return weight * square(input - target), weight


@elementwise_loss
def _l1(input: Any, target: Any, weight: Any) -> Any:
    losses = weighted(abs(input - target), weight)
    return losses if weight is None else (losses, weight)


@elementwise_loss
def _smooth_l1(input: Any, target: Any, *, beta: float) -> Any:
    d = abs(input - target)
    return where(d < beta, d * d * (0.5 / beta), d - 0.5 * beta)


@elementwise_loss
def _huber(input: Any, target: Any, weight: Any, *, delta: float) -> Any:
    d = abs(input - target)
    return weighted(where(d <= delta, 0.5 * d * d, delta * (d - 0.5 * delta)), weight)


@composite
def mse_loss(input: Any, target: Any, *, reduction: str = "mean", weight: Any = None) -> Any:
    """The squared error (input - target) ** 2: its mean, its sum, or each for `reduction` "none".

    With a `weight` each is multiplied by it, and the mean is over the sum of the weights.
    Shapes: equal ones. PyTorch broadcasts with a warning, because (N, 1) against (N,) is nearly always a mistake; here it
    is an error. Dtypes: floating; different ones promote, and a target of integers takes that of the input.
    Raises ShapeError if the shapes differ, or for the mean of no elements; OptionError for another `reduction`.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.mse_loss.html
    """
    check_reduction(reduction, "mse_loss")
    check_same("mse_loss", reduction, input, target=target, weight=weight)
    if weight is None:
        return _mse(input, alike(target, input), reduction=reduction)
    return _weighted_mse(*operands("mse_loss", reduction, input, target=target, weight=weight), reduction=reduction)


@composite
def l1_loss(input: Any, target: Any, *, reduction: str = "mean", weight: Any = None) -> Any:
    """The absolute error abs(input - target); where that is 0 the gradient is 0. `weight` as in :func:`mse_loss`.

    Shapes: equal ones. Dtypes: floating; a target of integers takes that of the input.
    Raises ShapeError if the shapes differ, or for the mean of no elements; OptionError for another `reduction`.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.l1_loss.html
    """
    return _l1(*operands("l1_loss", reduction, input, target=target, weight=weight), reduction=reduction)


@composite
def smooth_l1_loss(input: Any, target: Any, *, reduction: str = "mean", beta: float = 1.0) -> Any:
    """d ** 2 / (2 * beta) where d < beta, else d - beta / 2, of d = abs(input - target); for beta 0 it is l1_loss.

    Shapes: equal ones. Dtypes: floating; a target of integers takes that of the input.
    Raises ShapeError if the shapes differ, or for the mean of no elements; OptionError for another `reduction` and a negative
    `beta`. Source: R. Girshick, "Fast R-CNN", ICCV 2015.
    """
    check_smooth_l1(beta)
    given = operands("smooth_l1_loss", reduction, input, target=target)
    return _smooth_l1(*given, reduction=reduction, beta=beta) if beta else _l1(*given, None, reduction=reduction)


def check_smooth_l1(beta: float) -> None:
    """Raise OptionError if it is negative."""
    if not beta >= 0:
        raise OptionError(f"smooth_l1_loss: beta is {beta}, expected 0 or more")


@composite
def huber_loss(input: Any, target: Any, *, reduction: str = "mean", delta: float = 1.0, weight: Any = None) -> Any:
    """d ** 2 / 2 where d <= delta, else delta * (d - delta / 2), of d = abs(input - target).

    With a `weight` each is multiplied by it; the mean is over the number of elements, as in PyTorch.
    Shapes: equal ones. Dtypes: floating; a target of integers takes that of the input.
    Raises ShapeError if the shapes differ, or for the mean of no elements; OptionError for another `reduction` and unless
    `delta` is positive. Source: P. Huber, "Robust estimation of a location parameter", 1964.
    """
    check_huber(delta)
    given = operands("huber_loss", reduction, input, target=target, weight=weight)
    return _huber(*given, reduction=reduction, delta=delta)


def check_huber(delta: float) -> None:
    """Raise OptionError unless it is positive."""
    if not delta > 0:
        raise OptionError(f"huber_loss: delta is {delta}, expected a positive number")
