"""What an array library has to offer for records to run on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy

from gpugrad import cuda
from gpugrad.arrays.devices import Device, import_cupy, move, to_numpy


@dataclass(frozen=True)
class Backend:
    """An array library: how to make its arrays from NumPy's, and how to get them back."""

    name: str
    asarray: Callable[[Any], Any]
    to_numpy: Callable[[Any], Any]
    device: Any
    available: bool = True

    def is_array(self, x: Any) -> bool:
        """Whether x is an array of this library: nothing was computed elsewhere. 0-d results of NumPy may be its scalars."""
        return isinstance(x, (type(self.asarray(numpy.ones(1))), numpy.generic if self.device == "cpu" else ()))


def _cupy_name() -> str:
    return "cupy-standin" if cuda.is_available() and hasattr(import_cupy(), "standin") else "cupy"


NUMPY = Backend("numpy", numpy.array, numpy.asarray, "cpu")
CUPY = Backend(_cupy_name(), lambda x: import_cupy().asarray(x), lambda x: x.get(), "cuda:0", cuda.is_available())


def on(name: str) -> Backend:
    """The backend of a device by name: NumPy's for "cpu", CuPy's on one of the GPUs for "cuda" and "cuda:1"."""
    device = Device(name)
    if device.type == "cpu":
        return NUMPY
    number = device.index or 0
    return Backend(
        _cupy_name(), lambda x: move(numpy.asarray(x), Device("cuda", number)), to_numpy, f"cuda:{number}", CUPY.available
    )
