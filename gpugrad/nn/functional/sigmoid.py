"""sigmoid: 1 / (1 + exp(-x))."""

from __future__ import annotations

from typing import Any

from gpugrad.families import A, fused
from gpugrad.ops.elementwise import abs, exp, where


def _sigmoid_rule(g: Any, out: Any) -> Any:
    return g * (out * (1 - out))


@fused(elementwise=True, input=_sigmoid_rule)
def sigmoid(input: A) -> A:
    """1 / (1 + exp(-x)), elementwise, without overflow and accurate in both tails.

    Shapes: any. Dtypes: real floating; integers become the default floating dtype of their backend.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.sigmoid.html
    """
    small: Any = exp(-abs(input))  # type: ignore[operator]  # exp(-x) itself would overflow for very negative x
    out: A = where(input >= 0, 1.0, small) / (1 + small)  # type: ignore[operator]
    return out
