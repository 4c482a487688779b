"""Who is compared: gpugrad, its peers, and NumPy or CuPy by hand. Each peer is a column if it is installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gpugrad as gg
from benchmarks import peers

GPUGRAD = "gpugrad"
PYTORCH = "PyTorch eager"
COMPILED = "torch.compile"
JAX = "JAX jit"
AUTOGRAD = "HIPS autograd"
MYGRAD = "MyGrad"
NUMPY = "NumPy by hand"
CUPY = "CuPy by hand"

FASTEST = (PYTORCH, JAX)
"""What a target is a ratio to, unless it names others: the faster of these."""


def _nothing(result: Any) -> None:
    pass


@dataclass(frozen=True)
class Library:
    """A column: whether it can be had on a device, and how to wait for a result, where steps do not do so themselves."""

    name: str
    present: Callable[[str], bool]
    wait: Callable[[Any], None] = _nothing

    def column(self, device: str) -> str:
        """The name of the column; on a GPU those that compute there say so."""
        return self.name if device == "cpu" or self.name == CUPY else f"{self.name.removesuffix(' eager')} {device}"


def _wait_gpugrad(result: Any) -> None:
    if gg.cuda.is_available():
        gg.cuda.synchronize()


def _wait_torch(result: Any) -> None:
    torch: Any = peers.torch()
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _wait_jax(result: Any) -> None:
    jax: Any = peers.jax()
    jax.block_until_ready(result)


def _compiler() -> bool:
    return any(shutil.which(name) for name in (os.environ.get("CXX", "c++"), "g++", "clang++"))


def _cpu(present: Callable[[], Any]) -> Callable[[str], bool]:
    return lambda device: device == "cpu" and bool(present())


LIBRARIES = {
    library.name: library
    for library in (
        Library(GPUGRAD, lambda device: True, _wait_gpugrad),
        Library(PYTORCH, lambda device: peers.torch(device) is not None, _wait_torch),
        Library(COMPILED, lambda device: peers.torch(device) is not None and (device != "cpu" or _compiler()), _wait_torch),
        Library(JAX, _cpu(peers.jax), _wait_jax),
        Library(AUTOGRAD, _cpu(peers.autograd)),
        Library(MYGRAD, _cpu(peers.mygrad)),
        Library(NUMPY, lambda device: device == "cpu"),
        Library(CUPY, lambda device: device != "cpu", _wait_gpugrad),
    )
}
