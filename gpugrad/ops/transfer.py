"""Copies: to another device, and on the same one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from array_api_compat import array_namespace

from gpugrad.arrays.devices import is_on, move, parse
from gpugrad.arrays.dtypes import is_dtype
from gpugrad.errors import DeviceError, DTypeError
from gpugrad.families import A, composite, primitive
from gpugrad.modes import DEBUG, flags
from gpugrad.tape import Tensor, raw


# The gradient is waited for, also where x was not: the rules that take it from here may run on the host.
@primitive(x=lambda g, x_device: _to_device(g, x_device))
def _to_device(x: Any, /, device: Any, non_blocking: bool = False) -> Any:
    return move(x, device, non_blocking)


@composite
def to_device(x: A, device: Any, /, *, non_blocking: bool = False) -> A:
    """x on another device, "cpu", "cuda", "cuda:1" or "auto"; x itself if it is there. The gradient travels back.

    A copy to a GPU goes through pinned memory on its current stream, and nothing waits for it, unless x is in pinned memory itself:
    then it is waited for, or with `non_blocking` x must stay as it is until the copy is done. A copy to the CPU is waited for;
    with `non_blocking` it goes into pinned memory, which may be read after ``gg.cuda.synchronize()`` and holds anything before.
    Raises DeviceError if the device is unknown or absent.
    """
    target = parse(device)
    if is_on(raw(x), target):
        return x
    # Debug mode looks at the result at once.
    out: A = _to_device(x, target, non_blocking and not flags() & DEBUG)
    return out


def destination(name: str, where: Iterable[Any], device: Any, dtype: Any) -> tuple[Any, Any]:
    """The device and the dtype that the arguments of a method ``to`` ask for, None for none: `where` holds those without a name."""
    devices = [] if device is None else [device]
    for target in where:
        if isinstance(target, Tensor):
            devices.append(target.device)
            dtype = target.dtype
        elif isinstance(target, bool):
            raise DTypeError(
                f"{name}: got {target}, expected a device, a dtype or a Tensor; did you mean non_blocking={target}?"
            )
        elif is_dtype(target):
            dtype = target
        elif target is not None:
            devices.append(target)
    if len(devices) > 1:
        raise DeviceError(f"{name}: got the devices {' and '.join(map(str, devices))}, expected one")
    return (parse(devices[0]) if devices else None), dtype


@primitive(x=lambda g: g)
def copy(x: A, /) -> A:
    """A copy that shares no memory with x, on the same device."""
    return array_namespace(x).asarray(x, copy=True)
