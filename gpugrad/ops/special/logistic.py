"""The logistic function, its inverse, its logarithm and its integral."""

from __future__ import annotations

from typing import Any

from gpugrad.families import A, composite
from gpugrad.ops.special.family import inexact, special

# Not out * (1 - out): 1 - out is 0 from x = 37 on.
expit = special("expit", "1 / (1 + exp(-x)), the logistic function", x=lambda g, x, out: g * out * expit(-x))
logit = special("logit", "log(x / (1 - x)), the inverse of expit", x=lambda g, x: g / (x * (1 - x)))
log_expit = special("log_expit", "log(expit(x)), without overflow", x=lambda g, x: g * expit(-x))


@composite
def softplus(x: A, /) -> A:
    """log(1 + exp(x)), elementwise, without overflow and accurate for negative x: the integral of expit.

    Shapes: any, and the result has the same. Dtypes: real floating; integers are taken as float64, as SciPy does.
    Differentiable. Raises DTypeError for a dtype that it does not take.
    Source: https://docs.scipy.org/doc/scipy/reference/generated/scipy.special.softplus.html
    """
    number: Any = inexact(x)  # for booleans have no negative, and that of the least int8 is itself
    out: A = -log_expit(-number)
    return out
