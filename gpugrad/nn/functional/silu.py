"""silu: x * sigmoid(x), also called swish."""

from __future__ import annotations

from typing import Any

from gpugrad.families import A, composite
from gpugrad.nn.functional.pointwise import pointwise
from gpugrad.nn.functional.sigmoid import sigmoid


def _silu_rule(g: Any, x: Any) -> Any:
    p = sigmoid(x)
    return g * (p + x * (p * (1 - p)))


_silu = pointwise("silu", lambda x: x * sigmoid(x), _silu_rule)


@composite
def silu(input: A, inplace: bool = False) -> A:
    """x / (1 + exp(-x)), elementwise, without overflow. Also called swish.

    Shapes: any, and the result has the same. Dtypes: real floating; 16 bits are computed with in float32.
    Raises DTypeError for another dtype.
    Source: S. Elfwing et al., "Sigmoid-weighted linear units for neural network function approximation", 2017.
    """
    out: A = _silu(input)
    return out
