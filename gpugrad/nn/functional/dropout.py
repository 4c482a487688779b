"""dropout: zero some elements at random, scale up the others."""

from __future__ import annotations

from typing import Any

import numpy

from gpugrad import random
from gpugrad.errors import ConversionError, OptionError
from gpugrad.families import A, composite, fused
from gpugrad.ops.dtypes import astype
from gpugrad.ops.random_bits import bernoulli_mask, bernoulli_threshold, random_state
from gpugrad.tape import Tensor, raw


# Linear: the rule is the op again, with the mask computed again. The backward pass needs the state, 48 bytes, and no array.
@fused(elementwise=True, x=lambda g, state, threshold, width, scale: _dropout(g, state, threshold, width, scale))
def _dropout(x: Any, state: Any, threshold: float, width: int, scale: float, /) -> Any:
    # The cast is for bfloat16, which a Python float widens.
    return astype(x * astype(bernoulli_mask(x, state, threshold, width), x.dtype) * scale, x.dtype, copy=False)


@composite
def dropout(input: A, p: float = 0.5, training: bool = True) -> A:
    """Each element is 0 with probability `p`, else x / (1 - p), so that its mean stays x. x itself unless `training`.

    Shapes and dtypes: any floating, and the result has the same. Draws from gpugrad's default random generator on the device
    of x, the numbers of ``gg.random.bernoulli(x.shape, 1 - p)``: ``gg.manual_seed`` repeats it, and inside ``gg.checkpoint`` the
    same elements are dropped when it is computed again. What was dropped is not kept for the backward pass but computed again.
    Inside ``gg.fuse`` every call draws anew. Raises OptionError for p outside [0, 1].
    Source: N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15, 2014.
    """
    check_probability(p)
    if not training or p == 0:
        return input
    found = drawn(raw(input), p)
    if found is None:
        return input
    out: A = _dropout(input, *found)
    return out


def drawn(like: Any, p: Any) -> tuple[Any, Any, int, Any] | None:
    """What drops elements of an array like this one with probability p, not 0: state, threshold, width and scale of the op dropout.

    Drawn from the default generator; None, after drawing as ever, for a p too small for 1 - p.
    """
    keep: Any = 1 - raw(p)
    if isinstance(keep, (int, numpy.generic, numpy.ndarray)):
        keep = float(keep)
    threshold, width = bernoulli_threshold(keep) if keep < 1 else (0.0, 64)
    state = random_state(like, random.default_generator.take, width)
    if keep == 1:
        return None
    # p = 1 drops everything: the scale then multiplies zeros only, and any finite number will do.
    return state, threshold, width, 1 / keep if keep > 0 else 0.0


def check_probability(p: float) -> None:
    """Raise OptionError unless p is in [0, 1], ConversionError if it records: nothing has a gradient with respect to it."""
    if isinstance(p, Tensor) and p.node is not None:
        raise ConversionError("dropout: p records, and its gradient would be lost; use p.detach() to keep it constant")
    if not 0 <= p <= 1:
        raise OptionError(f"dropout: p is {p}, expected a probability from 0 to 1")
