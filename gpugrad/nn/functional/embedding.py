"""embedding: rows of a table, looked up by number."""

from __future__ import annotations

from typing import Any

import numpy

from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.errors import DTypeError, IndexingError, OptionError, ShapeError
from gpugrad.families import A, composite, fused
from gpugrad.modes import no_grad
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.nn.functional.reduction import checkable
from gpugrad.ops.creation import raw_full
from gpugrad.ops.elementwise import logical_or, where
from gpugrad.ops.indexing import put, scatter_add, take
from gpugrad.ops.linalg.norms import vector_norm
from gpugrad.ops.reduction import max, min
from gpugrad.ops.shape import expand_dims, reshape
from gpugrad.tape import raw


def rows(table: Any, numbers: Any) -> Any:
    """``table[numbers]`` for numbers of any shape: `take` of the standard has one axis of them."""
    shape = tuple(numbers.shape)
    out = take(table, numbers if len(shape) == 1 else reshape(numbers, (-1,)), axis=0)
    return out if len(shape) == 1 else reshape(out, (*shape, *table.shape[1:]))


def _weight_rule(g: Any, input: Any, padding_idx: int | None, scale_grad_by_freq: bool, weight_shape: tuple[int, ...]) -> Any:
    input, count = raw(input), weight_shape[0]
    if scale_grad_by_freq:
        ones = raw_full(raw(g), tuple(input.shape), 1, numpy.dtype("float32"))  # which counts to 2**24
        g = g / expand_dims(rows(scatter_add(ones, (input,), (count,), False), input), -1)
    if padding_idx is not None:  # on a GPU, -1 is a name for the last row too
        g = where(expand_dims((input != padding_idx) & (input != padding_idx - count), -1), g, 0)
    return scatter_add(g, (input,), weight_shape, False)


@fused(compiles=False, input=None, weight=_weight_rule)
def _embedding(input: Any, weight: Any, padding_idx: int | None, scale_grad_by_freq: bool, /) -> Any:
    return rows(weight, input)


@composite
def embedding(
    input: Any,
    weight: A,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> A:
    """``weight[input]``: for each integer of `input` the row of `weight` with that number.

    Shapes: input any, weight (num_embeddings, embedding_dim), result (*input.shape, embedding_dim). Dtypes: input of integers, weight
    any floating or complex, and the result has its dtype.
    The gradient of a row is the sum of the gradients of the elements that looked it up; with `scale_grad_by_freq` their mean. The
    row `padding_idx`, which may be negative to count from the end, has gradient zero. On a GPU the sums are of atomic additions, in
    an order that differs from run to run, unless ``gg.use_deterministic_algorithms(True)``.
    With `max_norm` the rows that are looked up and have a larger norm, of order `norm_type`, are first scaled to that norm, in the
    weight itself, whose values change; no gradient is taken of that.
    Raises DTypeError for an input that is not of integers, ShapeError for a weight that is no matrix, OptionError for `sparse`, since
    gradients are dense, IndexingError for a `padding_idx` or, on the CPU, an element of `input` out of range, also a negative one;
    on a GPU these wrap round, since checking them would wait for it.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.embedding.html
    """
    padding_idx = check_lookup("embedding", input, weight, padding_idx, sparse)
    if max_norm is not None:
        renormalize(input, weight, max_norm, norm_type)
    out: A = _embedding(input, weight, padding_idx, bool(scale_grad_by_freq))
    return out


def check_lookup(name: str, input: Any, weight: Any, padding_idx: Any, sparse: bool) -> int | None:
    """The `padding_idx`, counted from the start. Raises as :func:`embedding` does."""
    dtype = getattr(input, "dtype", None)
    if dtype is None or numpy_dtype(dtype).kind not in "iu":
        raise DTypeError(
            f"{name}: the input is {type(input).__name__ if dtype is None else dtype}, expected an array of integers, the "
            "numbers of rows of the weight"
        )
    shape = tuple(getattr(weight, "shape", ()))
    if len(shape) != 2:
        raise ShapeError(f"{name}: got weight {shape}, expected (num_embeddings, embedding_dim)")
    check_sparse(name, sparse)
    padding_idx = check_padding(name, padding_idx, shape[0])
    numbers = raw(input)
    if checkable(numbers) and 0 not in numbers.shape and not (min(numbers) >= 0 and max(numbers) < shape[0]):
        wrong = int(numbers[logical_or(numbers < 0, numbers >= shape[0])][0])
        raise IndexingError(
            f"{name}: index {wrong} is out of bounds for the {shape[0]} rows of weight, expected 0 to {shape[0] - 1}"
        )
    return padding_idx


def check_sparse(name: str, sparse: bool) -> None:
    """Raise OptionError if gradients are to be sparse."""
    if sparse:
        raise OptionError(f"{name}: sparse=True asks for gradients that list rows; gradients are dense here, leave it out")


def check_padding(name: str, padding_idx: Any, count: int) -> int | None:
    """The number of the row, counted from the start, or None. Raises DTypeError or IndexingError if there is no such row."""
    if padding_idx is None:
        return None
    if not hasattr(padding_idx, "__index__"):
        raise DTypeError(f"{name}: padding_idx is {padding_idx!r}, expected the number of a row, or None")
    if not -count <= padding_idx < count:
        raise IndexingError(f"{name}: padding_idx is {padding_idx}, expected the number of one of the {count} rows of weight")
    return int(padding_idx % count)


def renormalize(input: Any, weight: Any, max_norm: float, norm_type: float) -> None:
    """Scale the rows of `weight` that are looked up to the norm `max_norm`, in place, if they have a larger one."""
    with no_grad():
        found = wide(rows(weight, input))
        norms = vector_norm(found, axis=-1, keepdims=True, ord=norm_type)
        scaled = found * where(norms > max_norm, max_norm / (norms + 1e-7), 1.0)
        weight[...] = put(weight, narrow(scaled, weight), (raw(input),))
