"""Attention on NumPy's arrays by ``attention.c``: the scores of a few queries at a time, for a head on each thread.

The definition makes all scores and probabilities as arrays, one product for each head. Here they stay in the cache, keys that no
query of a few sees are left out, and heads of a transposed view, as a layer makes them of one product, are read where they are.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy

from gpugrad.compile.handwritten import handwritten, suits
from gpugrad.compile.runtime import plan

# As in attention.c: queries of a tile, and of a block of the gradient; bytes of a row of a panel.
QUERIES, BLOCK, PANEL = 8, 32, 128

SMALLEST, FEWEST, LARGEST = 1 << 11, 4, 1 << 20
"""A kernel runs for this many scores or more: for fewer, what is called for each array takes longer than the work; for so many
queries, since each head's keys are brought into another order first; and for keys of at most so many elements, which stay in a cache.
"""

_KERNELS = ("attention", "attention_gradient")
_NANOSECONDS = 0.02  # of a multiplication and an addition, on one thread
_NO_MASK, _SEEN, _ADDED = range(3)


def attention(query: Any, key: Any, value: Any, mask: Any, /, *, scale: float, causal: bool, dropout: Any) -> Any:
    """The result and the logarithms of the sums of the rows; None where there is no kernel for this."""
    q, k, v, m = given = [_four(x) for x in (query, key, value, mask)]
    if dropout is not None or not _taken(q, k, v, m):
        return None
    out = _empty((*q.shape[:3], v.shape[3]), q)
    sums = numpy.empty((*q.shape[:3], 1), q.dtype)
    _run("attention", 2, scale, causal, out, sums, *given)
    return _back(out, query), _back(sums, query)


def attention_gradient(
    g: Any, query: Any, key: Any, value: Any, mask: Any, out: Any, logsumexp: Any, /,
    *, scale: float, causal: bool, dropout: Any, wanted: tuple[bool, ...],
) -> Any:  # fmt: skip
    """The gradients of query, key and value, and None for the mask; None where there is no kernel for this."""
    q, k, v, m = (_four(x) for x in (query, key, value, mask))
    if dropout is not None or wanted[3] or not _taken(q, k, v, m):
        return None
    made = [_empty(x.shape, x) for x in (q, k, v)]
    sums = numpy.ascontiguousarray(_four(logsumexp))
    _run("attention_gradient", 3, scale, causal, *made, _four(g), q, k, v, _four(out), sums, m)
    gradients = (_back(x, like) if wants else None for x, like, wants in zip(made, (query, key, value), wanted, strict=False))
    return (*gradients, None)


def _four(x: Any) -> Any:
    """x as (sequences, heads, rows, columns)."""
    return None if x is None else x[(None,) * (4 - x.ndim)]


def _back(x: Any, like: Any) -> Any:
    """The inverse of :func:`_four`, for a result with the leading axes of `like`."""
    return x[(0,) * (4 - like.ndim)]


def _taken(q: Any, k: Any, v: Any, mask: Any) -> bool:
    """Whether there is a kernel for such operands, whose leading axes do not broadcast."""
    dtype = q.dtype
    if not suits(q) or not q.ndim == k.ndim == v.ndim == 4:
        return False
    (sequences, heads, queries, width), (keys, depth) = q.shape, v.shape[2:]
    if not (q.size and k.size and v.size) or queries < FEWEST or keys * max(width, depth) > LARGEST:
        return False
    if sequences * heads * queries * keys < SMALLEST:
        return False
    if not q.shape[0] == k.shape[0] == v.shape[0] or k.shape[1] != v.shape[1] or q.shape[1] % k.shape[1]:
        return False
    if mask is not None and (mask.ndim > 4 or mask.dtype not in (dtype, numpy.dtype(bool))):
        return False
    return handwritten(__file__, dtype.char, _KERNELS) is not None


def _empty(shape: tuple[int, ...], like: Any) -> Any:
    """An array for a result: with heads beside each other for every row, if `like` is the transposed view of such an array."""
    sequences, heads, rows, columns = shape
    if like.strides[1] < like.strides[2] and heads > 1 and rows > 1:
        return numpy.empty((sequences, rows, heads, columns), like.dtype).transpose(0, 2, 1, 3)
    return numpy.empty(shape, like.dtype)


def _readable(x: Any) -> Any:
    """x if its rows are packed and its elements aligned, as kernels read them; a copy if not."""
    packed = x.strides[3] == x.itemsize or x.shape[3] == 1
    return x if packed and _in_elements(x) else x.copy(order="C")


def _in_elements(x: Any) -> bool:
    """Whether the elements are aligned and whole elements apart, which a field of records need not be."""
    return x.flags.aligned and all(step % x.itemsize == 0 for step in x.strides)


def _run(name: str, outputs: int, scale: float, causal: bool, *arrays: Any) -> None:
    """Call a kernel of attention.c, the last of whose arrays is the mask, if there is one."""
    *given, mask = arrays
    given = [*given[:outputs], *map(_readable, given[outputs:])]
    q, k, v = given[-3:] if outputs == 2 else given[4:7]
    if mask is None:
        kind, mask = _NO_MASK, q
    else:
        kind = _SEEN if mask.dtype.kind == "b" else _ADDED
        mask = numpy.broadcast_to(mask if _in_elements(mask) else mask.copy(), (*q.shape[:3], k.shape[2]))
    strides = tuple(step // x.itemsize for x in (*given, mask) for step in x.strides)
    launch, made = _plan(name, q.dtype.char, q.shape, k.shape, v.shape[3], causal, kind, outputs, strides)
    launch(made, *given, mask, scale)


@functools.lru_cache(256)
def _plan(
    name: str, char: str, q: tuple[int, ...], k: tuple[int, ...], depth: int, causal: bool, mask: int, outputs: int,
    strides: tuple[int, ...],
) -> tuple[Callable[..., None], bytes]:  # fmt: skip
    """The launcher, and the plan of a kernel."""
    found = handwritten(__file__, char, _KERNELS)
    assert found is not None
    launch, addresses = found
    sequences, heads, queries, width = q
    keys, size = k[2], numpy.dtype(char).itemsize
    pitch, wide, deep = (-(-n * size // PANEL) * PANEL for n in (keys, width, depth))  # in bytes
    if outputs == 2:
        scratch = pitch * width + keys * deep + QUERIES * (pitch + deep)
    else:
        scratch = 2 * keys * wide + keys * deep + pitch * (width + depth) + BLOCK * (2 * pitch + wide + deep) + QUERIES * wide
    products = math.prod(q[:3]) * keys * ((width + depth) if outputs == 2 else (3 * width + 2 * depth))
    integers = [k[1], heads // k[1], queries, keys, width, depth, causal, mask, *strides]
    cost = int(products * _NANOSECONDS * (0.6 if causal else 1))
    return launch, plan(addresses[name], sequences * k[1], cost, len(strides) // 4, outputs, 1, scratch, integers=integers)
