"""Activation functions."""

from gpugrad.check.records.case import real
from layers.case import LayerCase, call

CASES = [
    *(LayerCase(name, call(), call(real(3, 5))) for name in ("GELU", "ReLU", "SiLU", "Sigmoid", "Tanh")),
    LayerCase("GELU", call("tanh"), call(real(3, 5)), "tanh"),
    LayerCase("LogSoftmax", call(1), call(real(3, 5))),
    LayerCase("Softmax", call(-1), call(real(3, 5))),
    LayerCase("Softmax", call(0), call(real(3, 5)), "columns"),
]
