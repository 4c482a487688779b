"""The record of gpugrad/nn/functional/multi_head_attention.py."""

from __future__ import annotations

import functools
from typing import Any

import numpy

from gpugrad.check.records.case import Case, call, given, real
from gpugrad.nn import functional as F

HEADS = 2
PADDED = given([[False, False, True, False], [False, True, True, False]])
HIDDEN = given(numpy.triu(numpy.ones((3, 4), bool), 2))


def _reference(
    query: Any, key: Any, value: Any, weights: list[Any], biases: list[Any], out_weight: Any, out_bias: Any, need_weights: bool,
    padding: Any = None, mask: Any = None,
) -> Any:  # fmt: skip
    """Head by head; all arrays (L, N, E)."""
    q, k, v = (x @ w.T + b for x, w, b in zip((query, key, value), weights, biases, strict=True))
    width = q.shape[-1] // HEADS
    outs, probabilities = [], []
    for n in range(q.shape[1]):
        for h in range(HEADS):
            part = slice(h * width, (h + 1) * width)
            scores = q[:, n, part] @ k[:, n, part].T / numpy.sqrt(width).astype(q.dtype)
            if mask is not None:
                scores = numpy.where(mask, -numpy.inf, scores) if mask.dtype == bool else scores + mask
            if padding is not None:
                scores = numpy.where(padding[n], -numpy.inf, scores)
            e = numpy.exp(scores - scores.max(axis=-1, keepdims=True))
            probabilities.append(e / e.sum(axis=-1, keepdims=True))
            outs.append(probabilities[-1] @ v[:, n, part])
    found = numpy.stack(outs).reshape(q.shape[1], HEADS, q.shape[0], width).transpose(2, 0, 1, 3).reshape(q.shape)
    out = found @ out_weight.T + out_bias
    mean = numpy.stack(probabilities).reshape(q.shape[1], HEADS, q.shape[0], -1).mean(axis=1)
    return (out, mean.astype(q.dtype)) if need_weights else (out,)


def _packed(q: Any, k: Any, v: Any, w: Any, b: Any, w_out: Any, b_out: Any, need_weights: bool = True, **masks: Any) -> Any:
    return _reference(q, k, v, numpy.split(w, 3), numpy.split(b, 3), w_out, b_out, need_weights, **masks)


def _op(q: Any, k: Any, v: Any, w: Any, b: Any, w_out: Any, b_out: Any, need_weights: bool = True, **masks: Any) -> Any:
    found = F.multi_head_attention_forward(
        q, k, v, 4, HEADS, w, b, None, None, False, 0.0, w_out, b_out, key_padding_mask=masks.get("padding"),
        need_weights=need_weights, attn_mask=masks.get("mask"),
    )  # fmt: skip
    return found if need_weights else found[:1]


_inputs = functools.partial(call, real(3, 2, 4), real(4, 2, 4), real(4, 2, 4), real(12, 4), real(12), real(4, 4), real(4))

CASES = [
    Case(
        "multi_head_attention_forward",
        [_inputs(), _inputs(need_weights=False, padding=PADDED, mask=HIDDEN), _inputs(mask=real(3, 4))],
        _packed,
        function=_op,
    ),
]
