"""What the rules of the decompositions share: gaps between eigenvalues, and division by them."""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace

from gpugrad.errors import GraphError
from gpugrad.families import primitive
from gpugrad.modes import RECORD, flags
from gpugrad.ops.elementwise import not_equal
from gpugrad.ops.linalg.matrices import eye_like
from gpugrad.ops.reduction import any as any_of
from gpugrad.ops.shape import expand_dims, tril, triu
from gpugrad.tape import Tensor, raw


def is_recorded(x: Any) -> bool:
    """Whether an op of x will be recorded: then values alone, which have no rule of their own, do not suffice."""
    return isinstance(x, Tensor) and x.node is not None and bool(flags() & RECORD)


def gaps(w: Any) -> Any:
    """The differences of the elements of vectors: ``out[..., i, j] = w[..., j] - w[..., i]``."""
    return expand_dims(w, -2) - expand_dims(w, -1)


def _quotient_y(g: Any, y: Any, out: Any) -> Any:
    return -quotient(g * out, y)


@primitive(elementwise=True, x=lambda g, y: quotient(g, y), y=_quotient_y)
def quotient(x: Any, y: Any, /) -> Any:
    """x / y, but 0 where x is 0, whatever y is.

    For a coefficient x of a perturbation that mixes two eigenvectors, and the gap y between their eigenvalues: what is not
    asked for is not divided by a gap of zero, and what is asked for then does not exist and is inf or nan.
    """
    xp = array_namespace(x, y)
    absent = x == 0
    return xp.where(absent, x, x / xp.where(absent, 1, y))


def off_diagonal_quotient(x: Any, y: Any) -> Any:
    """:func:`quotient` of square matrices off their diagonals, and 0 on them, where no derivative divides by y either."""
    return quotient(tril(x, k=-1) + triu(x, k=1), y + eye_like(y, y.shape[-1]))


def determined(g: Any, count: int, op: str, result: str) -> Any:
    """The gradient of the first `count` columns of an orthogonal matrix, the others being any basis of what these leave.

    Raises GraphError if the gradient of those others is not zero. That must look at it, for which a GPU is waited for.
    """
    if bool(any_of(not_equal(raw(g)[..., count:], 0))):
        raise GraphError(
            f"{op}: {result} beyond the first {count} are any basis of what those leave, so they have no derivative; "
            "use the first alone"
        )
    return g[..., :count]
