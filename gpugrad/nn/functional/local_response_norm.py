"""local_response_norm and normalize: numbers divided by the size of their neighbours in other channels, or of their vector."""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

from gpugrad.arrays.windows import as_sizes
from gpugrad.derived import derived
from gpugrad.errors import OptionError
from gpugrad.families import A, composite, fused
from gpugrad.linalg import vector_norm
from gpugrad.nn.functional.linear import check_input
from gpugrad.nn.functional.normalization import check_channels, check_eps
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.nn.functional.softmax import floating
from gpugrad.ops.creation import raw_full
from gpugrad.ops.elementwise import exp, log, maximum, square
from gpugrad.ops.shape import concat, reshape
from gpugrad.tape import raw


# Linear: of the transpose, what came after an element comes before it.
@fused(compiles=False, x=lambda g, before, after: _neighbour_sum(g, after, before))
def _neighbour_sum(x: Any, /, before: int, after: int) -> Any:
    """(N, C, elements): each the sum of itself and so many before and after it along the channels."""
    n, channels, elements = x.shape
    ends = (raw_full(raw(x), (n, count, elements), 0, x.dtype) for count in (before, after))
    padded = concat([next(ends), x, *ends], axis=1)
    return functools.reduce(operator.add, (padded[:, i : i + channels, :] for i in range(before + 1 + after)))


@derived
def _local_response_norm(input: Any, size: int, alpha: float, beta: float, k: float) -> Any:
    x = wide(input)
    total = _neighbour_sum(square(x), size // 2, (size - 1) // 2)
    return narrow(x * exp(-beta * log(total * (alpha / size) + k)), input)  # a power of positive numbers


@composite
def local_response_norm(input: A, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> A:
    """x / (k + alpha / size * sum(x ** 2)) ** beta, the sum over `size` channels around that of x, as many as there are.

    They are the size // 2 before it, itself, and the (size - 1) // 2 after it.
    Shapes: input (N, C, ...) with 3 axes or more, and the result has the same. Dtypes: real floating; 16 bits are computed with
    in float32. Raises ShapeError for fewer axes or a size below 1, DTypeError for other dtypes.
    Source: A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet classification with deep convolutional neural networks", NIPS 2012.
    """
    (size,) = as_sizes("local_response_norm", "size", size, 1, 1)
    shape = check_channels("local_response_norm", input, 3)
    flat = reshape(input, (*shape[:2], math.prod(shape[2:])))
    out: A = reshape(_local_response_norm(flat, size, float(alpha), float(beta), float(k)), shape)
    return out


@composite
def normalize(input: A, p: float = 2.0, dim: int | tuple[int, ...] = 1, eps: float = 1e-12) -> A:
    """x / max(norm(x), eps), with the `p`-norm of the vectors along `dim`, each of which then has length 1.

    Shapes: any, and the result has the same. Dtypes: real floating; 16 bits are computed with in float32.
    Raises ShapeError for a `dim` out of range, DTypeError for other dtypes, OptionError for `eps` of 0 or less and `p` below 0.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.normalize.html
    """
    check_input(input, "normalize")
    check_eps("normalize", eps, "vectors of zeros")
    if not p >= 0:
        raise OptionError(f"normalize: p is {p}, expected a norm's order, 0 or more")
    x = wide(floating(input, None, "normalize"))
    out: A = narrow(x / maximum(vector_norm(x, axis=dim, keepdims=True, ord=p), eps), input)
    return out
