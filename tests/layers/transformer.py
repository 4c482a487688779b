"""Transformers. PyTorch is in training mode, where it has one path only, with dropout 0."""

import numpy

from gpugrad.check.records.case import given, real
from layers.case import LayerCase, call

SMALL = {"dim_feedforward": 5, "dropout": 0.0}
PADDED = given([[False, False, True], [False, False, False]])
CAUSAL = given(numpy.triu(numpy.ones((3, 3), bool), 1))
SRC, TGT = real(3, 2, 4), real(2, 2, 4)


def _encoder(nn, number=2, norm=True, **options):
    return nn.TransformerEncoder(
        nn.TransformerEncoderLayer(4, 2, **SMALL, **options), number, nn.LayerNorm(4) if norm else None
    )


def _decoder(nn, number=2, norm=True, **options):
    return nn.TransformerDecoder(
        nn.TransformerDecoderLayer(4, 2, **SMALL, **options), number, nn.LayerNorm(4) if norm else None
    )


def _activated(nn, **options):
    return nn.TransformerEncoderLayer(4, 2, **SMALL, activation=nn.GELU(approximate="tanh"), **options)


CASES = [
    LayerCase("TransformerEncoderLayer", call(4, 2, **SMALL, activation="gelu"), call(SRC)),
    LayerCase(
        "TransformerEncoderLayer", call(4, 2, **SMALL, activation="gelu", norm_first=True, batch_first=True, bias=False),
        call(real(2, 3, 4), src_mask=CAUSAL, is_causal=True), "pre-norm, causal",
    ),
    LayerCase(
        "TransformerEncoderLayer", call(layer_norm_eps=1e-3), call(SRC, src_mask=real(4, 3, 3), src_key_padding_mask=PADDED),
        "masks, a module as activation", make=_activated,
    ),
    LayerCase("TransformerEncoderLayer", call(4, 2, 5, 0.3, "gelu"), call(real(3, 4)), "unbatched, dropout", draws=4),
    LayerCase("TransformerDecoderLayer", call(4, 2, **SMALL, activation="gelu"), call(TGT, SRC)),
    LayerCase(
        "TransformerDecoderLayer", call(4, 2, **SMALL, activation="gelu", norm_first=True),
        call(SRC, SRC, tgt_mask=CAUSAL, memory_mask=real(3, 3), memory_key_padding_mask=PADDED, tgt_is_causal=True), "pre-norm, masks",
    ),
    LayerCase("TransformerEncoder", call(activation="gelu"), call(SRC, src_key_padding_mask=PADDED), make=_encoder),
    LayerCase("TransformerEncoder", call(1, False, activation="gelu"), call(real(3, 4), mask=CAUSAL), "no norm", make=_encoder),
    LayerCase(
        "TransformerDecoder", call(activation="gelu"), call(TGT, SRC, memory_key_padding_mask=PADDED), make=_decoder
    ),
    LayerCase(
        "Transformer", call(4, 2, 1, 2, **SMALL, activation="gelu", batch_first=True), call(real(2, 3, 4), real(2, 2, 4)), "batch first"
    ),
    LayerCase(
        "Transformer", call(4, 2, 2, 1, **SMALL, activation="gelu", norm_first=True),
        call(SRC, SRC, tgt_mask=CAUSAL, src_key_padding_mask=PADDED, memory_key_padding_mask=PADDED, tgt_is_causal=True), "masks",
    ),
]  # fmt: skip
