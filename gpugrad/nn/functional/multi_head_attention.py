"""multi_head_attention_forward: attention of several heads, with the projections before and behind it."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy

from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.families import composite
from gpugrad.nn.functional.attention import attention_weights, scaled_dot_product_attention
from gpugrad.nn.functional.dropout import dropout
from gpugrad.nn.functional.linear import check_input, linear
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.ops.contraction import matmul
from gpugrad.ops.creation import raw_full
from gpugrad.ops.elementwise import add, logical_not, logical_or, where
from gpugrad.ops.reduction import mean
from gpugrad.ops.shape import (
    broadcast_to,
    concat,
    expand_dims,
    matrix_transpose,
    permute_dims,
    reshape,
    squeeze,
    tril,
    unstack,
)  # fmt: skip
from gpugrad.tape import Tensor, raw

_NAME = "MultiheadAttention"


@composite
def multi_head_attention_forward(
    query: Any, key: Any, value: Any, embed_dim_to_check: int, num_heads: int, in_proj_weight: Any, in_proj_bias: Any,
    bias_k: Any, bias_v: Any, add_zero_attn: bool, dropout_p: float, out_proj_weight: Any, out_proj_bias: Any,
    training: bool = True, key_padding_mask: Any = None, need_weights: bool = True, attn_mask: Any = None,
    use_separate_proj_weight: bool = False, q_proj_weight: Any = None, k_proj_weight: Any = None, v_proj_weight: Any = None,
    static_k: Any = None, static_v: Any = None, average_attn_weights: bool = True, is_causal: bool = False,
    *, batch_first: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """What :class:`gpugrad.nn.MultiheadAttention` computes, of parameters that are arguments: the result, and the weights or None.

    Shapes: query (L, N, E), key (S, N, kdim), value (S, N, vdim), or (N, L, E) and so on with `batch_first` (an argument that PyTorch
    has in the layer only), or all without N. `in_proj_weight` (3 E, E), or with `use_separate_proj_weight` `q_proj_weight` (E, E),
    `k_proj_weight` (E, kdim) and `v_proj_weight` (E, vdim); `in_proj_bias` (3 E,), `bias_k` and `bias_v` (1, 1, E), `static_k`
    and `static_v` (N * num_heads, S, E / num_heads), which stand for what key and value are projected to. The masks are those
    of the layer. Raises ShapeError, DTypeError and OptionError as the layer does.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html
    """
    batched = _check_inputs(query, key, value, embed_dim_to_check, num_heads, batch_first)
    if not batched:
        batch_first = True
        batches = {id(x): expand_dims(x, 0) for x in (query, key, value)}  # what was one array stays one
        query, key, value = (batches[id(x)] for x in (query, key, value))
        key_padding_mask = None if key_padding_mask is None else expand_dims(key_padding_mask, 0)
    if use_separate_proj_weight:
        weights = (q_proj_weight, k_proj_weight, v_proj_weight)
        projected = [linear(x, w, b) for x, w, b in zip((query, key, value), weights, _thirds(in_proj_bias), strict=True)]
        q, k, v = (_split(x, num_heads) for x in projected)
    else:
        q, k, v = _project(query, key, value, in_proj_weight, in_proj_bias, num_heads)
    heads_first = (0, 2, 1, 3) if batch_first else (1, 2, 0, 3)  # from here on (N, num_heads, L, E / num_heads)
    q, k, v = (permute_dims(x, heads_first) for x in (q, k, v))
    k, v = (_given(x, given, what) for x, given, what in ((k, static_k, "static_k"), (v, static_v, "static_v")))
    shown = k.shape[2]
    k, v = (_extended(x, bias, add_zero_attn) for x, bias in ((k, bias_k), (v, bias_v)))
    plain = key_padding_mask is None and not need_weights and k.shape[2] == shown
    is_causal = is_causal and not (isinstance(attn_mask, Tensor) and attn_mask.requires_grad)  # which then is not left out
    causal = is_causal and plain
    masks = [] if causal else _masks(attn_mask, key_padding_mask, is_causal, (*q.shape[:3], shown), q)
    mask = _combined(masks, k.shape[2] - shown, q)
    p = dropout_p if training else 0.0
    if need_weights:
        scores = matmul(wide(q) * (1 / math.sqrt(q.shape[3])), matrix_transpose(wide(k)))
        probabilities = dropout(narrow(attention_weights(scores, mask), q), p)
        out = matmul(probabilities, v)
    else:
        out = scaled_dot_product_attention(q, k, v, mask, p, causal)
    out = permute_dims(out, (0, 2, 1, 3) if batch_first else (2, 0, 1, 3))
    out = linear(reshape(out, (*out.shape[:2], embed_dim_to_check)), out_proj_weight, out_proj_bias)
    if need_weights and average_attn_weights:
        probabilities = mean(probabilities, axis=1)
    if not batched:
        out = squeeze(out, 0)
    if not need_weights:
        return out, None
    return out, probabilities if batched else squeeze(probabilities, 0)


# Projections --------------------------------------------------------------------------------------------------------


def _project(query: Any, key: Any, value: Any, weight: Any, bias: Any, heads: int) -> tuple[Any, Any, Any]:
    """Query, key and value as (..., heads, E / heads): of one product if they are one array, two where key and value are."""
    size = query.shape[-1]
    if key is query and value is query:
        return unstack(_split(linear(query, weight, bias), heads, 3), axis=2)
    if key is value:
        w, b = ((None, None) if x is None else (x[:size, ...], x[size:, ...]) for x in (weight, bias))
        k, v = unstack(_split(linear(key, w[1], b[1]), heads, 2), axis=2)
        return _split(linear(query, w[0], b[0]), heads), k, v
    given = zip((query, key, value), _thirds(weight), _thirds(bias), strict=True)
    return tuple(_split(linear(x, w, b), heads) for x, w, b in given)


def _thirds(x: Any) -> list[Any]:
    """The parts of a packed weight or bias that belong to query, key and value."""
    if x is None:
        return [None] * 3
    n = x.shape[0] // 3
    return [x[i * n : (i + 1) * n, ...] for i in range(3)]


def _split(x: Any, heads: int, parts: int = 1) -> Any:
    """(..., parts * E) as (..., heads, E / heads), with an axis of `parts` before the heads if there are several."""
    *lead, width = x.shape
    return reshape(x, (*lead, *([parts] if parts > 1 else []), heads, width // (heads * parts)))


def _given(x: Any, static: Any, what: str) -> Any:
    """x (N, heads, S, d), or in its place `static` (N * heads, any S, d)."""
    if static is None:
        return x
    n, heads, _, width = x.shape
    if len(static.shape) != 3 or (static.shape[0], static.shape[2]) != (n * heads, width):
        raise ShapeError(f"{_NAME}: {what} {tuple(static.shape)}, expected ({n * heads}, S, {width})")
    return reshape(static, (n, heads, static.shape[1], width))


def _extended(x: Any, bias: Any, zero: bool) -> Any:
    """x (N, heads, S, d) with a key or value more, which is learned, and one that is 0."""
    n, heads, _, width = x.shape
    more = []
    if bias is not None:
        more.append(broadcast_to(reshape(bias, (1, heads, 1, width)), (n, heads, 1, width)))
    if zero:
        more.append(raw_full(raw(x), (n, heads, 1, width), 0, x.dtype))
    return concat([x, *more], axis=2) if more else x


# Masks --------------------------------------------------------------------------------------------------------------


def _masks(attn_mask: Any, padding: Any, causal: bool, shape: tuple[int, int, int, int], like: Any) -> list[Any]:
    """The masks given, each with four axes: booleans that are True where a key is hidden, or numbers to add."""
    n, heads, rows, keys = shape
    found = []
    if causal:
        full = raw_full(raw(like), (rows, keys), True, numpy.dtype(bool))
        found.append(reshape(logical_not(tril(full)), (1, 1, rows, keys)))
    elif attn_mask is not None:
        _check_mask(attn_mask, "attn_mask", ((rows, keys), (n * heads, rows, keys)))
        found.append(reshape(attn_mask, (1, 1, rows, keys) if len(attn_mask.shape) == 2 else shape))
    if padding is not None:
        _check_mask(padding, "key_padding_mask", ((n, keys),))
        found.append(reshape(padding, (n, 1, 1, keys)))
    return found


def _combined(masks: list[Any], extra: int, like: Any) -> Any:
    """One mask as attention takes it, where True is what takes part, with `extra` keys at the end that all queries see."""
    if not masks:
        return None
    if all(_is_boolean(mask) for mask in masks):
        mask = logical_not(functools.reduce(logical_or, masks))
    else:
        zero = raw_full(raw(like), (), 0, like.dtype)
        numbers = [where(mask, -math.inf, zero) if _is_boolean(mask) else mask for mask in masks]
        mask = functools.reduce(add, numbers)
    if extra:
        shape = (*mask.shape[:3], extra)
        mask = concat([mask, raw_full(raw(mask), shape, _is_boolean(mask), mask.dtype)], axis=3)
    return mask


def _is_boolean(mask: Any) -> bool:
    return numpy_dtype(mask.dtype).kind == "b"


def _check_mask(mask: Any, what: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    check_input(mask, _NAME, what)
    if numpy_dtype(mask.dtype).kind in "iuc":
        raise DTypeError(
            f"{_NAME}: {what} has dtype {mask.dtype}, expected booleans (True is masked) or real floating-point to add"
        )
    if tuple(mask.shape) not in shapes:
        raise ShapeError(f"{_NAME}: {what} {tuple(mask.shape)}, expected {' or '.join(map(str, shapes))}")


# What was given -----------------------------------------------------------------------------------------------------


def _check_inputs(query: Any, key: Any, value: Any, size: int, heads: int, batch_first: bool) -> bool:
    """Whether there is an axis of the batch. Raises for shapes that do not go together; those of weights are linear's to check."""
    given = {"query": query, "key": key, "value": value}
    for what, x in given.items():
        check_input(x, _NAME, what)
    if heads < 1 or size % heads:
        raise OptionError(
            f"{_NAME}: embed_dim is {size} and num_heads {heads}, expected a number of heads that divides embed_dim"
        )
    q, k, v = (tuple(x.shape) for x in given.values())
    batched = len(q) == 3
    names = ("(N, L, E)", "(N, S, kdim)", "(N, S, vdim)") if batch_first else ("(L, N, E)", "(S, N, kdim)", "(S, N, vdim)")
    got = ", ".join(f"{what} {tuple(x.shape)}" for what, x in given.items())
    if len(q) not in (2, 3) or not len(q) == len(k) == len(v):
        raise ShapeError(f"{_NAME}: {got}, expected {', '.join(names)}, or all of them without N")
    if q[-1] != size:
        raise ShapeError(f"{_NAME}: query {q}, expected last dimension {size} (embed_dim)")
    if k[:-1] != v[:-1] or (batched and q[1 - batch_first] != k[1 - batch_first]):
        raise ShapeError(f"{_NAME}: {got}, expected {', '.join(names)}, with the same N and S (batch_first is {batch_first})")
    return batched
