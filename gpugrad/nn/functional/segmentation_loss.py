"""Losses for few positives among many negatives: sigmoid_focal_loss, dice_loss."""

from __future__ import annotations

from typing import Any

from gpugrad.errors import OptionError, ShapeError
from gpugrad.families import composite
from gpugrad.nn.functional.reduction import elementwise_loss, operands
from gpugrad.nn.functional.sigmoid import sigmoid
from gpugrad.nn.functional.smooth import logsigmoid
from gpugrad.ops.elementwise import pow
from gpugrad.ops.reduction import sum


@elementwise_loss
def _focal(input: Any, target: Any, *, alpha: float | None, gamma: float | None) -> Any:
    losses = (1 - target) * input - logsigmoid(input)
    if gamma is not None:
        missed = sigmoid(input) * (1 - target) + sigmoid(-input) * target  # 1 - p of the right answer, without cancellation
        losses = losses * pow(missed, gamma)
    return losses if alpha is None else losses * (alpha * target + (1 - alpha) * (1 - target))


@elementwise_loss
def _dice(input: Any, target: Any, *, smooth: float) -> Any:
    axes = tuple(range(2, len(input.shape))) or -1
    overlap, total = sum(input * target, axis=axes), sum(input, axis=axes) + sum(target, axis=axes)
    return 1 - (2 * overlap + smooth) / (total + smooth)


@composite
def sigmoid_focal_loss(input: Any, target: Any, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "none") -> Any:
    """alpha_t * (1 - p_t) ** gamma * -log(p_t), where p_t is the probability of the right answer by sigmoid(input).

    p_t is p for target 1 and 1 - p for target 0, alpha_t likewise alpha and 1 - alpha; a negative `alpha` weights nothing.
    Shapes: equal ones. Dtypes: floating; a target of other numbers takes that of the input.
    Raises ShapeError if shapes differ or the mean is of nothing; OptionError for another `reduction`, alpha above 1 and a
    negative `gamma`. Source: T. Lin et al., "Focal loss for dense object detection", ICCV 2017; names and defaults are
    torchvision's.
    """
    check_focal(alpha, gamma)
    given = operands("sigmoid_focal_loss", reduction, input, target=target)
    return _focal(*given, reduction=reduction, alpha=alpha if alpha >= 0 else None, gamma=gamma or None)


def check_focal(alpha: float, gamma: float) -> None:
    """Raise OptionError unless alpha is at most 1 and gamma not negative."""
    if not alpha <= 1:
        raise OptionError(f"sigmoid_focal_loss: alpha is {alpha}, expected 0 to 1, or a negative number for no weights")
    if not gamma >= 0:
        raise OptionError(f"sigmoid_focal_loss: gamma is {gamma}, expected 0 or more")


@composite
def dice_loss(input: Any, target: Any, smooth: float = 1.0, *, reduction: str = "mean") -> Any:
    """1 - (2 * sum(p * t) + smooth) / (sum(p) + sum(t) + smooth): one minus the soft Dice coefficient of probabilities p.

    Shapes: equal ones, (N, C, d1, ...), summed over d1, ..., so that the losses are (N, C); (N, D) or (D,), summed over D.
    Dtypes: floating; a target of other numbers takes that of the input.
    Raises ShapeError if shapes differ, have no axis, or the mean is of nothing; OptionError for another `reduction` and a
    negative `smooth`. Source: F. Milletari et al., "V-Net", 3DV 2016.
    """
    check_smooth(smooth)
    x, t = operands("dice_loss", reduction, input, target=target)
    if not x.shape:
        raise ShapeError("dice_loss: got input of shape (), expected (N, C, d1, ...), (N, D) or (D,)")
    return _dice(x, t, reduction=reduction, smooth=smooth)


def check_smooth(smooth: float) -> None:
    """Raise OptionError if it is negative."""
    if not smooth >= 0:
        raise OptionError(f"dice_loss: smooth is {smooth}, expected 0 or more")
