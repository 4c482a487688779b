"""Devices: their names, the current default, and moving raw arrays between them.

The names are PyTorch's: "cpu", "cuda" (the current GPU), "cuda:1" (a GPU by number). CuPy is imported only when a GPU is asked
for, or looked for.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, NamedTuple, TypeAlias

import array_api_compat
import numpy

from gpugrad.arrays.kernels import is_cupy
from gpugrad.errors import ConversionError, DeviceError, GpugradError
from gpugrad.modes import Default

INSTALL = 'python -m pip install "gpugrad[cuda12]" (or [cuda13], to match the CUDA version of your driver)'


class Device:
    """A device: ``gg.device("cpu")``, ``gg.device("cuda")``, ``gg.device("cuda:1")``, ``gg.device("cuda", 1)``.

    Compares equal to its name. As a context manager it is where creation functions create::

        with gg.device("cuda:1"):
            x = gg.zeros(3)        # on the second GPU

    Raises DeviceError for an unknown name. Whether the GPU exists is asked only when something is put there.
    """

    __slots__ = ("index", "type")

    def __init__(self, name: str | Device, index: int | None = None, /) -> None:
        text = str(name) if isinstance(name, (str, Device)) else ""
        kind, colon, digits = text.partition(":")
        number = index
        if colon and index is None and digits.isdecimal():
            number, colon = int(digits), ""
        good = number is None or (isinstance(number, int) and number >= 0 and not (kind == "cpu" and number))
        if kind not in ("cpu", "cuda") or colon or not good:
            raise DeviceError(f"unknown device {name!r}: expected 'cpu', 'cuda' or 'cuda:N' with N a GPU's number")
        self.type: str = kind
        self.index: int | None = number if kind == "cuda" else None

    def __repr__(self) -> str:
        return f"device({str(self)!r})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            try:
                other = Device(other)
            except DeviceError:
                return False
        return isinstance(other, Device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash(str(self))  # it equals its name

    def __reduce__(self) -> tuple[Any, ...]:
        return Device, (str(self),)

    def __enter__(self) -> Device:
        entered = on(self)
        entered.__enter__()
        _entered.set((*_entered.get(), (_default.push(self), entered)))
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: TracebackType | None) -> None:
        *outer, (token, entered) = _entered.get()
        _entered.set(tuple(outer))
        _default.pop(token)
        entered.__exit__(kind, error, trace)


DeviceLike: TypeAlias = "Device | str"

# Of every `with device:` block that is open in this context, outermost first: how to leave it.
_entered: ContextVar[tuple[tuple[Token[Any], AbstractContextManager[Any]], ...]] = ContextVar("gpugrad_devices", default=())

CPU = Device("cpu")
_default = Default("gpugrad_default_device", CPU)


def get_default_device() -> Device:
    """Where creation functions create when no device is asked for."""
    device: Device = _default.get()
    return device


@contextmanager
def creating_on(device: Any) -> Iterator[None]:
    """Create on `device`, which may be another array library's if it has an attribute ``namespace``, inside a with block."""
    token = _default.push(device)
    try:
        yield
    finally:
        _default.pop(token)


def set_default_device(device: DeviceLike, /) -> None:
    """Create on `device` from now on, where no device is asked for. Raises DeviceError if it is unknown or absent."""
    device = parse(device)
    if not isinstance(device, Device):
        raise DeviceError(f"set_default_device: got {device!r}, expected 'cpu', 'cuda' or 'cuda:N'")
    on(device)
    _default.set_everywhere(device)


def parse(device: Any) -> Any:
    """A Device from a Device or a name, the default for None, and "auto" for a GPU if there is one.

    Device objects of other array libraries pass through unchanged.
    """
    if device is None:
        return get_default_device()
    if isinstance(device, str):
        if device == "auto":
            return Device("cuda", 0) if cuda_is_available() else CPU
        return Device(device)
    return device


def device_of(array: Any) -> Any:
    """The device of a raw array; for other libraries than NumPy and CuPy, their own device object."""
    if isinstance(array, (numpy.ndarray, numpy.generic)):
        return CPU
    if is_cupy(type(array)):
        return Device("cuda", array.device.id)
    return array_api_compat.device(array)


class Elsewhere(NamedTuple):
    """A device of another array library, and that library, which the device alone does not tell."""

    namespace: Any
    device: Any


def place_of(array: Any) -> Any:
    """Where to :func:`move` what belongs to a raw array: its device, and its library if that is neither NumPy nor CuPy."""
    device = device_of(array)
    return device if isinstance(device, Device) else Elsewhere(array_api_compat.array_namespace(array), device)


def import_cupy() -> Any:
    """The cupy module. Raises DeviceError with the command that installs it."""
    try:
        # Not at the top: most machines lack CuPy, and importing it costs most of a second.
        return importlib.import_module("cupy")
    except ImportError as error:
        raise DeviceError(f"CUDA needs CuPy, which cannot be imported ({error}); install it with: {INSTALL}") from None


def cuda_device_count() -> int:
    """The number of CUDA GPUs; 0 without CuPy, without a driver, or without a GPU."""
    try:
        return int(import_cupy().cuda.runtime.getDeviceCount())
    except Exception:  # DeviceError, CUDARuntimeError, or whatever a half-installed CUDA raises: no GPU to be used
        return 0


def cuda_is_available() -> bool:
    """Whether arrays can be put on a CUDA GPU here: CuPy imports, and there is a driver and at least one GPU."""
    return cuda_device_count() > 0


def several_gpus() -> bool:
    """Whether arrays may be on several GPUs, so that it matters on which of them CuPy computes."""
    # That module comes with the first CuPy array, and until then there is nothing on a GPU.
    return "gpugrad.arrays.cupy" in sys.modules and cuda_device_count() > 1


def on(device: Any) -> AbstractContextManager[Any]:
    """A context in which CuPy creates on `device`; does nothing for the CPU.

    Raises DeviceError if CuPy, the driver or that GPU is absent.
    """
    if not isinstance(device, Device) or device.type == "cpu":
        return nullcontext()
    cupy = import_cupy()
    count = cuda_device_count()
    if count == 0:
        raise DeviceError(
            f"device {str(device)!r}: CuPy {cupy.__version__} is installed, but no CUDA driver or GPU was found; "
            f"if there is a GPU, install the CuPy that matches its driver: {INSTALL}"
        )
    index = device.index if device.index is not None else cupy.cuda.Device().id
    if index >= count:
        raise DeviceError(f"device {str(device)!r}: this machine has {count} GPU(s), numbered 0 to {count - 1}")
    context: AbstractContextManager[Any] = cupy.cuda.Device(index)
    return context


def is_on(array: Any, device: Any) -> bool:
    """Whether the raw array is on `device`. "cuda" without a number is the current GPU."""
    if isinstance(device, Device) and device.type == "cuda" and device.index is None:
        return is_cupy(type(array)) and array.device.id == import_cupy().cuda.Device().id
    return bool(device_of(array) == device)


def module(device: Device) -> Any:
    """The array module that creates on this device: numpy, or cupy (to be used within :func:`on`)."""
    return import_cupy() if device.type == "cuda" else numpy


def move(array: Any, device: Any) -> Any:
    """`array` on `device`; the array itself if it is there already.

    Raises DeviceError if the device is absent.
    """
    if isinstance(device, Elsewhere):
        if hasattr(array, "__array_namespace__") and array_api_compat.array_namespace(array) is device.namespace:
            return array_api_compat.to_device(array, device.device)
        return device.namespace.asarray(to_numpy(array), device=device.device)
    if not isinstance(device, Device):  # another library's device: only that library's arrays go there
        if device_of(array) == device:
            return array
        if isinstance(array, (numpy.ndarray, numpy.generic)) or is_cupy(type(array)):
            raise DeviceError(f"device is {device!r}, expected 'cpu', 'cuda' or 'cuda:N' for an array on {device_of(array)}")
        return array_api_compat.to_device(array, device)
    kind = type(array)
    if device.type == "cpu":
        return to_numpy(array)
    with on(device):
        cupy = import_cupy()
        if is_cupy(kind):
            here = cupy.cuda.Device().id
            return array if array.device.id == here else cupy.array(array)
        return cupy.asarray(to_numpy(array))


def to_numpy(array: Any) -> Any:
    """`array` as a numpy.ndarray, without a copy where it is one already."""
    if isinstance(array, numpy.ndarray):
        return array
    if isinstance(array, numpy.generic):
        return numpy.asarray(array)
    if is_cupy(type(array)):
        return array.get()
    if hasattr(array, "__dlpack__"):
        try:
            return numpy.from_dlpack(array)
        except (TypeError, RuntimeError, BufferError, ValueError):
            pass  # other CPU libraries may lack parts of the protocol, and offer __array__
    try:
        return numpy.asarray(array)
    except GpugradError:  # which says it better
        raise
    except Exception as error:
        raise ConversionError(f"{type(array).__name__} cannot be converted to NumPy: {error}") from error
