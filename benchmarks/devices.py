"""What every case needs on a device: waiting for it, and the names of the columns there."""

from __future__ import annotations

from collections.abc import Callable

import gpugrad as gg


def waiting(device: str) -> Callable[[], None]:
    """A function that waits until the GPU has finished; on the CPU there is nothing to wait for."""
    return (lambda: None) if device == "cpu" else (lambda: gg.cuda.synchronize(device))


def gpugrad_columns(device: str) -> dict[str, str]:
    """The devices on which gpugrad is measured, by the name of the column: a GPU is compared with the CPU of its machine."""
    return {"gpugrad": "cpu"} if device == "cpu" else {f"gpugrad {device}": device, "gpugrad cpu": "cpu"}
