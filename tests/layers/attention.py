"""Attention of several heads. PyTorch's results for a query whose keys are all masked differ from path to path: those have tests."""

import numpy

from gpugrad.check.records.case import given, real
from layers.case import LayerCase, call

Q, K = real(3, 2, 8), real(4, 2, 8)
PADDED = given([[False, False, True, False], [False, True, True, False]])
HIDDEN = given(numpy.triu(numpy.ones((3, 4), bool), 2))
NO_WEIGHTS = {"need_weights": False}


def _itself(layer, nn, x, **options):
    """One array as query, key and value."""
    return layer(x, x, x, **options)


def _case(label, made, inputs, **options):
    return LayerCase("MultiheadAttention", made, inputs, label, **options)


CASES = [
    _case("itself", call(8, 2), call(real(3, 2, 8)), run=_itself),
    _case("itself, batch first, unweighted", call(8, 2, batch_first=True), call(real(2, 3, 8), **NO_WEIGHTS), run=_itself),
    _case("itself, unbatched", call(8, 4, bias=False), call(real(3, 8)), run=_itself),
    _case(
        "causal", call(8, 2),
        call(real(3, 2, 8), attn_mask=given(numpy.triu(numpy.ones((3, 3), bool), 1)), is_causal=True, **NO_WEIGHTS), run=_itself,
    ),
    _case(
        "causal, weights", call(8, 2),
        call(real(3, 2, 8), attn_mask=given(numpy.triu(numpy.ones((3, 3), bool), 1)), is_causal=True), run=_itself,
    ),
    _case("memory", call(8, 2), call(Q, K), run=lambda layer, nn, q, k: layer(q, k, k)),
    _case("three arrays", call(8, 2), call(Q, K, real(4, 2, 8), key_padding_mask=PADDED, **NO_WEIGHTS)),
    _case("booleans", call(8, 2), call(Q, K, real(4, 2, 8), key_padding_mask=PADDED, attn_mask=HIDDEN)),
    _case("numbers", call(8, 2), call(Q, K, real(4, 2, 8), attn_mask=real(4, 3, 4), average_attn_weights=False)),
    _case("numbers and booleans", call(8, 2), call(Q, K, real(4, 2, 8), key_padding_mask=PADDED, attn_mask=real(3, 4))),
    _case(
        "sizes", call(8, 2, kdim=5, vdim=6, batch_first=True), call(real(2, 3, 8), real(2, 4, 5), real(2, 4, 6), **NO_WEIGHTS)
    ),
    _case(
        "more keys", call(8, 2, add_bias_kv=True, add_zero_attn=True),
        call(Q, K, real(4, 2, 8), key_padding_mask=PADDED, attn_mask=real(3, 4)),
    ),
    _case("more keys, unweighted", call(8, 2, add_bias_kv=True, add_zero_attn=True), call(Q, K, real(4, 2, 8), **NO_WEIGHTS)),
    _case("unbatched, masked", call(8, 2), call(real(3, 8), real(4, 8), real(4, 8), given([False, True, False, False]))),
    _case("dropout", call(8, 2, dropout=0.3), call(real(3, 2, 8)), run=_itself, draws=1),
    _case("dropout, unweighted", call(8, 2, dropout=0.3), call(real(3, 2, 8), **NO_WEIGHTS), run=_itself, draws=1),
    _case("dropout, eval", call(8, 2, dropout=0.3), call(real(3, 2, 8)), run=_itself, train=False),
]  # fmt: skip
