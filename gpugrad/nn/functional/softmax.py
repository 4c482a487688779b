"""softmax, softmin and log_softmax."""

from __future__ import annotations

from typing import Any

from gpugrad.arrays.dtypes import DTypeLike, numpy_dtype
from gpugrad.errors import DTypeError
from gpugrad.families import A, composite, fused
from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import exp, log
from gpugrad.ops.reduction import max, sum
from gpugrad.tape import raw


def softmax_vjp(g: Any, out: Any, dim: int) -> Any:
    """The gradient of x for out = softmax(x): out * (g - sum(out * g))."""
    weighted = g * out
    return weighted - out * sum(weighted, axis=dim, keepdims=True)


def log_softmax_vjp(g: Any, out: Any, dim: int) -> Any:
    """The gradient of x for out = log_softmax(x): g - softmax(x) * sum(g)."""
    return g - exp(out) * sum(g, axis=dim, keepdims=True)


@fused(x=softmax_vjp)
def _softmax(x: Any, /, dim: int) -> Any:
    e = exp(x - max(x, axis=dim, keepdims=True))
    return e * (1 / sum(e, axis=dim, keepdims=True))  # the sum is at least 1: one division for each row


@fused(x=log_softmax_vjp)
def _log_softmax(x: Any, /, dim: int) -> Any:
    z = x - max(x, axis=dim, keepdims=True)
    return z - log(sum(exp(z), axis=dim, keepdims=True))


@composite
def softmax(input: A, dim: int, *, dtype: DTypeLike | None = None) -> A:
    """exp(x) / sum(exp(x)) along `dim`; the largest element is subtracted first, so nothing overflows.

    Shapes: any, and the result has the same. Dtypes: floating; cast to `dtype` first if one is given. PyTorch guesses `dim`
    where it is left out, and advises against it; here it must be named.
    Raises ShapeError if `dim` is out of range or has no elements, DTypeError for integers without `dtype`.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softmax.html
    """
    out: A = _softmax(floating(input, dtype, "softmax"), dim)
    return out


@composite
def log_softmax(input: A, dim: int, *, dtype: DTypeLike | None = None) -> A:
    """log(softmax(x)) along `dim` as x - log(sum(exp(x))), which is accurate where softmax is nearly 0 or 1.

    Shapes: any, and the result has the same. Dtypes: floating; cast to `dtype` first if one is given.
    Raises ShapeError if `dim` is out of range or has no elements, DTypeError for integers without `dtype`.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.log_softmax.html
    """
    out: A = _log_softmax(floating(input, dtype, "log_softmax"), dim)
    return out


@composite
def softmin(input: A, dim: int, *, dtype: DTypeLike | None = None) -> A:
    """softmax(-x) along `dim`: the smallest elements have the largest shares.

    Shapes, dtypes and errors as :func:`softmax`.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softmin.html
    """
    out: A = _softmax(-floating(input, dtype, "softmin"), dim)
    return out


def floating(x: Any, dtype: DTypeLike | None, name: str) -> Any:
    """x, cast to `dtype` if one is given. Raises DTypeError unless it is then real floating-point."""
    if dtype is not None:
        x = astype(x, dtype, copy=False)
    if numpy_dtype(raw(x).dtype).kind in "biuc":
        raise DTypeError(f"{name}: got dtype {x.dtype}, expected real floating-point; convert it with .astype(gg.float32)")
    return x
