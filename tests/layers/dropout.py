"""Dropout, which PyTorch draws otherwise: compared where nothing is drawn."""

from gpugrad.check.records.case import real
from layers.case import LayerCase, call

CASES = [
    LayerCase("Dropout", call(0.4), call(real(3, 5)), draws=1),
    LayerCase("Dropout", call(0.4), call(real(3, 5)), "eval", train=False),
    LayerCase("Dropout", call(0.0), call(real(3, 5)), "nothing dropped"),
]
