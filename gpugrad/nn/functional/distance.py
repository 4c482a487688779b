"""Distances and similarities of vectors: cosine_similarity, pairwise_distance."""

from __future__ import annotations

from typing import Any

from gpugrad.errors import ShapeError
from gpugrad.families import composite
from gpugrad.nn.functional.normalization import check_eps
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.nn.functional.reduction import together
from gpugrad.nn.functional.softmax import floating
from gpugrad.ops.elementwise import maximum
from gpugrad.ops.linalg.norms import vector_norm
from gpugrad.ops.reduction import sum
from gpugrad.ops.shape import broadcast_arrays, normalize_axis


def _pair(x1: Any, x2: Any, name: str) -> tuple[Any, Any]:
    """The operands broadcast against each other."""
    x1, x2 = together(floating(x1, None, name), floating(x2, None, name))
    if tuple(x1.shape) == tuple(x2.shape):
        return x1, x2
    try:
        x1, x2 = broadcast_arrays(x1, x2)
    except ValueError:
        raise ShapeError(f"{name}: got x1 {tuple(x1.shape)} and x2 {tuple(x2.shape)}, which do not broadcast") from None
    return x1, x2


@composite
def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    """sum(x1 * x2) / (max(norm(x1), eps) * max(norm(x2), eps)) along `dim`.

    Shapes: x1 and x2 broadcast; the result is without `dim`. Dtypes: real floating; 16 bits are computed with in float32.
    Raises ShapeError if they do not broadcast, AxisError for an axis out of range, DTypeError for another dtype,
    OptionError for `eps` of 0 or less.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.cosine_similarity.html
    """
    check_eps("cosine_similarity", eps, "vectors of zeros")
    a, b = _pair(x1, x2, "cosine_similarity")
    axis = normalize_axis(dim, len(a.shape), "cosine_similarity")
    units = [x / maximum(vector_norm(x, axis=axis, keepdims=True), eps) for x in (wide(a), wide(b))]
    return narrow(sum(units[0] * units[1], axis=axis), a)


@composite
def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    """The norm of order `p` of x1 - x2 + eps along the last axis, which stays with one element if `keepdim`.

    Shapes: x1 and x2 (..., D) broadcast; the result is (...). Dtypes: real floating; 16 bits are computed with in float32.
    Raises ShapeError if they do not broadcast or have no axis, DTypeError for another dtype.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pairwise_distance.html
    """
    a, b = _pair(x1, x2, "pairwise_distance")
    if not a.shape:
        raise ShapeError("pairwise_distance: got two arrays of shape (), expected (..., D)")
    return narrow(vector_norm(wide(a) - wide(b) + eps, axis=-1, keepdims=keepdim, ord=p), a)
