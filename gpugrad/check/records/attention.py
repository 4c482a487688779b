"""Records of gpugrad/nn/functional/attention.py."""

from __future__ import annotations

import math
from typing import Any

import numpy

import gpugrad as gg
from gpugrad.check.records.case import Case, call, given, real
from gpugrad.nn import functional as F
from gpugrad.nn.functional.attention import attention_weights

KEPT = given([[True, False, True, True], [True, True, True, False], [False, False, False, False]])
PADDED = given([[[[True, True, True, False]]], [[[True, False, True, True]]]])


def _attention(q: Any, k: Any, v: Any, mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False,
               scale: float | None = None, enable_gqa: bool = False) -> Any:  # fmt: skip
    """Head by head of the query, with the heads of key and value repeated."""
    if enable_gqa:
        k, v = (numpy.repeat(x, q.shape[-3] // x.shape[-3], axis=-3) for x in (k, v))
    scores = q @ numpy.swapaxes(k, -1, -2) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if is_causal:
        mask = numpy.arange(q.shape[-2])[:, None] >= numpy.arange(k.shape[-2])
    if mask is not None:
        scores = numpy.where(mask, scores, -numpy.inf) if mask.dtype == bool else scores + mask
    peak = scores.max(axis=-1, keepdims=True, initial=-1e30)
    e = numpy.exp(scores - peak)
    total = e.sum(axis=-1, keepdims=True)
    p = (e / numpy.where(total == 0, 1, total)).astype(q.dtype)
    if dropout_p:
        p = p * gg.random.Generator(7).bernoulli(p.shape, 1 - dropout_p, device="cpu").numpy() * (1 / (1 - dropout_p))
    return (p @ v).astype(q.dtype)


def _attention_weights(scores: Any, mask: Any) -> Any:
    if mask is not None:
        scores = numpy.where(mask, scores, -numpy.inf) if mask.dtype == bool else scores + mask
    e = numpy.exp(scores - scores.max(axis=-1, keepdims=True, initial=-1e30))
    total = e.sum(axis=-1, keepdims=True)
    return (e / numpy.where(total == 0, 1, total)).astype(scores.dtype)


def _seeded(*args: Any, **options: Any) -> Any:
    gg.manual_seed(7)
    return F.scaled_dot_product_attention(*args, **options)


CASES = [
    Case(
        "scaled_dot_product_attention",
        [
            call(real(3, 2), real(4, 2), real(4, 3), KEPT),
            call(real(3, 2), real(4, 2), real(4, 3), real(3, 4)),
            call(real(2, 2, 3, 2), real(2, 1, 4, 2), real(2, 1, 4, 2), PADDED, scale=0.3),
            call(real(2, 3, 2), real(4, 2), real(2, 1, 4, 3), real(1, 4)),
            call(real(4, 3, 2), real(2, 4, 2), real(1, 4, 3), is_causal=True, enable_gqa=True),
            call(real(2, 3, 2), real(2, 4, 2), real(2, 4, 3), dropout_p=0.4),
            call(real(0, 2), real(4, 2), real(4, 3)),
            call(real(3, 2), real(0, 2), real(0, 3)),
        ],
        _attention,
        function=_seeded,
    ),
    Case(
        "attention_weights",
        [call(real(2, 3, 4), KEPT), call(real(3, 4), real(2, 3, 4)), call(real(2, 3), None)],
        _attention_weights,
        function=attention_weights,
    ),
]  # fmt: skip
