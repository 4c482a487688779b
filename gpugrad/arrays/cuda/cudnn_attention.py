"""Attention and its gradient by cuDNN: float16 and bfloat16, heads of up to 256 numbers, by the method that keeps no probabilities.

The ops are those of ``nn/functional/attention.py``. The forward part hands the logarithms of the rows' sums to the backward part;
they are the same numbers that the definitions exchange, so that either part may be computed by cuDNN alone. Dropout and the
gradient of a mask are left to the definition.
"""

from __future__ import annotations

import math
from typing import Any

import cupy
import numpy

from gpugrad import modes
from gpugrad.arrays.cuda import cudnn

# What a masked score is, in place of -inf: a row that is all -inf would be nan. Far below every score, and finite in the dtype.
LOWEST = {"float16": -65504.0, "bfloat16": -(2.0**126)}


def attention(query: Any, key: Any, value: Any, mask: Any, /, *, scale: float, causal: bool, dropout: Any) -> Any:
    """The result and the logarithms of the sums of exponentials of the rows of scores, in float32; or NotImplemented."""
    if cudnn.library().module is None or dropout is not None or not _taken(query, key, value, mask):
        return NotImplemented
    q, k, v = (_ready(x) for x in (query, key, value))
    out = _empty((*q.shape[:3], v.shape[3]), q)
    sums = cupy.empty((*q.shape[:3], 1), numpy.float32)
    arrays = {1: q, 2: k, 3: v, 4: out, 5: sums}
    seen = None
    if mask is not None:
        arrays[6], seen = _bias(mask, q, k)

    def build(module: Any, graph: Any) -> None:
        inputs = {name: cudnn.describes(module, graph, uid, x) for name, uid, x in (("q", 1, q), ("k", 2, k), ("v", 3, v))}
        found = graph.sdpa(**inputs, **_options(module, graph, arrays, scale, causal), generate_stats=True, name="attention")
        for tensor, uid in zip(found, (4, 5), strict=True):
            cudnn.returns(module, tensor, uid, arrays[uid])

    if not cudnn.run("attention", (scale, causal), build, arrays):
        return NotImplemented
    if seen is not None:
        out = _where(seen, out)
    return _back(out, query), _back(sums, query)


def attention_gradient(
    g: Any, query: Any, key: Any, value: Any, mask: Any, out: Any, logsumexp: Any, /,
    *, scale: float, causal: bool, dropout: Any, wanted: tuple[bool, bool, bool, bool],
) -> Any:  # fmt: skip
    """The gradients of query, key, value, and None for the mask; or NotImplemented."""
    if cudnn.library().module is None or dropout is not None or wanted[3] or not _taken(query, key, value, mask):
        return NotImplemented
    q, k, v, o, sums = (_ready(x) for x in (query, key, value, out, logsumexp))
    bias = seen = None
    if mask is not None:
        bias, seen = _bias(mask, q, k)
        g = _where(_back(seen, query), g)
    arrays = {1: q, 2: k, 3: v, 4: o, 5: sums, 7: _ready(g), **{8 + i: _empty(x.shape, x) for i, x in enumerate((q, k, v))}}
    if bias is not None:
        arrays[6] = bias
    deterministic = modes.are_deterministic_algorithms_enabled()

    def build(module: Any, graph: Any) -> None:
        names = {"q": 1, "k": 2, "v": 3, "o": 4, "stats": 5, "dO": 7}
        inputs = {name: cudnn.describes(module, graph, uid, arrays[uid]) for name, uid in names.items()}
        found = graph.sdpa_backward(
            **inputs, **_options(module, graph, arrays, scale, causal),
            use_deterministic_algorithm=deterministic, name="attention_gradient",
        )  # fmt: skip
        for tensor, uid in zip(found, (8, 9, 10), strict=True):
            cudnn.returns(module, tensor, uid, arrays[uid])

    if not cudnn.run("attention_gradient", (scale, causal, deterministic), build, arrays):
        return NotImplemented
    gradients = (_back(arrays[8 + i], x) if wanted[i] else None for i, x in enumerate((query, key, value)))
    return (*gradients, None)


def _options(module: Any, graph: Any, arrays: dict[int, Any], scale: float, causal: bool) -> dict[str, Any]:
    """What both graphs are told: the scale, which keys a query sees, and the bias, if there is one."""
    options = {"attn_scale": float(scale), "compute_data_type": module.data_type.FLOAT}
    if causal:  # query i sees the keys up to i
        options |= {"diagonal_alignment": module.diagonal_alignment.TOP_LEFT, "diagonal_band_right_bound": 0}
    if 6 in arrays:
        options["bias"] = cudnn.describes(module, graph, 6, arrays[6])
    return options


def _taken(query: Any, key: Any, value: Any, mask: Any) -> bool:
    """Whether cuDNN takes such operands; what it refuses beyond that, it says when the graph is built."""
    operands = (query, key, value)
    if query.dtype.name not in LOWEST or max(x.ndim for x in operands) > 4:
        return False
    q, k, v = (_four(x) for x in operands)
    if not q.shape[0] == k.shape[0] == v.shape[0] or min(x.size for x in (q, k, v)) == 0:
        return False
    if q.shape[1] % k.shape[1] or q.shape[1] % v.shape[1] or any(x.shape[3] % 8 or x.shape[3] > 256 for x in (q, v)):
        return False
    if mask is not None and math.prod(_four(mask).shape[:2]) * q.shape[2] * k.shape[2] > cudnn.LARGEST:
        return False
    return max(x.size for x in (q, k, v)) <= cudnn.LARGEST


def _bias(mask: Any, q: Any, k: Any) -> tuple[Any, Any]:
    """The mask as what cuDNN adds to scores, (1 or B, 1 or H, L, S), and which queries see a key, (..., L, 1)."""
    mask = _four(mask)
    lowest = LOWEST[q.dtype.name]
    if mask.dtype.kind == "b":
        shown, added = mask, cupy.where(mask, numpy.float32(0), numpy.float32(lowest))
    else:
        wide = mask.astype(numpy.float32)
        shown, added = wide > -math.inf, cupy.maximum(wide, numpy.float32(lowest))
    shape = (*mask.shape[:2], q.shape[2], k.shape[2])
    seen = cupy.broadcast_to(shown, shape).any(axis=-1, keepdims=True)
    return cupy.ascontiguousarray(cupy.broadcast_to(added.astype(q.dtype), shape)), seen


def _where(seen: Any, x: Any) -> Any:
    """x, and 0 in rows that see no key. By its 16 bits, since not every function of CuPy takes bfloat16."""
    return cupy.where(seen, x.view(numpy.int16), numpy.int16(0)).view(x.dtype)


def _four(x: Any) -> Any:
    """x as (batch, heads, rows, columns)."""
    return x[(None,) * (4 - x.ndim)]


def _back(x: Any, like: Any) -> Any:
    """The inverse of :func:`_four`, for a result with the leading axes of `like`."""
    return x[(0,) * (4 - like.ndim)]


def _ready(x: Any) -> Any:
    """x as four axes, the last packed and each row at a multiple of 16 bytes, as cuDNN needs: a copy if they are not."""
    x = _four(x)
    steps = [step for n, step in zip(x.shape[:3], x.strides, strict=False) if n > 1]
    packed = x.shape[3] == 1 or x.strides[3] == x.itemsize
    rows = all(step > 0 and (step % 16 == 0 or x.shape[3] == 1) for step in steps)
    return x if packed and rows and x.data.ptr % 16 == 0 else x.copy(order="C")


def _empty(shape: tuple[int, ...], like: Any) -> Any:
    """An array for a result: with heads beside each other for every row, if `like` is the transposed view of such an array."""
    batch, heads, rows, columns = shape
    if like.strides[1] < like.strides[2] and like.shape[1] > 1 and like.shape[2] > 1:
        return cupy.empty((batch, rows, heads, columns), like.dtype).transpose(0, 2, 1, 3)
    return cupy.empty(shape, like.dtype)
