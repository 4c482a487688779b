"""The other libraries, each an optional column: absent ones are left out."""

from __future__ import annotations

import importlib
import os
from typing import Any


def torch(device: str = "cpu") -> Any:
    """PyTorch with as many threads as the others have, or None if it is not installed, or cannot use `device`."""
    found = _module("torch")
    if found is None or (device != "cpu" and not found.cuda.is_available()):
        return None
    threads = os.environ.get("OMP_NUM_THREADS")
    if threads:
        found.set_num_threads(int(threads))
    return found


def jax() -> Any:
    """JAX on the CPU, or None. XLA takes its number of threads from the environment's NPROC when it starts; see cases/apart.py."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    return _module("jax")


def autograd() -> Any:
    """HIPS autograd, or None."""
    return _module("autograd")


def mygrad() -> Any:
    """MyGrad, or None."""
    return _module("mygrad")


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
