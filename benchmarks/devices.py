"""What cases need on a device: waiting for it."""

from __future__ import annotations

from collections.abc import Callable

import gpugrad as gg


def waiting(device: str) -> Callable[[], None]:
    """A function that waits until the GPU has finished; on the CPU there is nothing to wait for."""
    return (lambda: None) if device == "cpu" else (lambda: gg.cuda.synchronize(device))
