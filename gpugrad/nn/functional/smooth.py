"""Smooth activation functions and shrinkage: softplus, logsigmoid, mish, softsign, glu, tanhshrink, softshrink, hardshrink."""

from __future__ import annotations

from typing import Any

from gpugrad.derived import derived
from gpugrad.errors import OptionError, ShapeError
from gpugrad.families import A, composite, explained
from gpugrad.nn.functional.pointwise import pointwise
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.nn.functional.sigmoid import sigmoid
from gpugrad.nn.functional.softmax import floating
from gpugrad.ops.elementwise import abs, exp, log1p, maximum, minimum, tanh, where
from gpugrad.ops.shape import normalize_axis


def _softplus_of(x: Any, beta: float, threshold: float) -> Any:
    z = x * beta
    return where(z > threshold, x, (maximum(z, 0) + log1p(exp(-abs(z)))) / beta)


def _tanh_softplus(x: Any) -> Any:
    # ((1 + exp(x)) ** 2 - 1) / ((1 + exp(x)) ** 2 + 1) in terms of exp(-abs(x)), which does not overflow.
    small = exp(-abs(x))
    n = where(x < 0, small * (small + 2), 1 + 2 * small)
    return n / (n + where(x < 0, 2, 2 * small * small))


def _mish_rule(g: Any, x: Any) -> Any:
    t = _tanh_softplus(x)
    return g * (t + x * ((1 - t * t) * sigmoid(x)))


def _softsign_rule(g: Any, x: Any) -> Any:
    d = 1 + abs(x)
    return g / (d * d)


def _tanhshrink_rule(g: Any, x: Any) -> Any:
    t = tanh(x)
    return g * (t * t)


_softplus = pointwise(
    "threshold_softplus",
    _softplus_of,
    lambda g, x, beta, threshold: where(x * beta > threshold, g, g * sigmoid(x * beta)),
)
_logsigmoid = pointwise("logsigmoid", lambda x: minimum(x, 0) - log1p(exp(-abs(x))), lambda g, x: g * sigmoid(-x))
_mish = pointwise("mish", lambda x: x * _tanh_softplus(x), _mish_rule)
_softsign = pointwise("softsign", lambda x: x / (1 + abs(x)), _softsign_rule)
_tanhshrink = pointwise("tanhshrink", lambda x: x - tanh(x), _tanhshrink_rule)
_softshrink = pointwise(
    "softshrink",
    lambda x, lambd: where(x > lambd, x - lambd, where(x < -lambd, x + lambd, 0 * x)),  # nan * 0 is nan
    lambda g, x, lambd: where(abs(x) <= lambd, 0, g),
)
_hardshrink = pointwise(
    "hardshrink",
    lambda x, lambd: where(abs(x) <= lambd, 0, x),
    lambda g, x, lambd: where(abs(x) <= lambd, 0, g),
)


@explained  # and not registered: the softplus of gpugrad.special is
def softplus(input: A, beta: float = 1.0, threshold: float = 20.0) -> A:
    """log(1 + exp(beta * x)) / beta, elementwise, without overflow; x itself where beta * x > `threshold`, as in PyTorch.

    Shapes: any, and the result has the same. Dtypes: real floating; 16 bits are computed with in float32.
    Raises OptionError for beta = 0, DTypeError for another dtype.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softplus.html
    """
    check_beta(beta)
    out: A = _softplus(floating(input, None, "softplus"), beta, threshold)
    return out


def check_beta(beta: float) -> None:
    """Raise OptionError if it is 0."""
    if beta == 0:
        raise OptionError("softplus: beta is 0, expected another number, since the result is divided by it")


@composite
def logsigmoid(input: A) -> A:
    """log(1 / (1 + exp(-x))), elementwise, accurate in both tails.

    Shapes: any, and the result has the same. Dtypes: real floating; 16 bits are computed with in float32.
    Raises DTypeError for another dtype.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.logsigmoid.html
    """
    out: A = _logsigmoid(input)
    return out


@composite
def mish(input: A, inplace: bool = False) -> A:
    """x * tanh(softplus(x)), elementwise, without overflow and accurate in both tails.

    Shapes: any, and the result has the same. Dtypes: real floating; 16 bits are computed with in float32.
    Raises DTypeError for another dtype.
    Source: D. Misra, "Mish: a self regularized non-monotonic activation function", BMVC 2020.
    """
    out: A = _mish(input)
    return out


@composite
def softsign(input: A) -> A:
    """x / (1 + abs(x)), elementwise.

    Shapes: any, and the result has the same. Dtypes: real floating. Raises DTypeError for another dtype.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softsign.html
    """
    out: A = _softsign(input)
    return out


@composite
def tanhshrink(input: A) -> A:
    """x - tanh(x), elementwise.

    Shapes: any, and the result has the same. Dtypes: real floating. Raises DTypeError for another dtype.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.tanhshrink.html
    """
    out: A = _tanhshrink(input)
    return out


@composite
def softshrink(input: A, lambd: float = 0.5) -> A:
    """x moved towards 0 by `lambd`, and 0 where abs(x) <= lambd, elementwise.

    Shapes: any, and the result has the same. Dtypes: real floating. Raises OptionError for a negative `lambd`, DTypeError for
    another dtype. Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softshrink.html
    """
    check_lambd(lambd)
    out: A = _softshrink(input, lambd)
    return out


def check_lambd(lambd: float) -> None:
    """Raise OptionError if it is negative."""
    if not lambd >= 0:
        raise OptionError(f"softshrink: lambd is {lambd}, expected 0 or more")


@composite
def hardshrink(input: A, lambd: float = 0.5) -> A:
    """x, and 0 where abs(x) <= lambd, elementwise.

    Shapes: any, and the result has the same. Dtypes: real floating. Raises DTypeError for another dtype.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.hardshrink.html
    """
    out: A = _hardshrink(input, lambd)
    return out


@derived
def _glu(x: Any, *, dim: int) -> Any:
    half = x.shape[dim] // 2
    before = (slice(None),) * dim
    a, b = (wide(x[(*before, part, ...)]) for part in (slice(None, half), slice(half, None)))
    return narrow(a * sigmoid(b), x)


@composite
def glu(input: A, dim: int = -1) -> A:
    """The gated linear unit a * sigmoid(b), where a and b are the first and the second half of x along `dim`.

    Shapes: input any with an even number of elements along `dim`, of which the result has half. Dtypes: real floating.
    Raises ShapeError for an odd number or an axis out of range, DTypeError for another dtype.
    Source: Y. Dauphin et al., "Language modeling with gated convolutional networks", ICML 2017.
    """
    x = floating(input, None, "glu")
    shape = tuple(x.shape)
    axis = normalize_axis(dim, len(shape), "glu")
    if shape[axis] % 2:
        raise ShapeError(f"glu: input {shape}, expected an even number of elements along axis {dim}, which is cut into halves")
    out: A = _glu(x, dim=axis)
    return out
