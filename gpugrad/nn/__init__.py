"""Neural networks: layers, losses and containers, with PyTorch's names, arguments, parameter names and shapes."""

from gpugrad.nn import functional, init
from gpugrad.nn.activation import LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from gpugrad.nn.containers import ModuleDict, ModuleList, Sequential
from gpugrad.nn.dropout import Dropout
from gpugrad.nn.linear import Flatten, Identity, Linear
from gpugrad.nn.loss import CrossEntropyLoss, MSELoss, NLLLoss
from gpugrad.nn.module import Module
from gpugrad.nn.parameter import Parameter

__all__ = [
    "CrossEntropyLoss", "Dropout", "Flatten", "Identity", "Linear", "LogSoftmax", "MSELoss", "Module", "ModuleDict", "ModuleList",
    "NLLLoss", "Parameter", "ReLU", "Sequential", "Sigmoid", "Softmax", "Tanh", "functional", "init",
]  # fmt: skip
