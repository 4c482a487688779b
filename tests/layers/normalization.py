"""Normalization."""

from gpugrad.check.records.case import real
from layers.case import LayerCase, call

CASES = [
    LayerCase("LayerNorm", call(5), call(real(3, 5))),
    LayerCase("LayerNorm", call((3, 5), eps=1e-3, elementwise_affine=False), call(real(2, 3, 5)), "two axes"),
    LayerCase("LayerNorm", call(5, bias=False), call(real(3, 5)), "no bias"),
    LayerCase("RMSNorm", call(5), call(real(2, 3, 5)), "eps of the dtype"),
    LayerCase("RMSNorm", call((3, 5), 0.1, False), call(real(2, 3, 5)), "two axes"),
    LayerCase("GroupNorm", call(2, 6), call(real(2, 6, 3))),
    LayerCase("GroupNorm", call(1, 4, 1e-3), call(real(2, 4, 2, 2)), "one group"),
    LayerCase("GroupNorm", call(2, 4, affine=False), call(real(3, 4, 2)), "not affine"),
    LayerCase("GroupNorm", call(3, 3, bias=False), call(real(2, 3, 4)), "no bias"),
    LayerCase("LocalResponseNorm", call(3, 0.5), call(real(2, 5, 3))),
    LayerCase("LocalResponseNorm", call(4, 0.5, 0.6, 2.0), call(real(2, 3, 2, 2)), "more than the channels"),
    LayerCase("LocalResponseNorm", call(1, 1.0), call(real(1, 3, 2, 1, 2)), "itself"),
    LayerCase("RMSNorm", call(5, eps=1e-6), call(real(3, 5))),
]
