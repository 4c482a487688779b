"""relu: max(x, 0)."""

from __future__ import annotations

from typing import Any

from gpugrad.families import A, fused, registered
from gpugrad.ops.elementwise import maximum, where


@fused(
    elementwise=True, gradient=lambda h, y: _relu_gradient(h, y), y=None
)  # linear in `gradient`; where y is positive does not vary with y
def _relu_gradient(gradient: Any, y: Any, /) -> Any:
    return where(y > 0, gradient, 0)


@fused(elementwise=True, input=lambda g, out: _relu_gradient(g, out))
def _relu(input: Any, /) -> Any:
    if getattr(getattr(input, "dtype", None), "kind", "") == "c":
        raise TypeError("complex numbers have no order, expected a real dtype")  # CuPy's maximum would take them as pairs
    return maximum(input, 0)


@registered
def relu(input: A, inplace: bool = False) -> A:
    """max(x, 0), elementwise. At 0 the gradient is 0, as in PyTorch; nan propagates.

    Shapes and dtypes: any real, and the result has the same. Keeps its result for the backward pass, not its operand.
    Raises DTypeError for a dtype without an order.
    Source: V. Nair and G. Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010.
    """
    out: A = _relu(input)
    return out
