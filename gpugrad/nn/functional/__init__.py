"""Functions on arrays and Tensors that layers are made of, with PyTorch's names and arguments."""

from gpugrad.nn.functional.dropout import dropout
from gpugrad.nn.functional.gelu import gelu
from gpugrad.nn.functional.linear import linear
from gpugrad.nn.functional.loss import cross_entropy, mse_loss, nll_loss
from gpugrad.nn.functional.normalization import layer_norm, rms_norm
from gpugrad.nn.functional.relu import relu
from gpugrad.nn.functional.sigmoid import sigmoid
from gpugrad.nn.functional.silu import silu
from gpugrad.nn.functional.softmax import log_softmax, softmax

__all__ = [
    "cross_entropy", "dropout", "gelu", "layer_norm", "linear", "log_softmax", "mse_loss", "nll_loss", "relu", "rms_norm", "sigmoid",
    "silu", "softmax",
]  # fmt: skip
