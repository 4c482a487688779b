"""Normalization."""

from gpugrad.check.records.case import real
from layers.case import LayerCase, call

CASES = [
    LayerCase("LayerNorm", call(5), call(real(3, 5))),
    LayerCase("LayerNorm", call((3, 5), eps=1e-3, elementwise_affine=False), call(real(2, 3, 5)), "two axes"),
    LayerCase("RMSNorm", call(5, eps=1e-6), call(real(3, 5))),
]
