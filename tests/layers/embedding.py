"""Embeddings. What has no derivative (rows without a gradient, means of gradients, norms that are kept) has tests of its own."""

from gpugrad.check.records.case import given, integers, real
from layers.case import LayerCase, call

NUMBERS = integers(7, low=0, high=6)
WITH_PADDING = given([[2, 0, 2], [5, 1, 1], [0, 0, 0], [3, 0, 4]])
OFFSETS = given([0, 3, 3, 5])

CASES = [
    LayerCase("Embedding", call(6, 3), call(integers(2, 4, low=0, high=6))),
    LayerCase("Embedding", call(6, 3, padding_idx=-1), call(integers(4, low=0, high=5, dtype="int32")), "padding"),
    LayerCase("Embedding", call(6, 3, _weight=real(6, 3)), call(integers(4, low=0, high=5)), "given"),
    *(
        LayerCase("EmbeddingBag", call(6, 3, mode=mode), call(integers(3, 4, low=0, high=6)), mode)
        for mode in ("sum", "mean", "max")
    ),
    *(
        LayerCase("EmbeddingBag", call(6, 3, mode=mode, padding_idx=0), call(WITH_PADDING), f"{mode}, padding")
        for mode in ("sum", "mean", "max")
    ),
    *(
        LayerCase("EmbeddingBag", call(6, 3, mode=mode, padding_idx=2), call(NUMBERS, OFFSETS), f"{mode}, offsets")
        for mode in ("sum", "mean", "max")
    ),
    LayerCase("EmbeddingBag", call(6, 3, include_last_offset=True), call(NUMBERS, given([0, 2, 2, 7])), "last offset"),
    LayerCase("EmbeddingBag", call(6, 3, mode="sum"), call(NUMBERS, OFFSETS, per_sample_weights=real(7)), "weights, offsets"),
    LayerCase(
        "EmbeddingBag", call(6, 3, mode="sum"), call(integers(2, 3, low=0, high=6), per_sample_weights=real(2, 3)), "weights"
    ),
    LayerCase("Bilinear", call(3, 4, 5), call(real(2, 3), real(2, 4))),
    LayerCase("Bilinear", call(3, 4, 5, bias=False), call(real(2, 2, 3), real(2, 2, 4)), "no bias"),
    LayerCase("Bilinear", call(3, 1, 2), call(real(3), real(1)), "vectors"),
]
