"""Neural networks: layers, losses and containers, with PyTorch's names, arguments, parameter names and shapes."""

from gpugrad.nn import functional, init, utils
from gpugrad.nn.activation import GELU, LogSoftmax, ReLU, Sigmoid, SiLU, Softmax, Tanh
from gpugrad.nn.containers import ModuleDict, ModuleList, Sequential
from gpugrad.nn.dropout import Dropout
from gpugrad.nn.linear import Flatten, Identity, Linear
from gpugrad.nn.loss import CrossEntropyLoss, MSELoss, NLLLoss
from gpugrad.nn.module import Module
from gpugrad.nn.normalization import LayerNorm, RMSNorm
from gpugrad.nn.parameter import Parameter

__all__ = [
    "GELU", "CrossEntropyLoss", "Dropout", "Flatten", "Identity", "LayerNorm", "Linear", "LogSoftmax", "MSELoss", "Module",
    "ModuleDict", "ModuleList", "NLLLoss", "Parameter", "RMSNorm", "ReLU", "Sequential", "SiLU", "Sigmoid", "Softmax", "Tanh",
    "functional", "init", "utils",
]  # fmt: skip
