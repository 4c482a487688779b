"""Activation functions."""

from gpugrad.check.records.case import distinct, real
from layers.case import LayerCase, call

SMOOTH = ("GELU", "GLU", "LogSigmoid", "Mish", "SiLU", "Sigmoid", "Softplus", "Softsign", "Tanh", "Tanhshrink")
KINKED = ("CELU", "ELU", "Hardshrink", "Hardswish", "Hardtanh", "LeakyReLU", "ReLU", "ReLU6", "SELU", "Softshrink")
"""Drawn at multiples of 0.3 shifted by 0.075, which keeps away from their kinks."""

CASES = [
    *(LayerCase(name, call(), call(real(3, 6))) for name in SMOOTH),
    *(LayerCase(name, call(), call(distinct(3, 8))) for name in KINKED),
    # PyTorch has the slope 1 / 6 in float32 only.
    LayerCase("Hardsigmoid", call(), call(distinct(3, 8)), rtol=1e-7),
    LayerCase("Threshold", call(0.5, -2.0), call(distinct(3, 8))),
    LayerCase("GELU", call("tanh"), call(real(3, 5)), "tanh"),
    LayerCase("GLU", call(1), call(real(2, 4, 3)), "axis 1"),
    LayerCase("ELU", call(alpha=0.5), call(distinct(3, 5)), "alpha"),
    LayerCase("CELU", call(alpha=0.5), call(distinct(3, 5)), "alpha"),
    LayerCase("LeakyReLU", call(0.3), call(distinct(3, 5)), "slope"),
    LayerCase("Softplus", call(beta=2.0, threshold=1.5), call(distinct(3, 5)), "beta, threshold"),
    LayerCase("Softshrink", call(1.0), call(distinct(3, 5)), "lambd"),
    LayerCase("Hardshrink", call(1.0), call(distinct(3, 5)), "lambd"),
    LayerCase("Hardtanh", call(-1.0, 0.5), call(distinct(3, 5)), "bounds"),
    LayerCase("PReLU", call(), call(distinct(3, 5))),
    LayerCase("PReLU", call(5, 0.1), call(distinct(2, 5, 3)), "channels"),
    LayerCase("PReLU", call(), call(distinct(7)), "vector"),
    LayerCase("RReLU", call(0.1, 0.4), call(distinct(3, 5)), "eval", train=False),
    LayerCase("RReLU", call(0.1, 0.4), call(distinct(3, 5)), peer=None),  # PyTorch draws other slopes
    LayerCase("LogSoftmax", call(1), call(real(3, 5))),
    LayerCase("Softmax", call(-1), call(real(3, 5))),
    LayerCase("Softmax", call(0), call(real(3, 5)), "columns"),
    LayerCase("Softmin", call(1), call(real(3, 5))),
    LayerCase("Softmax2d", call(), call(real(2, 3, 2, 2))),
    LayerCase("Softmax2d", call(), call(real(3, 2, 2)), "one image"),
]
