"""Functions on arrays and Tensors that layers are made of, with PyTorch's names and arguments."""

from gpugrad.nn.functional.adaptive_pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
)  # fmt: skip
from gpugrad.nn.functional.attention import scaled_dot_product_attention
from gpugrad.nn.functional.batch_norm import batch_norm, instance_norm
from gpugrad.nn.functional.bilinear import bilinear
from gpugrad.nn.functional.conv import conv1d, conv2d, conv3d
from gpugrad.nn.functional.conv_transpose import conv_transpose1d, conv_transpose2d, conv_transpose3d
from gpugrad.nn.functional.ctc import ctc_loss
from gpugrad.nn.functional.distance import cosine_similarity, pairwise_distance
from gpugrad.nn.functional.dropout import alpha_dropout, dropout, dropout1d, dropout2d, dropout3d, feature_alpha_dropout
from gpugrad.nn.functional.embedding import embedding
from gpugrad.nn.functional.embedding_bag import embedding_bag
from gpugrad.nn.functional.fold import fold, unfold
from gpugrad.nn.functional.gelu import gelu
from gpugrad.nn.functional.gumbel import gumbel_softmax
from gpugrad.nn.functional.interpolate import interpolate
from gpugrad.nn.functional.likelihood_loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    gaussian_nll_loss,
    kl_div,
    multilabel_soft_margin_loss,
    poisson_nll_loss,
    soft_margin_loss,
)  # fmt: skip
from gpugrad.nn.functional.linear import linear
from gpugrad.nn.functional.local_response_norm import local_response_norm, normalize
from gpugrad.nn.functional.loss import cross_entropy, nll_loss
from gpugrad.nn.functional.lp_pool import lp_pool1d, lp_pool2d, lp_pool3d
from gpugrad.nn.functional.max_unpool import max_unpool1d, max_unpool2d, max_unpool3d
from gpugrad.nn.functional.multi_head_attention import multi_head_attention_forward
from gpugrad.nn.functional.normalization import group_norm, layer_norm, rms_norm
from gpugrad.nn.functional.one_hot import one_hot
from gpugrad.nn.functional.pad import pad
from gpugrad.nn.functional.pixel_shuffle import channel_shuffle, pixel_shuffle, pixel_unshuffle
from gpugrad.nn.functional.pooling import avg_pool1d, avg_pool2d, avg_pool3d, max_pool1d, max_pool2d, max_pool3d
from gpugrad.nn.functional.ranking_loss import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)  # fmt: skip
from gpugrad.nn.functional.rectifiers import (
    celu,
    elu,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    prelu,
    relu6,
    rrelu,
    selu,
    threshold,
)  # fmt: skip
from gpugrad.nn.functional.regression_loss import huber_loss, l1_loss, mse_loss, smooth_l1_loss
from gpugrad.nn.functional.relu import relu
from gpugrad.nn.functional.rotary import rotary_embedding
from gpugrad.nn.functional.segmentation_loss import dice_loss, sigmoid_focal_loss
from gpugrad.nn.functional.sigmoid import sigmoid
from gpugrad.nn.functional.silu import silu
from gpugrad.nn.functional.smooth import glu, hardshrink, logsigmoid, mish, softplus, softshrink, softsign, tanhshrink
from gpugrad.nn.functional.softmax import log_softmax, softmax, softmin
from gpugrad.ops.elementwise import tanh

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
    "adaptive_max_pool3d", "alpha_dropout", "avg_pool1d", "avg_pool2d", "avg_pool3d", "batch_norm", "bilinear",
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "celu", "channel_shuffle", "conv1d", "conv2d", "conv3d",
    "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "cosine_embedding_loss", "cosine_similarity",
    "cross_entropy", "ctc_loss", "dice_loss", "dropout", "dropout1d", "dropout2d", "dropout3d", "elu", "embedding",
    "embedding_bag", "feature_alpha_dropout", "fold", "gaussian_nll_loss", "gelu", "glu", "group_norm", "gumbel_softmax",
    "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "hinge_embedding_loss", "huber_loss", "instance_norm",
    "interpolate", "kl_div", "l1_loss", "layer_norm", "leaky_relu", "linear", "local_response_norm", "log_softmax",
    "logsigmoid", "lp_pool1d", "lp_pool2d", "lp_pool3d", "margin_ranking_loss", "max_pool1d", "max_pool2d", "max_pool3d",
    "max_unpool1d", "max_unpool2d", "max_unpool3d", "mish", "mse_loss", "multi_head_attention_forward", "multi_margin_loss",
    "multilabel_margin_loss", "multilabel_soft_margin_loss", "nll_loss", "normalize", "one_hot", "pad", "pairwise_distance",
    "pixel_shuffle", "pixel_unshuffle", "poisson_nll_loss", "prelu", "relu", "relu6", "rms_norm", "rotary_embedding",
    "rrelu", "scaled_dot_product_attention", "selu", "sigmoid", "sigmoid_focal_loss", "silu", "smooth_l1_loss",
    "soft_margin_loss", "softmax", "softmin", "softplus", "softshrink", "softsign", "tanh", "tanhshrink", "threshold",
    "triplet_margin_loss", "triplet_margin_with_distance_loss", "unfold",
]  # fmt: skip
