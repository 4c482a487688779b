"""Functions on arrays and Tensors that layers are made of, with PyTorch's names and arguments."""

from gpugrad.nn.functional.attention import scaled_dot_product_attention
from gpugrad.nn.functional.conv import conv1d, conv2d, conv3d
from gpugrad.nn.functional.dropout import dropout
from gpugrad.nn.functional.embedding import embedding
from gpugrad.nn.functional.fold import fold, unfold
from gpugrad.nn.functional.gelu import gelu
from gpugrad.nn.functional.linear import linear
from gpugrad.nn.functional.loss import cross_entropy, mse_loss, nll_loss
from gpugrad.nn.functional.normalization import layer_norm, rms_norm
from gpugrad.nn.functional.pooling import avg_pool1d, avg_pool2d, avg_pool3d, max_pool1d, max_pool2d, max_pool3d
from gpugrad.nn.functional.relu import relu
from gpugrad.nn.functional.sigmoid import sigmoid
from gpugrad.nn.functional.silu import silu
from gpugrad.nn.functional.softmax import log_softmax, softmax

__all__ = [
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "conv1d", "conv2d", "conv3d", "cross_entropy", "dropout", "embedding", "fold", "gelu",
    "layer_norm", "linear", "log_softmax", "max_pool1d", "max_pool2d", "max_pool3d", "mse_loss", "nll_loss", "relu", "rms_norm",
    "scaled_dot_product_attention", "sigmoid", "silu", "softmax", "unfold",
]  # fmt: skip
