"""Copies: to another device, and on the same one."""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace

from gpugrad.arrays.devices import is_on, move, parse
from gpugrad.families import A, composite, primitive
from gpugrad.tape import raw


@primitive(x=lambda g, x_device: _to_device(g, x_device))
def _to_device(x: Any, /, device: Any) -> Any:
    return move(x, device)


@composite
def to_device(x: A, device: Any, /) -> A:
    """x on another device, "cpu", "cuda" or "cuda:1"; x itself if it is there. The gradient travels back.

    Raises DeviceError if the device is unknown or absent.
    """
    target = parse(device)
    if is_on(raw(x), target):
        return x
    out: A = _to_device(x, target)
    return out


@primitive(x=lambda g: g)
def copy(x: A, /) -> A:
    """A copy that shares no memory with x, on the same device."""
    return array_namespace(x).asarray(x, copy=True)
