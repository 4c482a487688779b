"""The Array API view of gpugrad: what ``x.__array_namespace__()`` can be asked about itself.

Standard: https://data-apis.org/array-api/latest/API_specification/inspection.html
"""

from __future__ import annotations

from typing import Any

from gpugrad.arrays.devices import CPU, Device, cuda_device_count, get_default_device, gpu, import_cupy, parse
from gpugrad.arrays.dtypes import (
    bool_,
    complex64,
    complex128,
    default_dtype,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)  # fmt: skip
from gpugrad.ops.dtypes import isdtype

SUPPORTED_API_VERSIONS = ("2022.12", "2023.12", "2024.12", "2025.12")
__array_api_version__ = SUPPORTED_API_VERSIONS[-1]

_DTYPES = {
    dtype.name: dtype
    for dtype in (
        bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64, complex64, complex128,
    )
}  # fmt: skip


class Info:
    """Capabilities, devices and dtypes of this namespace."""

    def capabilities(self) -> dict[str, Any]:
        """What the standard leaves open: boolean indexing and data-dependent shapes work; up to 64 dimensions."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> Device:
        """The device on which creation functions create; a GPU by its number, as :meth:`devices` lists them."""
        device = get_default_device()
        return gpu(import_cupy().cuda.Device().id) if device == "cuda" else device

    def devices(self) -> tuple[Device, ...]:
        """The CPU and the CUDA GPUs of this machine."""
        return (CPU, *(Device("cuda", i) for i in range(cuda_device_count())))

    def default_dtypes(self, *, device: Any = None) -> dict[str, Any]:
        """The dtypes that Python numbers take."""
        parse(device)
        return {
            "real floating": default_dtype("f"), "complex floating": default_dtype("c"), "integral": int64, "indexing": int64,
        }  # fmt: skip

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, Any]:
        """The dtypes of a kind (see :func:`gpugrad.isdtype`), or all, by name."""
        parse(device)
        if kind == ():
            return {}
        return {name: dtype for name, dtype in _DTYPES.items() if kind is None or isdtype(dtype, kind)}


def __array_namespace_info__() -> Info:
    """What this namespace can do, as the standard defines it."""
    return Info()
