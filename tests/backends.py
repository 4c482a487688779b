"""The array libraries that every op is tested on.

Each is there for what it refuses: read-only NumPy arrays refuse that an op writes into its inputs; array-api-strict refuses
what is not in the standard and, on its pretend device, whatever was created without asking for the device of the operands.
"""

from __future__ import annotations

from typing import Any

import array_api_strict
import numpy

from gpugrad.check.backend import CUPY, NUMPY, Backend

array_api_strict.set_array_api_strict_flags(api_version="2025.12")
_PRETEND_DEVICE = array_api_strict.Device("device1")


def _read_only(x: Any) -> Any:
    out = numpy.array(x)
    out.flags.writeable = False
    return out


def _strict(x: Any) -> Any:
    return array_api_strict.asarray(x, device=_PRETEND_DEVICE)


def _from_strict(x: Any) -> Any:
    return numpy.asarray(x.to_device(array_api_strict.Device("CPU_DEVICE")))


READ_ONLY = Backend("numpy-read-only", _read_only, numpy.asarray, "cpu")
STRICT = Backend("array-api-strict", _strict, _from_strict, _PRETEND_DEVICE)
WITHOUT_CUPY = "no CUDA GPU here; GPUGRAD_TEST_STANDIN=1 runs these tests on the stand-in of tests/standin"

BACKENDS = (NUMPY, READ_ONLY, STRICT, CUPY)
