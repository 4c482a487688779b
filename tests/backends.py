"""The array libraries that every op is tested on.

Each is there for what it refuses: read-only NumPy arrays refuse that an op writes into its inputs; array-api-strict refuses
what is not in the standard and, on its pretend device, whatever was created without asking for the device of the operands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import array_api_strict
import numpy

from gpugrad import cuda
from gpugrad.arrays.devices import import_cupy

array_api_strict.set_array_api_strict_flags(api_version="2025.12")
_PRETEND_DEVICE = array_api_strict.Device("device1")


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


def _read_only(x: Any) -> Any:
    out = numpy.array(x)
    out.flags.writeable = False
    return out


def _strict(x: Any) -> Any:
    return array_api_strict.asarray(x, device=_PRETEND_DEVICE)


def _from_strict(x: Any) -> Any:
    return numpy.asarray(x.to_device(array_api_strict.Device("CPU_DEVICE")))


def _cupy_name() -> str:
    return "cupy-standin" if cuda.is_available() and hasattr(import_cupy(), "standin") else "cupy"


NUMPY = Backend("numpy", numpy.array, numpy.asarray, "cpu")
READ_ONLY = Backend("numpy-read-only", _read_only, numpy.asarray, "cpu")
STRICT = Backend("array-api-strict", _strict, _from_strict, _PRETEND_DEVICE)
CUPY = Backend(_cupy_name(), lambda x: import_cupy().asarray(x), lambda x: x.get(), "cuda:0", cuda.is_available())

WITHOUT_CUPY = "no CUDA GPU here; GPUGRAD_TEST_STANDIN=1 runs these tests on the stand-in of tests/standin"

BACKENDS = (NUMPY, READ_ONLY, STRICT, CUPY)
