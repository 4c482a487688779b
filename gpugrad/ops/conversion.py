"""From data to Tensors: asarray, tensor, from_dlpack."""

from __future__ import annotations

from typing import Any

import numpy

from gpugrad.arrays.devices import Device, DeviceLike, get_default_device, parse
from gpugrad.arrays.dlpack import load
from gpugrad.arrays.dtypes import DTypeLike, default_dtype, numpy_dtype
from gpugrad.arrays.kernels import is_cupy, strong
from gpugrad.errors import ConversionError, DTypeError, OptionError
from gpugrad.ops.dtypes import astype
from gpugrad.ops.large import SMALLEST, share
from gpugrad.ops.shape import stack
from gpugrad.ops.transfer import copy as copy_op
from gpugrad.ops.transfer import to_device
from gpugrad.tape import Tensor, raw, require_grad
from gpugrad.trees import leaves

_KINDS = {bool: "b", int: "i", float: "f", complex: "c"}


def asarray(
    obj: Any, /, *, dtype: DTypeLike | None = None, device: DeviceLike | None = None, copy: bool | None = None
) -> Tensor:
    """A Tensor from an array, a number, or nested lists of numbers, arrays and Tensors.

    Arrays are wrapped without a copy where dtype and device allow it and keep their dtype; Python floats take the default
    dtype, or that of the first Tensor beside them in a list. A Tensor passes with its gradient, also inside a list. Ops do not
    copy constants either: an array that is changed in place after it was used changes the gradients that are computed later.
    Raises DTypeError for what is no array of numbers, DeviceError for an absent device, OptionError if `copy` is False but a
    copy is needed.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.asarray.html
    """
    out = _wrap(obj, dtype, device)
    if dtype is not None and numpy_dtype(out.array.dtype) != numpy_dtype(dtype):
        out = astype(out, dtype)
    if device is not None:
        out = to_device(out, device)
    shared = raw(obj) is out.array
    if copy is False and not shared:
        raise OptionError(
            f"asarray: copy=False, but a Tensor of this {type(obj).__name__} with this dtype and device needs a copy"
        )
    return copy_op(out) if copy and shared else out


def _wrap(obj: Any, dtype: DTypeLike | None, device: DeviceLike | None) -> Tensor:
    if isinstance(obj, Tensor):
        return obj
    if type(obj) in _KINDS:
        number_dtype = default_dtype(_KINDS[type(obj)]) if dtype is None else numpy_dtype(dtype)
        return to_device(Tensor(_number(obj, number_dtype)), parse(device))
    if isinstance(obj, (list, tuple)):
        return _from_nested(obj, dtype, device)
    if is_cupy(type(obj)):
        return Tensor(obj)
    if not isinstance(obj, (numpy.ndarray, numpy.generic)):
        if hasattr(obj, "__array_namespace__"):
            return Tensor(obj)
        if hasattr(obj, "__dlpack__"):
            return from_dlpack(obj)
    array = numpy.asarray(obj)
    if array.dtype.kind not in "biufcV":  # V: bfloat16 of ml_dtypes
        raise DTypeError(
            f"asarray: got {type(obj).__name__} of dtype {array.dtype}, expected an array, a number, or nested lists of them"
        )
    if array.size >= SMALLEST:
        share()
    return Tensor(array)


def _number(x: Any, dtype: Any) -> Any:
    try:
        return numpy.asarray(x, dtype=dtype)
    except (TypeError, OverflowError) as error:
        raise DTypeError(f"asarray: got {x!r} for dtype {dtype}: {error}") from None


def _stacked(obj: Any, like: Any, dtype: DTypeLike | None) -> Tensor:
    """Nested lists with Tensors in them, of which `like` is the first: numbers adapt to its dtype and device."""
    if isinstance(obj, (list, tuple)):
        return stack([_stacked(x, like, dtype) for x in obj])
    if type(obj) in _KINDS:
        obj = _number(obj, numpy.result_type(numpy_dtype(like.dtype), obj) if dtype is None else numpy_dtype(dtype))[()]
    return Tensor(strong(obj, like)) if isinstance(obj, numpy.generic) else _wrap(obj, dtype, None)


def _from_nested(obj: Any, dtype: DTypeLike | None, device: DeviceLike | None) -> Tensor:
    flat = leaves(obj)
    first = next((x for x in flat if isinstance(x, Tensor) or is_cupy(type(x))), None)
    if first is not None:
        return _stacked(obj, raw(first), dtype)
    try:
        array = numpy.asarray(obj)
    except ValueError as error:
        raise DTypeError(f"asarray: the nested lists do not form a rectangular array of numbers: {error}") from None
    if array.dtype.kind not in "biufc":
        raise DTypeError(f"asarray: nested lists gave dtype {array.dtype}, expected booleans or numbers")
    if dtype is None and not any(hasattr(x, "dtype") for x in flat):  # Python numbers only: the default dtypes
        array = array.astype(default_dtype(array.dtype.kind.replace("u", "i")), copy=False)
    return to_device(Tensor(array), parse(device))


def home(data: Any) -> Device | None:
    """Where a new Tensor of `data` belongs: the default device for an array of NumPy; None, where it is, for anything else."""
    default = get_default_device() if isinstance(data, (numpy.ndarray, numpy.generic)) else None
    return default if isinstance(default, Device) else None


def tensor(
    data: Any, *, dtype: DTypeLike | None = None, device: DeviceLike | None = None, requires_grad: bool = False
) -> Tensor:
    """A new leaf Tensor with a copy of `data`, as ``torch.tensor``; it records from here on if `requires_grad`.

    Without `device`, an array of NumPy goes to the default device, as numbers do; a Tensor or a CuPy array is copied where it is.
    Raises ConversionError if `data` holds a Tensor that records, whose gradient would be lost; DTypeError if integers or
    booleans are to require a gradient; and what :func:`asarray` raises.
    """
    out = asarray(data, dtype=dtype, device=home(data) if device is None else device)
    if out.node is not None:
        raise ConversionError(
            "tensor: the data records, and its gradient would be lost; use gg.asarray to keep it, .detach() to drop it"
        )
    out = copy_op(out)
    return Tensor(out.array, require_grad(out.array)) if requires_grad else out


def from_dlpack(x: Any, /, *, device: DeviceLike | None = None, copy: bool | None = None) -> Tensor:
    """A Tensor over the memory of any array with ``__dlpack__``: NumPy, CuPy, PyTorch, JAX. No copy unless `copy` or `device` asks.

    A read-only array stays read-only; a Tensor passes with its gradient.
    Raises BufferError if `copy` is False and `device` is another than the array's, or if the array's library does not hand it out (a
    PyTorch tensor that requires a gradient); DTypeError for what has no ``__dlpack__`` and for dtypes that NumPy and CuPy lack,
    DeviceError for other devices than CPUs and CUDA GPUs.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.from_dlpack.html
    """
    out = x if isinstance(x, Tensor) else Tensor(load(x, device, copy))
    moved = out if device is None else to_device(out, device)
    if copy is False and moved is not out:
        raise BufferError(f"from_dlpack: copy=False, but the array is on {out.device}, not on {device}")
    return copy_op(out) if copy and moved is out else moved
