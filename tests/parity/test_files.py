"""Weights to and from PyTorch: a file that ``safetensors.torch`` wrote gives the same outputs here, and one written here there.

Run by ``python -m nox -s parity``.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parity.peers import torch

import gpugrad as gg
from gpugrad import nn

safetensors_torch = importlib.import_module(
    "safetensors.torch"
)  # after parity.peers, which skips this where there is no PyTorch
X = np.random.default_rng(0).normal(size=(4, 3, 8, 8)).astype("float32")


def model(lib: Any) -> Any:
    """A convolutional network with buffers, of the layers of a library."""
    return lib.Sequential(
        lib.Conv2d(3, 4, 3, padding=1), lib.BatchNorm2d(4), lib.ReLU(), lib.Flatten(), lib.Linear(256, 10), lib.LayerNorm(10)
    )  # fmt: skip


def trained(peer: Any) -> Any:
    """PyTorch's model after a pass in training, which fills its buffers: one of them is a 0-d int64."""
    with torch.no_grad():
        for p in peer.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
        peer.train()(torch.from_numpy(X))
    return peer.eval()


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_from_pytorch(tmp_path: Path, dtype: str) -> None:
    peer = trained(model(torch.nn)).to(getattr(torch, dtype))
    safetensors_torch.save_file(peer.state_dict(), tmp_path / "model.safetensors")
    loaded = gg.load(tmp_path / "model.safetensors")
    assert set(loaded) == set(peer.state_dict())
    assert loaded["1.num_batches_tracked"].shape == () and loaded["1.num_batches_tracked"].item() == 1
    ours = model(nn).eval()
    assert list(ours.state_dict()) == list(peer.state_dict())
    ours.load_state_dict(loaded)
    with torch.no_grad():
        expected = peer.float()(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(ours(X).detach().numpy(), expected, rtol=1e-5, atol=1e-5)


def test_to_pytorch(tmp_path: Path) -> None:
    ours = model(nn)
    ours(X)  # fills the buffers
    ours.eval()
    gg.save(ours.state_dict(), tmp_path / "model.safetensors")
    peer = model(torch.nn).eval()
    peer.load_state_dict(safetensors_torch.load_file(tmp_path / "model.safetensors"))
    assert peer[1].num_batches_tracked.dtype == torch.int64 and peer[1].num_batches_tracked.shape == ()
    with torch.no_grad():
        np.testing.assert_allclose(peer(torch.from_numpy(X)).numpy(), ours(X).detach().numpy(), rtol=1e-5, atol=1e-5)


def test_every_dtype_goes_around(tmp_path: Path) -> None:
    given = {
        name: torch.tensor([[1, 0, 1]], dtype=getattr(torch, name))
        for name in (
            "bool",
            "int8",
            "int16",
            "int32",
            "int64",
            "uint8",
            "float16",
            "float32",
            "float64",
            "bfloat16",
            "complex64",
        )
    }
    given |= {"0-d": torch.tensor(2.5), "empty": torch.zeros(0, 3)}
    safetensors_torch.save_file(given, tmp_path / "x.safetensors")
    loaded = gg.load(tmp_path / "x.safetensors")
    gg.save(loaded, tmp_path / "y.safetensors")
    again = safetensors_torch.load_file(tmp_path / "y.safetensors")
    for name, x in given.items():
        dtype = torch.float32 if name == "bfloat16" else x.dtype  # NumPy has none: widened, exactly
        assert again[name].dtype == dtype and torch.equal(again[name], x.to(dtype)), name
