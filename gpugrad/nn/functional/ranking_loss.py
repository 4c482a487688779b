"""Losses of similarities and orders: margin_ranking, hinge_embedding, cosine_embedding, triplets, margins between classes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from gpugrad.arrays.dtypes import int64, numpy_dtype
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.families import composite
from gpugrad.nn.functional.distance import pairwise_distance
from gpugrad.nn.functional.labels import check_labels, hot, labels_of, picked, rows
from gpugrad.nn.functional.reduction import (
    alike,
    check_reduction,
    check_same,
    checkable,
    elementwise_loss,
    operands,
    together,
)
from gpugrad.nn.functional.softmax import floating
from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import logical_and, logical_not, minimum, sqrt, where
from gpugrad.ops.indexing import take, take_along_axis
from gpugrad.ops.reduction import any, cumulative_sum, sum
from gpugrad.ops.shape import expand_dims, reshape
from gpugrad.tape import raw

_TINY = 1e-12  # added to squared norms by cosine_embedding_loss, as in PyTorch


def _positive(x: Any) -> Any:
    """max(x, 0), with gradient 1 at 0 as PyTorch's clamp has it."""
    return where(x < 0, 0, x)


@elementwise_loss
def _margin_ranking(input1: Any, input2: Any, target: Any, *, margin: float) -> Any:
    return _positive(margin - target * (input1 - input2))


@elementwise_loss
def _hinge_embedding(input: Any, target: Any, *, margin: float) -> Any:
    return where(target == 1, 0, _positive(margin - input)) + where(target == -1, 0, input)


@elementwise_loss
def _cosine_embedding(input1: Any, input2: Any, target: Any, *, margin: float) -> Any:
    squares = [sum(x * x, axis=-1) + _TINY for x in (input1, input2)]
    cosine = sum(input1 * input2, axis=-1) / sqrt(squares[0] * squares[1])
    return where(target == 1, 1 - cosine, where(target == -1, _positive(cosine - margin), 0))


@elementwise_loss
def _triplet(positive: Any, negative: Any, *, margin: float) -> Any:
    return _positive(margin + positive - negative)


@elementwise_loss
def _multi_margin(x: Any, target: Any, weight: Any, *, p: int, margin: float) -> Any:
    classes = x.shape[1]
    _, safe, bad = labels_of(target, classes, -1)
    z = _positive(margin - expand_dims(picked(x, safe), 1) + x)
    losses = sum(where(hot(safe, classes), 0, z if p == 1 else z * z), axis=1) / classes
    losses = losses if weight is None else losses * take(weight, safe, axis=0)
    return where(bad | (target == -1), math.nan, losses)


@elementwise_loss
def _multilabel_margin(x: Any, target: Any) -> Any:
    classes = x.shape[1]
    listed = cumulative_sum(astype(target < 0, int64), axis=1) == 0  # up to the first -1
    bad = any(logical_and(listed, target >= classes), axis=1)
    safe = where(logical_and(listed, target < classes), target, 0)
    own = any(logical_and(hot(safe, classes), expand_dims(listed, -1)), axis=1)
    z = _positive(1 - expand_dims(take_along_axis(x, safe, axis=1), 2) + expand_dims(x, 1))
    pairs = logical_and(expand_dims(listed, 2), logical_not(expand_dims(own, 1)))
    return where(bad, math.nan, sum(where(pairs, z, 0), axis=(1, 2)) / classes)


@composite
def margin_ranking_loss(input1: Any, input2: Any, target: Any, margin: float = 0.0, *, reduction: str = "mean") -> Any:
    """max(0, margin - target * (input1 - input2)): target 1 wants input1 to be larger, -1 input2.

    Shapes: equal ones. Dtypes: floating; a target of integers takes that of the inputs.
    Raises ShapeError if shapes differ or the mean is of nothing; OptionError for another `reduction`.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MarginRankingLoss.html
    """
    given = operands("margin_ranking_loss", reduction, input1, input2=input2, target=target)
    return _margin_ranking(*given, reduction=reduction, margin=margin)


@composite
def hinge_embedding_loss(input: Any, target: Any, margin: float = 1.0, *, reduction: str = "mean") -> Any:
    """input where target is 1, max(0, margin - input) where it is -1; `input` is a distance.

    Shapes: equal ones. Dtypes: floating; a target of integers takes that of the input.
    Raises ShapeError if shapes differ or the mean is of nothing; OptionError for another `reduction`, and on the CPU for a target with
    anything but 1 and -1.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.HingeEmbeddingLoss.html
    """
    given = operands("hinge_embedding_loss", reduction, input, target=target)
    _check_signs("hinge_embedding_loss", raw(target))
    return _hinge_embedding(*given, reduction=reduction, margin=margin)


@composite
def cosine_embedding_loss(input1: Any, input2: Any, target: Any, margin: float = 0.0, *, reduction: str = "mean") -> Any:
    """1 - cos(input1, input2) where target is 1, max(0, cos(input1, input2) - margin) where it is -1.

    Shapes: inputs (N, D) and target (N,), or (D,) and (). Dtypes: floating; a target of integers takes that of the inputs.
    Raises ShapeError if shapes do not fit or the mean is of nothing; OptionError for another `reduction`, and on the CPU for a target
    with anything but 1 and -1, for which there would be no loss.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.CosineEmbeddingLoss.html
    """
    name = "cosine_embedding_loss"
    x, y = operands(name, reduction, input1, input2=input2)
    shape = tuple(x.shape)
    if len(shape) not in (1, 2) or tuple(target.shape) != shape[:-1]:
        raise ShapeError(
            f"{name}: got inputs {shape} and target {tuple(target.shape)}, expected (N, D) and (N,), or (D,) and ()"
        )
    _check_signs(name, raw(target))
    return _cosine_embedding(*together(x, y, alike(target, x)), reduction=reduction, margin=margin)


def _check_signs(name: str, target: Any) -> None:
    """Raise OptionError unless all labels are 1 or -1; not on a GPU, which would have to be waited for, nor while traced."""
    if checkable(target) and any(logical_and(target != 1, target != -1)):
        raise OptionError(
            f"{name}: target has elements other than 1 and -1, expected labels 1 (alike) and -1 (not); of labels 1 and 0 make them by "
            "2 * target - 1"
        )


@composite
def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    *,
    reduction: str = "mean",
) -> Any:
    """max(0, margin + d(anchor, positive) - d(anchor, negative)) for d = :func:`pairwise_distance` of order `p`.

    With `swap`, the negative's distance is the smaller of those to the anchor and to the positive.
    Shapes: equal ones, (..., D); the losses are (...). Dtypes: floating.
    Raises ShapeError if shapes differ or the mean is of nothing; OptionError for another `reduction` and unless `margin` is positive.
    Source: V. Balntas et al., "Learning local feature descriptors with triplets and shallow convolutional neural networks", BMVC 2016.
    """
    check_margin("triplet_margin_loss", margin)
    check_triplet("triplet_margin_loss", reduction, anchor, positive, negative)
    return _of_triplet(lambda a, b: pairwise_distance(a, b, p, eps), anchor, positive, negative, margin, swap, reduction)


@composite
def triplet_margin_with_distance_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    distance_function: Callable[[Any, Any], Any] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Any:
    """:func:`triplet_margin_loss` with any distance of two arrays; without one, :func:`pairwise_distance`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.TripletMarginWithDistanceLoss.html
    """
    check_margin("triplet_margin_with_distance_loss", margin)
    check_triplet("triplet_margin_with_distance_loss", reduction, anchor, positive, negative)
    return _of_triplet(distance_function or pairwise_distance, anchor, positive, negative, margin, swap, reduction)


def check_margin(name: str, margin: float) -> None:
    """Raise OptionError unless it is positive."""
    if not margin > 0:
        raise OptionError(f"{name}: margin is {margin}, expected a positive number")


def check_triplet(name: str, reduction: str, anchor: Any, positive: Any, negative: Any) -> None:
    """Raise what :func:`triplet_margin_loss` raises for its operands."""
    check_reduction(reduction, name)
    check_same(name, reduction, anchor, positive=positive, negative=negative)


def _of_triplet(
    distance: Callable[[Any, Any], Any], anchor: Any, positive: Any, negative: Any, margin: float, swap: bool, reduction: str
) -> Any:
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return _triplet(*together(near, far), reduction=reduction, margin=margin)


@composite
def multi_margin_loss(
    input: Any, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None, *, reduction: str = "mean"
) -> Any:
    """sum(max(0, margin - x[y] + x[i]) ** p for i != y) / C, times weight[y], for a class label y.

    Shapes: input (N, C) and target (N,), or (C,) and (); weight (C,). Dtypes: floating; target of integers.
    Raises IndexingError for a label that is no class (on a GPU, where checking would wait for it, the loss is nan);
    ShapeError if shapes do not fit or the mean is of nothing; OptionError for another `reduction`, and unless p is 1 or 2.
    Source: K. Crammer and Y. Singer, "On the algorithmic implementation of multiclass kernel-based vector machines", JMLR 2, 2001.
    """
    name = "multi_margin_loss"
    check_power(p)
    check_reduction(reduction, name)
    input = floating(input, None, name)
    if len(input.shape) > 2:
        raise ShapeError(f"{name}: got input {tuple(input.shape)}, expected (N, C) or (C,)")
    x, labels, shape = rows(input, target, reduction, name)
    check_labels(labels, x.shape[1], None, name)
    if weight is not None and tuple(weight.shape) != (x.shape[1],):
        raise ShapeError(
            f"{name}: got weight {tuple(weight.shape)}, expected ({x.shape[1]},), one per class of input {tuple(input.shape)}"
        )
    out = _multi_margin(*together(x, labels, weight), reduction=reduction, p=p, margin=margin)
    return out if shape is None else reshape(out, shape)


def check_power(p: int) -> None:
    """Raise OptionError unless it is 1 or 2."""
    if p not in (1, 2):
        raise OptionError(f"multi_margin_loss: p is {p}, expected 1 or 2")


@composite
def multilabel_margin_loss(input: Any, target: Any, *, reduction: str = "mean") -> Any:
    """sum(max(0, 1 - (x[j] - x[i]))) / C over all labels j and all classes i that are no labels.

    The labels of a row are those of the target up to the first -1. All pairs are compared: memory grows with C ** 2 where no
    kernel can be compiled. Shapes: equal ones, (N, C) or (C,). Dtypes: floating; target of integers.
    Raises IndexingError for a label that is no class and not -1 (on a GPU, where checking would wait for it, the loss is nan);
    ShapeError if shapes differ or the mean is of nothing, DTypeError; OptionError for another `reduction`.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiLabelMarginLoss.html
    """
    name = "multilabel_margin_loss"
    check_reduction(reduction, name)
    input = floating(input, None, name)
    check_same(name, reduction, input, target=target)
    shape = tuple(input.shape)
    if len(shape) not in (1, 2):
        raise ShapeError(f"{name}: got input {shape}, expected (N, C) or (C,)")
    if numpy_dtype(target.dtype).kind not in "iu":
        raise DTypeError(f"{name}: got labels of dtype {target.dtype}, expected integers; convert them with .astype(gg.int64)")
    labels = astype(target, int64, copy=False)
    check_labels(labels, shape[-1], -1, name)
    if len(shape) == 1:
        input, labels = expand_dims(input, 0), expand_dims(labels, 0)
    out = _multilabel_margin(*together(input, labels), reduction=reduction)
    return reshape(out, ()) if len(shape) == 1 and reduction == "none" else out
