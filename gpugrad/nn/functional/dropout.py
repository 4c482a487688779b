"""dropout and its relatives: zero some elements, or whole channels, at random, and scale up the others."""

from __future__ import annotations

import math
from typing import Any

import numpy

from gpugrad import random
from gpugrad.errors import ConversionError, OptionError, ShapeError
from gpugrad.families import A, composite, fused
from gpugrad.nn.functional.softmax import floating
from gpugrad.ops.creation import ones_like
from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import add, multiply
from gpugrad.ops.random_bits import bernoulli_mask, bernoulli_threshold, random_state
from gpugrad.tape import Tensor, raw


# Linear: the rule is the op again, with the mask computed again. The backward pass needs the state, 48 bytes, and no array.
@fused(elementwise=True, x=lambda g, state, threshold, width, scale: _dropout(g, state, threshold, width, scale))
def _dropout(x: Any, state: Any, threshold: float, width: int, scale: float, /) -> Any:
    # The cast is for bfloat16, which a Python float widens.
    return astype(x * astype(bernoulli_mask(x, state, threshold, width), x.dtype) * scale, x.dtype, copy=False)


# A dropped x becomes _SATURATED, which is -alpha * scale of SELU, and all is made affine so that mean and variance stay.
_SATURATED = -1.7580993408473766


# Its derivative is the mask times the scale: that of dropout.
@fused(elementwise=True, x=lambda g, state, threshold, width, scale: _dropout(g, state, threshold, width, scale))
def _alpha_dropout(x: Any, state: Any, threshold: float, width: int, scale: float, shift: float, /) -> Any:
    kept = astype(bernoulli_mask(x, state, threshold, width), x.dtype)
    return astype((x * kept + (1 - kept) * _SATURATED) * scale + shift, x.dtype, copy=False)


@composite
def dropout(input: A, p: float = 0.5, training: bool = True, inplace: bool = False) -> A:
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


@composite
def dropout1d(input: A, p: float = 0.5, training: bool = True, inplace: bool = False) -> A:
    """Whole channels are 0 with probability `p`, all else is x / (1 - p). x itself unless `training`.

    Shapes: input (N, C, L) or (C, L), and the result has the same. All else as :func:`dropout`.
    Raises ShapeError for another number of axes. Source: J. Tompson et al., "Efficient object localization using convolutional
    networks", CVPR 2015.
    """
    return _dropped_channels(input, p, training, "dropout1d", {3: 2, 2: 1})


@composite
def dropout2d(input: A, p: float = 0.5, training: bool = True, inplace: bool = False) -> A:
    """Whole channels are 0 with probability `p`, all else is x / (1 - p). x itself unless `training`.

    Shapes: input (N, C, H, W), or (N, C, L) as in PyTorch, and the result has the same. All else as :func:`dropout`.
    Raises ShapeError for another number of axes. Source: see :func:`dropout1d`.
    """
    return _dropped_channels(input, p, training, "dropout2d", {4: 2, 3: 2})


@composite
def dropout3d(input: A, p: float = 0.5, training: bool = True, inplace: bool = False) -> A:
    """Whole channels are 0 with probability `p`, all else is x / (1 - p). x itself unless `training`.

    Shapes: input (N, C, D, H, W) or (C, D, H, W), and the result has the same. All else as :func:`dropout`.
    Raises ShapeError for another number of axes. Source: see :func:`dropout1d`.
    """
    return _dropped_channels(input, p, training, "dropout3d", {5: 2, 4: 1})


@composite
def alpha_dropout(input: A, p: float = 0.5, training: bool = False, inplace: bool = False) -> A:
    """Each element is what SELU gives for -inf, with probability `p`; then all are scaled and shifted.

    Numbers of mean 0 and variance 1 keep both: ``a * x + b`` where x stays, ``a * -1.7581 + b`` where it is dropped, with
    ``a = 1 / sqrt((1 - p) * (1 + 1.7581 ** 2 * p))`` and ``b = 1.7581 * a * p``. x itself unless `training`; all 0 for p = 1, as in
    PyTorch. Shapes, dtypes, random numbers and errors as :func:`dropout`.
    Source: G. Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017.
    """
    check_probability(p, "alpha_dropout")
    if not training or p == 0:
        return input
    found = drawn(raw(input), p)
    if found is None:
        return input
    state, threshold, width, _ = found
    scale, shift = _affine(p)
    out: A = _alpha_dropout(input, state, threshold, width, scale, shift)
    return out


@composite
def feature_alpha_dropout(input: A, p: float = 0.5, training: bool = False, inplace: bool = False) -> A:
    """:func:`alpha_dropout` of whole channels.

    Shapes: input (N, C, ...), and the result has the same. Raises ShapeError for fewer than two axes.
    """
    check_probability(p, "feature_alpha_dropout")
    shape = tuple(input.shape)  # type: ignore[attr-defined]
    if len(shape) < 2:
        raise ShapeError(f"feature_alpha_dropout: input {shape}, expected (N, C, ...)")
    if not training or p == 0:
        return input
    scale, shift = _affine(p)
    kept = dropout(_one_per_channel(input, 2), p) * (1 - p)
    # The casts are for bfloat16, which a Python float widens.
    factor, term = (astype(x, raw(input).dtype) for x in (kept * scale, (1 - kept) * (_SATURATED * scale) + shift))
    out: A = add(multiply(input, factor), term)
    return out


def _affine(p: float) -> tuple[float, float]:
    """Scale and shift of alpha_dropout."""
    if p == 1:
        return 0.0, 0.0
    scale = 1 / math.sqrt((1 - p) * (1 + _SATURATED**2 * p))
    return scale, -_SATURATED * scale * p


def _dropped_channels(input: A, p: float, training: bool, name: str, axes: dict[int, int]) -> A:
    """`axes`: how many axes count the channels, by the number of axes of the input."""
    check_probability(p, name)
    shape = tuple(input.shape)  # type: ignore[attr-defined]
    if len(shape) not in axes:
        raise ShapeError(f"{name}: input {shape}, expected {' or '.join(map(str, axes))} axes")
    if not training or p == 0:
        return input
    out: A = multiply(input, dropout(_one_per_channel(input, axes[len(shape)]), p))
    return out


def _one_per_channel(input: Any, axes: int) -> Any:
    """Ones in the shape of the input, which is to be floating, with 1 for all axes but the first `axes`."""
    array = raw(floating(input, None, "dropout"))
    return ones_like(array[(*(slice(None),) * axes, *(slice(1),) * (len(array.shape) - axes))])


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


def check_probability(p: float, name: str = "dropout") -> None:
    """Raise OptionError unless p is in [0, 1], ConversionError if it records: nothing has a gradient with respect to it."""
    if isinstance(p, Tensor) and p.node is not None:
        raise ConversionError(f"{name}: p records, and its gradient would be lost; use p.detach() to keep it constant")
    if not 0 <= p <= 1:
        raise OptionError(f"{name}: p is {p}, expected a probability from 0 to 1")
