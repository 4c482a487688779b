"""From a list of samples to a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from gpugrad.errors import DTypeError, ShapeError
from gpugrad.ops.conversion import asarray, home
from gpugrad.ops.shape import stack
from gpugrad.tape import Tensor


def default_collate(samples: Sequence[Any]) -> Any:
    """Samples of one kind as a batch: Tensors, arrays and numbers stacked along a new first axis, strings in a list.

    Numbers and NumPy's arrays make a batch on the default device, others one where they are. Tuples, lists and dicts of these become
    one tuple, list or dict of batches.
    Raises ShapeError for samples of different shapes or lengths, DTypeError for other kinds of samples.
    """
    first = samples[0]
    if isinstance(first, Tensor):
        return stack(list(samples))
    if isinstance(first, (bool, int, float, complex, numpy.generic)):
        return (
            asarray(numpy.asarray(samples), device=home(first)) if isinstance(first, numpy.generic) else asarray(list(samples))
        )
    if hasattr(first, "shape") and hasattr(first, "dtype"):
        return asarray(stack([asarray(sample) for sample in samples]), device=home(first))
    if isinstance(first, (str, bytes)):
        return list(samples)
    if isinstance(first, dict):
        return type(first)((key, default_collate([sample[key] for sample in samples])) for key in first)
    if isinstance(first, (tuple, list)):
        lengths = sorted({len(sample) for sample in samples})
        if len(lengths) > 1:
            raise ShapeError(f"default_collate: got samples of {lengths} elements, expected the same number in all")
        parts = [default_collate(column) for column in zip(*samples, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)
    raise DTypeError(
        f"default_collate: got a sample of type {type(first).__name__}, expected Tensors, arrays, numbers, strings, or tuples, lists "
        "and dicts of them; pass collate_fn= to DataLoader for others"
    )
