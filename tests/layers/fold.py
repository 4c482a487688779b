"""Fold and Unfold."""

from gpugrad.check.records.case import real
from layers.case import LayerCase, call

CASES = [
    LayerCase("Unfold", call(2), call(real(2, 3, 4, 3))),
    LayerCase("Unfold", call((2, 3), dilation=(1, 2), padding=(1, 2), stride=(2, 1)), call(real(2, 4, 3)), "no batch"),
    LayerCase("Fold", call((4, 3), 2), call(real(2, 12, 6))),
    LayerCase("Fold", call((4, 3), (2, 3), (1, 2), (1, 2), (2, 1)), call(real(12, 9)), "no batch"),
]
