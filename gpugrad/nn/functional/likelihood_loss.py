"""Negative log-likelihoods: binary_cross_entropy and with logits, kl_div, poisson_nll_loss, gaussian_nll_loss, soft margins."""

from __future__ import annotations

import math
from typing import Any

from gpugrad.differentiate import stop_gradient
from gpugrad.errors import OptionError, ShapeError
from gpugrad.families import composite, explained, fused
from gpugrad.nn.functional.reduction import (
    REDUCTIONS,
    alike,
    check_broadcast,
    check_reduction,
    checkable,
    elementwise_loss,
    operands,
    together,
    weighted,
)
from gpugrad.nn.functional.smooth import logsigmoid
from gpugrad.ops.creation import full_like
from gpugrad.ops.elementwise import exp, log, log1p, maximum, square, where
from gpugrad.ops.reduction import any, max, mean, min
from gpugrad.ops.shape import expand_dims
from gpugrad.ops.special.entropy import xlogy
from gpugrad.tape import raw

_CLAMP = -100.0  # logarithms of probabilities, as in PyTorch: the loss stays finite where a probability is 0
_LEAST = 1e-12  # and what p (1 - p) is taken for there, in the gradient


def _logs(p: Any) -> tuple[Any, Any]:
    """log(p) and log(1 - p), not below -100."""
    return maximum(log(p), _CLAMP), maximum(log1p(-p), _CLAMP)


def _target_rule(g: Any, p: Any) -> Any:
    yes, no = _logs(p)
    return g * (no - yes)


@fused(
    elementwise=True,
    p=lambda g, p, target: g * (p - target) / maximum(p * (1 - p), _LEAST),
    target=_target_rule,
)
def _bce(p: Any, target: Any, /) -> Any:
    yes, no = _logs(p)
    return (target - 1) * no - target * yes


@elementwise_loss
def _binary_cross_entropy(input: Any, target: Any, weight: Any) -> Any:
    return weighted(_bce(input, target), weight)


@elementwise_loss
def _with_logits(input: Any, target: Any, weight: Any, pos_weight: Any) -> Any:
    factor: Any = 1 if pos_weight is None else 1 + (pos_weight - 1) * target
    return weighted((1 - target) * input - factor * logsigmoid(input), weight)


@elementwise_loss
def _kl_div(input: Any, target: Any, *, log_target: bool) -> Any:
    return exp(target) * (target - input) if log_target else xlogy(target, target) - target * input


@elementwise_loss
def _poisson(input: Any, target: Any, *, log_input: bool, full: bool, eps: float) -> Any:
    losses = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:  # Stirling's approximation of log(target!)
        t = where(target > 1, target, 1)
        losses = losses + where(target > 1, t * log(t) - t + 0.5 * log(2 * math.pi * t), 0)
    return losses


@elementwise_loss
def _gaussian(input: Any, target: Any, var: Any, *, full: bool, eps: float) -> Any:
    # At least eps, which its gradient does not see: as in PyTorch. A negative variance, possible on a GPU only, gives nan.
    held = var + stop_gradient(where(var < 0, math.nan, maximum(var, eps)) - var)
    losses = 0.5 * (log(held) + square(input - target) / held)
    return losses + 0.5 * math.log(2 * math.pi) if full else losses


@elementwise_loss
def _soft_margin(input: Any, target: Any) -> Any:
    return -logsigmoid(target * input)


@elementwise_loss
def _multilabel_soft_margin(input: Any, target: Any, weight: Any) -> Any:
    losses = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    return mean(weighted(losses, weight), axis=-1)


@composite
def binary_cross_entropy(input: Any, target: Any, weight: Any = None, *, reduction: str = "mean") -> Any:
    """-(t * log(p) + (1 - t) * log(1 - p)) for probabilities p = `input`, times `weight`.

    Logarithms are held at -100 and above, and p * (1 - p) at 1e-12 in the gradient, as in PyTorch. For logits there is
    :func:`binary_cross_entropy_with_logits`, which is more accurate.
    Shapes: input and target equal; weight broadcasts to that. Dtypes: floating; a target of other numbers takes that of the input.
    Raises OptionError for p or t outside of [0, 1] (on a GPU, where checking would wait for it, the loss is nan for such p),
    and for another `reduction`; ShapeError if shapes do not fit or the mean is of nothing.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.binary_cross_entropy.html
    """
    name = "binary_cross_entropy"
    x, t = operands(name, reduction, input, target=target)
    check_broadcast(name, "weight", weight, tuple(x.shape))
    for given, values in (("input", raw(x)), ("target", raw(t))):
        if checkable(values) and 0 not in values.shape and (min(values) < 0 or max(values) > 1):
            hint = "; for logits there is binary_cross_entropy_with_logits" if given == "input" else ""
            raise OptionError(f"{name}: {given} has elements outside of [0, 1], expected probabilities{hint}")
    return _binary_cross_entropy(*_weights(x, t, weight), reduction=reduction)


@composite
def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, *, reduction: str = "mean", pos_weight: Any = None
) -> Any:
    """-(pos_weight * t * log(p) + (1 - t) * log(1 - p)) for p = sigmoid(input), times `weight`; accurate for any logits.

    Shapes: input and target equal; weight and pos_weight broadcast to that. Dtypes: floating; a target of other numbers takes
    that of the input. Raises ShapeError if shapes do not fit or the mean is of nothing; OptionError for another `reduction`.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.binary_cross_entropy_with_logits.html
    """
    name = "binary_cross_entropy_with_logits"
    x, t = operands(name, reduction, input, target=target)
    check_broadcast(name, "weight", weight, tuple(x.shape))
    check_broadcast(name, "pos_weight", pos_weight, tuple(x.shape))
    return _with_logits(*_weights(x, t, weight, pos_weight), reduction=reduction)


@explained  # and not registered: the kl_div of gpugrad.special is
def kl_div(input: Any, target: Any, *, reduction: str = "mean", log_target: bool = False) -> Any:
    """target * (log(target) - input), from log-probabilities `input`; exp(t) * (t - input) for a `log_target`.

    The divergence itself is the sum over the classes: `reduction` "batchmean" is the sum over the size of the first axis.
    Shapes: equal ones. Dtypes: floating. Raises ShapeError if they differ or the mean is of nothing; OptionError for another
    `reduction`. Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.kl_div.html
    """
    check_reduction(reduction, "kl_div", (*REDUCTIONS, "batchmean"))
    batch = reduction == "batchmean"
    x, t = operands("kl_div", "sum" if batch else reduction, input, target=target)
    if not batch:
        return _kl_div(x, t, reduction=reduction, log_target=log_target)
    if not x.shape or 0 in x.shape:
        raise ShapeError(f"kl_div: the input of shape {tuple(x.shape)} is no batch that has a mean; use reduction='sum'")
    return _kl_div(x, t, reduction="sum", log_target=log_target) / x.shape[0]


@composite
def poisson_nll_loss(
    input: Any, target: Any, log_input: bool = True, full: bool = False, *, eps: float = 1e-8, reduction: str = "mean"
) -> Any:
    """exp(input) - target * input, the negative log-likelihood of counts with rate exp(input), without log(target!).

    Without `log_input`, `input` is the rate: input - target * log(input + eps). `full` adds Stirling's approximation of
    log(target!), where target > 1. Shapes: equal ones. Dtypes: floating; a target of integers takes that of the input.
    Raises ShapeError if shapes differ or the mean is of nothing; OptionError for another `reduction` and unless `eps` is positive.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.PoissonNLLLoss.html
    """
    check_eps("poisson_nll_loss", eps)
    given = operands("poisson_nll_loss", reduction, input, target=target)
    return _poisson(*given, reduction=reduction, log_input=log_input, full=full, eps=eps)


@composite
def gaussian_nll_loss(input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> Any:
    """(log(v) + (input - target) ** 2 / v) / 2 with v = max(var, eps); `full` adds log(2 * pi) / 2.

    The gradient does not see that v is held at eps. Shapes: input and target equal; var the same, or with a last axis of 1 or
    without a last axis, for one variance per row; or a number. Dtypes: floating.
    Raises OptionError for a negative variance (on a GPU, where checking would wait for it, the loss is nan), unless `eps` is
    positive, and for another `reduction`; ShapeError if shapes do not fit or the mean is of nothing.
    Source: D. Nix and A. Weigend, "Estimating the mean and variance of the target probability distribution", ICNN 1994.
    """
    name = "gaussian_nll_loss"
    check_eps(name, eps)
    x, t = operands(name, reduction, input, target=target)
    shape = tuple(x.shape)
    if not hasattr(var, "shape"):
        var = full_like(raw(x), var)
    given = tuple(var.shape)
    if given == shape[:-1] and given != shape:
        var = expand_dims(var, -1)
    elif given not in (shape, (*shape[:-1], 1)):
        raise ShapeError(
            f"{name}: got var {given}, expected the shape of the input, {shape}, or one number for each row, {shape[:-1]}"
        )
    if checkable(raw(var)) and any(raw(var) < 0):
        raise OptionError(f"{name}: var has negative elements, expected variances")
    x, t, var = together(x, t, alike(var, x))
    return _gaussian(x, t, var, reduction=reduction, full=full, eps=eps)


def check_eps(name: str, eps: float) -> None:
    """Raise OptionError unless it is positive."""
    if not eps > 0:
        raise OptionError(f"{name}: eps is {eps}, expected a positive number")


@composite
def soft_margin_loss(input: Any, target: Any, *, reduction: str = "mean") -> Any:
    """log(1 + exp(-target * input)) for targets 1 and -1, without overflow.

    Shapes: equal ones. Dtypes: floating; a target of integers takes that of the input.
    Raises ShapeError if shapes differ or the mean is of nothing; OptionError for another `reduction`.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.SoftMarginLoss.html
    """
    return _soft_margin(*operands("soft_margin_loss", reduction, input, target=target), reduction=reduction)


@composite
def multilabel_soft_margin_loss(input: Any, target: Any, weight: Any = None, *, reduction: str = "mean") -> Any:
    """The mean over the classes of -(t * log(p) + (1 - t) * log(1 - p)), times `weight`, for p = sigmoid(input).

    Shapes: input and target (..., C), weight (C,) or another that broadcasts to that; the losses are (...). Dtypes: floating; a
    target of other numbers takes that of the input.
    Raises ShapeError if shapes do not fit or the mean is of nothing; OptionError for another `reduction`.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiLabelSoftMarginLoss.html
    """
    name = "multilabel_soft_margin_loss"
    x, t = operands(name, reduction, input, target=target)
    if not x.shape or x.shape[-1] == 0:
        raise ShapeError(f"{name}: got input {tuple(x.shape)}, expected (..., C) with one class or more")
    check_broadcast(name, "weight", weight, tuple(x.shape))
    return _multilabel_soft_margin(*_weights(x, t, weight), reduction=reduction)


def _weights(x: Any, target: Any, *weights: Any) -> list[Any]:
    """The operands with their weights, which are None where there are none."""
    return together(x, target, *(None if w is None else alike(w, x) for w in weights))
