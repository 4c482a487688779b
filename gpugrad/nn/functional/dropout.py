"""dropout: zero some elements at random, scale up the others."""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace

from gpugrad import random
from gpugrad.arrays.devices import Device, device_of
from gpugrad.families import A, composite, fused
from gpugrad.ops.dtypes import astype
from gpugrad.tape import raw


@fused(elementwise=True, x=lambda g, mask, scale: _dropout(g, mask, scale), mask=None)  # linear: the rule is the op again
def _dropout(x: Any, mask: Any, /, scale: float) -> Any:
    # The mask is kept for the backward pass as booleans, a quarter of the memory of what it multiplies.
    return x * astype(mask, x.dtype) * scale


def _mask(array: Any, p: float) -> Any:
    """Booleans in the shape and on the device of a raw array, each True with probability 1 - p."""
    device = device_of(array)
    shape = tuple(array.shape)
    if isinstance(device, Device):
        return random.bernoulli(shape, 1 - p, device=device).array
    # Another library's array: draw on the CPU, the same numbers, and hand them over.
    return array_namespace(array).asarray(random.bernoulli(shape, 1 - p, device="cpu").array, device=device)


@composite
def dropout(input: A, p: float = 0.5, training: bool = True) -> A:
    """Each element is 0 with probability `p`, else x / (1 - p), so that its mean stays x. x itself unless `training`.

    Shapes and dtypes: any floating, and the result has the same. Draws from gpugrad's default random generator on the device
    of x: ``gg.manual_seed`` repeats it, and inside ``gg.checkpoint`` the same elements are dropped when it is computed again.
    Raises ValueError for p outside [0, 1].
    Source: N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15, 2014.
    """
    check_probability(p)
    if not training or p == 0:
        return input
    # p = 1 drops everything: the scale then multiplies zeros only, and any finite number will do.
    out: A = _dropout(input, _mask(raw(input), p), 1 / (1 - p) if p < 1 else 0.0)
    return out


def check_probability(p: float) -> None:
    """Raise ValueError unless p is in [0, 1]."""
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p is {p}, expected a probability from 0 to 1")
