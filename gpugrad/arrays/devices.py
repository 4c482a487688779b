"""Devices: their names, the current default, and moving raw arrays between them.

The names are PyTorch's: "cpu", "cuda" (the current GPU), "cuda:1" (a GPU by number); "auto" is the GPU if one can be used here, else
the CPU. The environment variable ``GPUGRAD_DEVICE`` (auto, cpu, cuda, cuda:N) names the default device, and falls back to the CPU as
"auto" does. CuPy is imported only when a GPU is asked for, or looked for.
"""

from __future__ import annotations

import functools
import importlib
import logging
import operator
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, NamedTuple, SupportsIndex, TypeAlias

import array_api_compat
import numpy

from gpugrad.arrays import allocator, pinned
from gpugrad.arrays.kernels import is_cupy
from gpugrad.errors import ConversionError, DeviceError, DTypeError, GpugradError
from gpugrad.modes import Default

_log = logging.getLogger("gpugrad")

INSTALL = 'python -m pip install "gpugrad[cuda12]" (or [cuda13], to match the CUDA version of your driver)'


_PLAIN = frozenset({int, bool, type(None)})


class Device:
    """A device: ``gg.device("cpu")``, ``gg.device("cuda")``, ``gg.device("cuda:1")``, ``gg.device("cuda", 1)``.

    ``gg.device("auto")`` is the current GPU, by its number, if one can be used here, else the CPU, which is said once, with the
    reason, to the logger "gpugrad". Compares equal to its name. As a context manager it is where creation functions create::

        with gg.device("cuda:1"):
            x = gg.zeros(3)        # on the second GPU

    Raises DeviceError for an unknown name. Whether the GPU exists is asked only when something is put there.
    """

    __slots__ = ("index", "type")

    def __init__(self, name: str | Device, index: int | None = None, /) -> None:
        text = str(name) if isinstance(name, (str, Device)) else ""
        if text == "auto" and index is None:
            text = str(_if_usable("cuda"))
        kind, colon, digits = text.partition(":")
        number: Any = index
        if colon and index is None and digits.isdecimal():
            number, colon = int(digits), ""
        if type(number) not in _PLAIN and isinstance(number, SupportsIndex):  # NumPy has integers too
            number = operator.index(number)
        good = number is None or (type(number) is int and number >= 0 and not (kind == "cpu" and number))
        if kind not in ("cpu", "cuda") or colon or not good:
            given = repr(name) if index is None else f"{name!r}, {index!r}"
            raise DeviceError(f"unknown device {given}: expected 'cpu', 'cuda' or 'cuda:N' with N a GPU's number, or 'auto'")
        self.type: str = kind
        self.index: int | None = number if kind == "cuda" else None

    def __repr__(self) -> str:
        return f"device({str(self)!r})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            if other == "auto":  # a wish, not a device
                return False
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
_default = Default("gpugrad_default_device", None)  # None: what the environment says, which is read when first needed


def get_default_device() -> Device:
    """Where creation functions create when no device is asked for.

    What was set last; else the environment's GPUGRAD_DEVICE, where "auto" is resolved and a GPU that cannot be used is the CPU;
    else the CPU. Raises DeviceError for a GPUGRAD_DEVICE that names no device.
    """
    device: Device | None = _default.get()
    return _environment_device() if device is None else device


@functools.cache
def _environment_device() -> Device:
    name = os.environ.get("GPUGRAD_DEVICE", "").strip() or "cpu"
    try:
        return Device(name) if name == "auto" else _if_usable(name)
    except DeviceError as error:
        raise DeviceError(f"the environment variable GPUGRAD_DEVICE: {error}") from None


def _if_usable(name: str) -> Device:
    """The device of this name if it can be used here, else the CPU; "cuda" becomes the number of the current GPU."""
    device = Device(name)
    if device.type == "cpu":
        return device
    problem = cuda_problem(device.index)
    if problem:
        say_once(f"computing on the CPU: {problem}")
        return CPU
    return device if device.index is not None else Device("cuda", import_cupy().cuda.Device().id)


@functools.cache
def say_once(text: str) -> None:
    _log.warning("gpugrad: %s", text)


@contextmanager
def creating_on(device: Any) -> Iterator[None]:
    """Create on `device`, which may be another array library's if it has an attribute ``namespace``, inside a with block."""
    token = _default.push(device)
    try:
        yield
    finally:
        _default.pop(token)


def set_default_device(device: DeviceLike, /) -> None:
    """Create on `device` from now on, where no device is asked for; "auto" for the GPU if there is one, else the CPU.

    Raises DeviceError if it is unknown or absent.
    """
    device = parse(device)
    if not isinstance(device, Device):
        raise DeviceError(f"set_default_device: got {device!r}, expected 'cpu', 'cuda' or 'cuda:N', or 'auto'")
    on(device)
    _default.set_everywhere(device)


def parse(device: Any) -> Any:
    """A Device from a Device or a name, and the default for None. Device objects of other array libraries pass unchanged."""
    if device is None:
        return get_default_device()
    return Device(device) if isinstance(device, str) else device


def device_of(array: Any) -> Any:
    """The device of a raw array; for other libraries than NumPy and CuPy, their own device object."""
    if isinstance(array, (numpy.ndarray, numpy.generic)):
        return CPU
    if is_cupy(type(array)):
        return _numbered(array.device.id)
    return array_api_compat.device(array)


@functools.cache
def _numbered(index: int) -> Device:
    """A GPU by its number, made once: every step of an optimizer asks where each parameter is."""
    return Device("cuda", index)


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
        cupy = importlib.import_module("cupy")
    except Exception as error:  # ImportError, or whatever a broken installation raises
        said = " ".join(str(error).split()) or type(error).__name__  # CuPy's own diagnosis has several lines
        raise DeviceError(f"CUDA needs CuPy, which cannot be imported ({said}); install it with: {INSTALL}") from None
    allocator.watch(cupy)
    return cupy


# Codes of the CUDA runtime.
_INSUFFICIENT_DRIVER, _NO_DEVICE = 35, 100


def cuda_problem(index: int | None = None) -> str:
    """Why CUDA, or the GPU of this number, cannot be used here, in one sentence that says what to do; empty if it can be.

    What CuPy 14 does in each case: without CuPy the import fails; without a driver it imports, driverGetVersion() is 0 and
    getDeviceCount() raises cudaErrorInsufficientDriver; with a driver older than the CUDA runtime inside CuPy the same is raised
    and driverGetVersion() tells its version; with a driver and no visible GPU cudaErrorNoDevice is raised.
    """
    try:
        _usable(index)
    except DeviceError as error:
        return str(error)
    return ""


def _usable(index: int | None) -> Any:
    """The cupy module, if CUDA and the GPU of this number can be used. Raises DeviceError that says why not."""
    cupy = import_cupy()
    try:
        count = int(cupy.cuda.runtime.getDeviceCount())
    except Exception as error:  # CUDARuntimeError, or whatever a half-installed CUDA raises
        said = " ".join(str(error).split())
        raise DeviceError(_driver_problem(cupy, getattr(error, "status", None), said)) from None
    if count == 0:
        raise DeviceError(_driver_problem(cupy, _NO_DEVICE, ""))
    if index is not None and index >= count:
        raise DeviceError(f"this machine has {count} GPU(s), numbered 0 to {count - 1}")
    return cupy


def _driver_problem(cupy: Any, status: int | None, said: str) -> str:
    """What the code and the text of an error of getDeviceCount() mean."""
    runtime, installed = cupy.cuda.runtime, f"CuPy {cupy.__version__} is installed, but"
    if status == _NO_DEVICE:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        hidden = "" if visible is None else f"; CUDA_VISIBLE_DEVICES is {visible!r}, which may hide one"
        return f"{installed} the NVIDIA driver reports no GPU{hidden}"
    if status != _INSUFFICIENT_DRIVER:
        return f"{installed} CUDA does not start: {said}"
    if driver := runtime.driverGetVersion():
        return (
            f"{installed} the NVIDIA driver is too old: it supports CUDA {cuda_version(driver)}, and this CuPy is built with CUDA "
            f"{cuda_version(runtime.runtimeGetVersion())}; update the driver, or install the CuPy that matches it: {INSTALL}"
        )
    return f"{installed} no NVIDIA driver was found; if there is a GPU, install its driver"


def cuda_version(number: int) -> str:
    """A version as CUDA numbers it: 12090 as "12.9"."""
    return f"{number // 1000}.{number % 1000 // 10}"


def cuda_device_count() -> int:
    """The number of CUDA GPUs; 0 without CuPy, without a driver, or without a GPU."""
    try:
        return int(import_cupy().cuda.runtime.getDeviceCount())
    except Exception:  # see cuda_problem
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
    try:
        cupy = _usable(device.index)
    except DeviceError as error:
        raise DeviceError(f"device {str(device)!r}: {error}") from None
    context: AbstractContextManager[Any] = cupy.cuda.Device(device.index)  # None: the current one
    return context


def gpu(device: int | DeviceLike | None = None) -> Device:
    """The GPU that PyTorch's functions about GPUs are given: by number or name, or None for the current one.

    Raises DeviceError for anything else. Whether it exists is asked when it is used.
    """
    if isinstance(device, SupportsIndex) and not isinstance(device, bool):
        return Device("cuda", operator.index(device))
    found = Device("cuda") if device is None else parse(device)
    if not isinstance(found, Device) or found.type != "cuda":
        raise DeviceError(f"device is {device!r}, expected a GPU: its number, 'cuda' or 'cuda:N'")
    return found


def is_on(array: Any, device: Any) -> bool:
    """Whether the raw array is on `device`. "cuda" without a number is the current GPU."""
    if isinstance(device, Device) and device.type == "cuda" and device.index is None:
        return is_cupy(type(array)) and array.device.id == import_cupy().cuda.Device().id
    return bool(device_of(array) == device)


def module(device: Device) -> Any:
    """The array module that creates on this device: numpy, or cupy (to be used within :func:`on`)."""
    return import_cupy() if device.type == "cuda" else numpy


def move(array: Any, device: Any, non_blocking: bool = False) -> Any:
    """`array` on `device`; the array itself if it is there already.

    To a GPU nothing waits for the copy, except from pinned memory: there the caller might change the array before it is copied, so it
    is waited for unless `non_blocking`. To the CPU the copy is waited for unless `non_blocking`: then the result, in pinned memory,
    may be read after ``gg.cuda.synchronize()``. All in the order of the current streams of the devices.
    Raises DeviceError if the device is absent, DTypeError for a dtype that GPUs do not have.
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
    if device.type == "cpu":
        return pinned.fetch(array) if non_blocking and is_cupy(type(array)) else to_numpy(array)
    with on(device):
        cupy = import_cupy()
        if is_cupy(type(array)):
            return array if array.device.id == cupy.cuda.Device().id else _from_peer(cupy, array)
        # CuPy copies the array into pinned memory of its own and from there on the current stream, so the array may change
        # at once; one that is pinned already is copied straight from where it is, and held until that is done.
        host = to_numpy(array)
        if not host.dtype.isnative:
            host = host.astype(host.dtype.newbyteorder("="))
        try:
            return cupy.asarray(host, blocking=not non_blocking and pinned.is_pinned(host))
        except ValueError:
            raise DTypeError(
                f"a GPU has no arrays of dtype {host.dtype}; convert them first, for instance with .astype(gg.float64)"
            ) from None


def _from_peer(cupy: Any, array: Any) -> Any:
    """A copy, on the current GPU, of an array on another. Its stream waits for what computes the array, the host does not."""
    here = cupy.cuda.get_current_stream()
    with array.device:
        there = cupy.cuda.get_current_stream()
        source = cupy.asarray(array, order="C")  # here: copy() would launch it where nothing waits for it
        computed = there.record(cupy.cuda.Event(disable_timing=True))
    here.wait_event(computed)
    out = source.copy()
    copied = here.record(cupy.cuda.Event(disable_timing=True))
    with array.device:
        there.wait_event(copied)  # else the memory of the source could be freed, and written to again, before it is read
    return out


def to_numpy(array: Any) -> Any:
    """`array` as a numpy.ndarray, without a copy where it is one already."""
    if isinstance(array, numpy.ndarray):
        return array
    if isinstance(array, numpy.generic):
        return numpy.asarray(array)
    if is_cupy(type(array)):
        with array.device:  # the copy goes on the current stream of that device
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
