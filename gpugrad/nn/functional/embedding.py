"""embedding: rows of a table, looked up by number."""

from __future__ import annotations

from typing import Any

import numpy

from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.errors import DTypeError, IndexingError, ShapeError
from gpugrad.families import A, composite, fused
from gpugrad.ops.creation import raw_full
from gpugrad.ops.elementwise import where
from gpugrad.ops.indexing import scatter_add, take
from gpugrad.ops.shape import expand_dims, reshape
from gpugrad.tape import raw


def _rows(table: Any, numbers: Any) -> Any:
    """``table[numbers]`` for numbers of any shape: `take` of the standard has one axis of them."""
    shape = tuple(numbers.shape)
    out = take(table, numbers if len(shape) == 1 else reshape(numbers, (-1,)), axis=0)
    return out if len(shape) == 1 else reshape(out, (*shape, *table.shape[1:]))


def _weight_rule(g: Any, input: Any, padding_idx: int | None, scale_grad_by_freq: bool, weight_shape: tuple[int, ...]) -> Any:
    input, rows = raw(input), weight_shape[0]
    if scale_grad_by_freq:
        ones = raw_full(raw(g), tuple(input.shape), 1, numpy.dtype("float32"))  # which counts to 2**24
        g = g / expand_dims(_rows(scatter_add(ones, (input,), (rows,), False), input), -1)
    if padding_idx is not None:  # -1 is a name for the last row too
        g = where(expand_dims((input != padding_idx) & (input != padding_idx - rows), -1), g, 0)
    return scatter_add(g, (input,), weight_shape, False)


@fused(compiles=False, input=None, weight=_weight_rule)
def _embedding(input: Any, weight: Any, padding_idx: int | None, scale_grad_by_freq: bool, /) -> Any:
    return _rows(weight, input)


@composite
def embedding(input: Any, weight: A, padding_idx: int | None = None, *, scale_grad_by_freq: bool = False) -> A:
    """``weight[input]``: for each integer of `input` the row of `weight` with that number.

    Shapes: input any, weight (num_embeddings, embedding_dim), result (*input.shape, embedding_dim). Dtypes: input of integers, weight
    any floating or complex, and the result has its dtype.
    The gradient of a row is the sum of the gradients of the elements that looked it up; with `scale_grad_by_freq` their mean. The
    row `padding_idx`, which may be negative to count from the end, has gradient zero. On a GPU the sums are of atomic additions, in
    an order that differs from run to run, unless ``gg.use_deterministic_algorithms(True)``.
    There is no `max_norm`, with which PyTorch changes the weight in place.
    Raises DTypeError for an input that is not of integers, ShapeError for a weight that is no matrix, IndexingError for a `padding_idx`
    or, on the CPU, an element of `input` out of range; on a GPU these wrap round, since checking them would wait for it.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.embedding.html
    """
    dtype = getattr(input, "dtype", None)
    if dtype is None or numpy_dtype(dtype).kind not in "iu":
        raise DTypeError(
            f"embedding: the input is {type(input).__name__ if dtype is None else dtype}, expected an array of integers, the "
            "numbers of rows of the weight"
        )
    shape = tuple(getattr(weight, "shape", ()))
    if len(shape) != 2:
        raise ShapeError(f"embedding: got weight {shape}, expected (num_embeddings, embedding_dim)")
    if padding_idx is not None:
        if not hasattr(padding_idx, "__index__"):
            raise DTypeError(f"embedding: padding_idx is {padding_idx!r}, expected the number of a row, or None")
        if not -shape[0] <= padding_idx < shape[0]:
            raise IndexingError(
                f"embedding: padding_idx is {padding_idx}, expected the number of one of the {shape[0]} rows of weight"
            )
        padding_idx %= shape[0]
    out: A = _embedding(input, weight, padding_idx, scale_grad_by_freq)
    return out
