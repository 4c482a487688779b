"""Parametrizations side by side with PyTorch's, beyond the cases in tests/layers/parametrizations.py.

Run by ``python -m nox -s parity``.
"""

from __future__ import annotations

import numpy as np
import pytest
from parity.peers import torch

import gpugrad as gg
from gpugrad import nn


@pytest.mark.parametrize("orthogonal_map", ["matrix_exp", "cayley", "householder"])
@pytest.mark.parametrize("sizes", [(5, 3), (3, 5), (4, 4)], ids=str)
def test_orthogonal(sizes: tuple[int, int], orthogonal_map: str) -> None:
    gg.manual_seed(0)
    ours = nn.utils.parametrizations.orthogonal(nn.Linear(*sizes, dtype=gg.float64), orthogonal_map=orthogonal_map)
    theirs = torch.nn.utils.parametrizations.orthogonal(torch.nn.Linear(*sizes).double(), orthogonal_map=orthogonal_map)
    rng = np.random.default_rng(0)
    state = {name: np.array(x.array) for name, x in ours.state_dict().items()}
    assert list(theirs.state_dict()) == list(state)
    original = state["parametrizations.weight.original"]
    original += np.tril(rng.normal(size=original.shape), -1) + np.triu(rng.normal(size=original.shape), 1)
    ours.load_state_dict(state)
    theirs.load_state_dict({name: torch.from_numpy(x) for name, x in state.items()})
    factors = rng.normal(size=ours.weight.shape)
    np.testing.assert_allclose(ours.weight.detach().numpy(), theirs.weight.detach().numpy(), atol=1e-12)
    gg.sum(ours.weight * factors).backward()
    (theirs.weight * torch.from_numpy(factors)).sum().backward()
    found, expected = (x.parametrizations.weight.original.grad.numpy() for x in (ours, theirs))
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_spectral_norm_moves_its_vectors_as_pytorch_does() -> None:
    ours = nn.utils.parametrizations.spectral_norm(nn.Linear(5, 4, dtype=gg.float64), n_power_iterations=2)
    theirs = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(5, 4).double(), n_power_iterations=2)
    theirs.load_state_dict({name: torch.from_numpy(np.array(x.array)) for name, x in ours.state_dict().items()})
    for _ in range(3):
        np.testing.assert_allclose(ours.weight.detach().numpy(), theirs.weight.detach().numpy(), atol=1e-12)
    for (name, x), (other, y) in zip(ours.named_buffers(), theirs.named_buffers(), strict=True):
        assert name == other
        np.testing.assert_allclose(x.numpy(), y.numpy(), atol=1e-12)
