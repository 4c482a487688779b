"""Embeddings beside PyTorch's where no derivative says what is right: rows without a gradient, means of gradients, norms kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from parity.peers import torch

import gpugrad as gg
from gpugrad.nn import functional as F

INPUT = np.array([[1, 4, 4, 2], [0, 4, 2, 3]])
WEIGHT = np.random.default_rng(0).normal(size=(5, 3))
OPTIONS: list[dict[str, Any]] = [
    {"padding_idx": 4},
    {"padding_idx": -3},
    {"padding_idx": -3, "scale_grad_by_freq": True},
    {"max_norm": 1.0},
    {"max_norm": 1.2, "norm_type": 1.0, "padding_idx": 2},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", ["embedding", "embedding_bag", "embedding_bag max"])
def test_results_gradients_and_weights_afterwards(name: str, options: dict[str, Any]) -> None:
    function, _, mode = name.partition(" ")
    options = {**options, **({"mode": mode} if mode else {})}
    if function == "embedding_bag":  # PyTorch's divides the gradients of some rows by the counts of others
        options.pop("scale_grad_by_freq", None)
    ours, theirs = gg.tensor(WEIGHT, requires_grad=True), torch.tensor(WEIGHT).requires_grad_()
    out = getattr(F, function)(INPUT, ours, **options)
    expected = getattr(torch.nn.functional, function)(torch.from_numpy(INPUT), theirs, **options)
    (out * out).sum().backward()
    (expected * expected).sum().backward()
    for x, y in ((out, expected), (ours.grad, theirs.grad), (ours, theirs)):
        np.testing.assert_allclose(x.detach().numpy(), y.detach().numpy(), rtol=1e-12, atol=1e-12)
