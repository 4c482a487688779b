"""Copies between the CPU and a GPU: what moving data there and back costs, which the other cases leave out."""

from __future__ import annotations

from gpugrad.arrays.devices import CPU, Device, move, on
from gpugrad.arrays.pinned import pin
from gpugrad.bench.case import Case, Work, there, uniform

BYTES = (1 << 12, 1 << 16, 1 << 20, 1 << 24, 1 << 27)
QUICK = (1 << 24, 1 << 12)


def _to_device(size: int, device: Device) -> Work:
    (host,) = uniform((size // 4,))
    return Work.of(lambda: move(host, device))


def _from_pinned(size: int, device: Device) -> Work:
    with on(device):
        host = pin(*uniform((size // 4,)))
    return Work.of(lambda: move(host, device, non_blocking=True))


def _to_host(size: int, device: Device) -> Work:
    (array,) = there(uniform((size // 4,)), device)
    return Work.of(lambda: move(array, CPU))


CASES = tuple(
    Case(name, work, "bytes", BYTES, QUICK, prepare, devices=("cuda",), moved=lambda size: size)
    for name, work, prepare in (
        ("to the GPU", "an array of NumPy's", _to_device),
        ("from pinned", "memory to the GPU", _from_pinned),
        ("to the CPU", "an array of CuPy's", _to_host),
    )
)
