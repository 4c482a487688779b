"""Kernels for a handful of elements, in Python's floats: there a call of NumPy takes longer than all of the arithmetic."""

from __future__ import annotations

import math
from typing import Any

import numpy

HANDFUL = 32
"""The most elements of which a loop takes less time than the calls that it replaces."""

DTYPES = frozenset("fd")  # by dtype.char


def cross_entropy(x: Any, target: Any, ignore_index: int, reduction: str, label_smoothing: float) -> Any:
    """The loss of rows of logits."""
    losses, count = [], 0
    for row, label in zip(x.tolist(), target.tolist(), strict=True):
        if label == ignore_index:
            losses.append(0.0)
            continue
        count += 1
        top = max(row)
        total = top + math.log(sum([math.exp(logit - top) for logit in row]))
        loss = total - row[label] if 0 <= label < len(row) else math.nan
        if label_smoothing:  # a sum of two losses, which may both be inf
            loss = (1 - label_smoothing) * loss + label_smoothing * (total - sum(row) / len(row))
        losses.append(loss)
    if reduction == "none":
        return numpy.array(losses, x.dtype)
    total = sum(losses)
    if reduction == "mean":
        total = total / count if count else math.nan
    return x.dtype.type(total)


def cross_entropy_gradient(g: Any, x: Any, target: Any, ignore_index: int, reduction: str, label_smoothing: float) -> Any:
    """The gradient of the logits, from that of the loss: (softmax - smoothed labels) times how much a row counts."""
    labels = target.tolist()
    scales = g.tolist() if g.ndim else [g.item()] * len(labels)
    count = len(labels) - labels.count(ignore_index) if reduction == "mean" else 1
    rows = []
    for row, label, scale in zip(x.tolist(), labels, scales, strict=True):
        if label == ignore_index:
            rows.append([0.0] * len(row))
            continue
        top, smooth, factor = max(row), label_smoothing / len(row), scale / count
        powers = [math.exp(logit - top) for logit in row]
        total = sum(powers)
        differences = [power / total - smooth for power in powers]
        differences[label] -= 1 - label_smoothing
        rows.append([difference * factor for difference in differences])
    return numpy.array(rows, x.dtype).reshape(x.shape)
