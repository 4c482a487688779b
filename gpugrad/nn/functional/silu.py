"""silu: x * sigmoid(x), also called swish."""

from __future__ import annotations

from typing import Any

from gpugrad.families import A, composite, fused
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.nn.functional.sigmoid import sigmoid
from gpugrad.nn.functional.softmax import floating


def _silu_rule(g: Any, x: Any) -> Any:
    x_wide = wide(x)
    p = sigmoid(x_wide)
    return narrow(wide(g) * (p + x_wide * (p * (1 - p))), x)


@fused(elementwise=True, x=_silu_rule)
def _silu(x: Any, /) -> Any:
    x_wide = wide(x)
    return narrow(x_wide * sigmoid(x_wide), x)


@composite
def silu(input: A) -> A:
    """x / (1 + exp(-x)), elementwise, without overflow. Also called swish.

    Shapes: any, and the result has the same. Dtypes: real floating; 16 bits are computed with in float32.
    Raises DTypeError for another dtype.
    Source: S. Elfwing et al., "Sigmoid-weighted linear units for neural network function approximation", 2017.
    """
    out: A = _silu(floating(input, None, "silu"))
    return out
