"""What works on parameters and modules from outside: clipping of gradients, parameters as one vector, parametrizations, packed sequences."""

from __future__ import annotations

from typing import Any

from gpugrad.nn.utils import parametrizations, parametrize, rnn
from gpugrad.nn.utils.clip_grad import clip_grad_norm_, clip_grad_value_, clip_grads_with_norm_, get_total_norm
from gpugrad.nn.utils.convert_parameters import parameters_to_vector, vector_to_parameters
from gpugrad.pytorch_names import OF_UTILITIES, absent

__all__ = [
    "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm", "parameters_to_vector",
    "parametrizations", "parametrize", "rnn", "vector_to_parameters",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    raise absent("module 'gpugrad.nn.utils'", name, OF_UTILITIES)
