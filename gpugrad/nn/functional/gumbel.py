"""gumbel_softmax: samples of a categorical variable, through which a gradient passes."""

from __future__ import annotations

from typing import Any

from gpugrad.differentiate import stop_gradient
from gpugrad.errors import OptionError
from gpugrad.families import A, composite
from gpugrad.nn.functional.labels import hot
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.nn.functional.rectifiers import uniform_like
from gpugrad.nn.functional.softmax import floating, softmax
from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import log, maximum
from gpugrad.ops.searching import argmax
from gpugrad.ops.shape import moveaxis
from gpugrad.tape import raw

_LEAST = 2.0**-25
"""Of a uniform number, whose logarithm is taken."""


@composite
def gumbel_softmax(logits: A, tau: float = 1.0, hard: bool = False, dim: int = -1) -> A:
    """softmax((logits + g) / tau) along `dim`, where g are Gumbel-distributed random numbers.

    With `hard` the result is the one-hot vector of its largest element, and its gradient that of the soft one (straight-through).
    PyTorch's `eps`, which does nothing, is left out. Draws from gpugrad's default random generator, the same numbers on every
    device; not inside ``gg.fuse``. Shapes: any, and the result has the same. Dtypes: real floating; 16 bits are computed with in
    float32.
    Raises OptionError unless `tau` is positive, AxisError for an axis out of range, DTypeError for another dtype.
    Source: E. Jang et al., "Categorical reparameterization with Gumbel-softmax", ICLR 2017.
    """
    if not tau > 0:
        raise OptionError(f"gumbel_softmax: tau is {tau}, expected a positive number")
    x: Any = wide(floating(logits, None, "gumbel_softmax"))  # of 16 bits some numbers below 1 would round to it
    gumbels = -log(-log(maximum(uniform_like(x, 0.0, 1.0), _LEAST)))
    out: Any = narrow(softmax((x + gumbels) / tau, dim), logits)
    if hard:
        chosen = hot(argmax(raw(out), axis=dim), out.shape[dim])
        out = out - stop_gradient(out) + astype(moveaxis(chosen, -1, dim), out.dtype)
    return out
