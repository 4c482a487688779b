"""Masked branches: a gradient that is zero because a branch was not taken stays zero.

In ``where(x > 0, sqrt(x), 0)`` no gradient flows to the branch that was not taken. Multiplied by the derivative of sqrt, which
is infinite at 0, that zero would become nan, as it does in other libraries. So the sweep remembers where a gradient is live:
``where`` starts such a mask, ``x[key] = value`` starts one for the elements of x that it replaces, and it travels with the gradient through

- elementwise ops, where what is not live is set to zero after the rule;
- ops whose rule keeps no data (reshape, sum, indexing, broadcasting, concat, ...), whose rule is applied to the mask itself:
  it adds up with positive factors, so nothing cancels.

A gradient whose elements are all finite needs no zeros set: rules are linear, so it is zero already where nothing arrived. To look
costs about as much as to set them for a few elements of NumPy, and a fortieth for a million. On a GPU to look would wait for
it; and when the gradient itself records, its derivative may be infinite where it is not. There, every elementwise op upstream
of a ``where`` whose rule keeps data costs one more ``where``.

At any other op (a matrix product, a softmax, a Fourier transform) it ends: there a zero times an infinity is a nan as ever.
Where several gradients meet, an element is live if it is in any of them.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy

from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import logical_or, not_equal, where
from gpugrad.ops.reduction import any as any_of
from gpugrad.ops.shape import broadcast_shapes, broadcast_to
from gpugrad.tape import Rule, raw


def follow(rule: Rule, residuals: tuple[Any, ...], gradient: Any, live: Any) -> tuple[Any, Any]:
    """The gradient that a rule returned, with zeros where it is not live, and the mask that goes on with it, or None."""
    if rule.elementwise and live is not None and gradient is not None and not rule.linear:
        gradient = zeroed(gradient, live)
    if rule.branch is not None:
        live = rule.branch(live, raw(gradient), *map(raw, residuals))
    elif rule.linear and not rule.elementwise and live is not None and gradient is not None:
        live = not_equal(rule.function(astype(live, raw(gradient).dtype), *map(raw, residuals)), 0)
    elif not rule.elementwise:
        live = None
    return gradient, live


def zeroed(gradient: Any, live: Any) -> Any:
    """A gradient with zeros where it is not live."""
    return gradient if _known_finite(gradient) else where(live, gradient, 0)


def _known_finite(gradient: Any) -> bool:
    """Whether nothing in a gradient is nan or inf, as far as that can be told cheaply."""
    return type(gradient) is numpy.ndarray and bool(numpy.isfinite(gradient).all())


def narrowed(live: Any, given: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """The mask of a gradient of shape `given` that is summed to `shape`, if its rule has not done so: live where any summand is."""
    if tuple(live.shape) != given:
        given = broadcast_shapes(tuple(live.shape), given)
        live = broadcast_to(live, given)
    if given == shape:
        return live
    new = len(given) - len(shape)
    live = any_of(live, axis=tuple(range(new))) if new else live
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and given[new + i] != 1)
    return any_of(live, axis=stretched, keepdims=True) if stretched else live


def together(gradients: list[Any], live: Mapping[int, Any]) -> Any:
    """The mask of the gradients of several results, None where none arrived, from those that have one: live where any is."""
    arrived = [i for i, g in enumerate(gradients) if g is not None]
    return functools.reduce(joined, (live.get(i) for i in arrived))


def joined(one: Any, other: Any) -> Any:
    """The mask of the sum of two gradients; None, live everywhere, if either has none."""
    return None if one is None or other is None else logical_or(one, other)
