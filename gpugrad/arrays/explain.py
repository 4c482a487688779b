"""From a backend's exception to one clear sentence: the op, what it was given, what it expected."""

from __future__ import annotations

from typing import Any

import numpy

from gpugrad.arrays.allocator import explained, ran_out
from gpugrad.arrays.devices import device_of
from gpugrad.arrays.kernels import WEAK
from gpugrad.errors import (
    AxisError,
    DeviceError,
    DTypeError,
    GpugradError,
    IndexingError,
    LinAlgError,
    OutOfMemoryError,
    ShapeError,
)  # fmt: skip


def describe(operand: Any) -> str:
    """What an operand is, in a few words: "float32 (3, 4)"."""
    if type(operand) in WEAK:
        return repr(operand)
    if isinstance(operand, (list, tuple)):
        return "[" + ", ".join(map(describe, operand)) + "]"
    if hasattr(operand, "shape") and hasattr(operand, "dtype"):
        return f"{operand.dtype} {tuple(operand.shape)}"
    return type(operand).__name__


def explain(name: str, error: Exception, operands: tuple[Any, ...], options: dict[str, Any]) -> Exception:
    """The exception to raise in place of `error`, which the kernel of `name` raised for `operands`.

    What is not about shapes, dtypes, devices, indices or the memory of a GPU (warnings turned into errors) is returned as it is.
    """
    if ran_out(error):
        return explained(error, name)
    if isinstance(error, OutOfMemoryError) and not error.op:
        error.op = name
    arrays = [x for x in operands if type(x) not in WEAK and hasattr(x, "shape")]
    if isinstance(error, DeviceError) and len({type(x) for x in arrays}) > 1:  # told by the types, which know no GPU's number
        places = sorted({f"{device_of(x)} ({type(x).__module__}.{type(x).__qualname__})" for x in arrays})
        return DeviceError(f"{name}: operands are on {' and '.join(places)}; move them to one device with .to(device)")
    if isinstance(error, (GpugradError, Warning)):
        return error
    kind = _kind(error)
    if kind is None:
        return error
    devices = {str(device_of(x)) for x in arrays}
    if len(devices) > 1:
        return DeviceError(f"{name}: operands are on {' and '.join(sorted(devices))}; move them to one device with .to(device)")
    given = " and ".join(map(describe, operands))
    settings = "".join(
        f", {key}={describe(value)}" for key, value in options.items() if value is not None and value is not False
    )
    if kind is ShapeError and name == "matmul":
        return ShapeError(f"matmul: got {given}: {_unfit(*(tuple(getattr(x, 'shape', ())) for x in operands))}")
    if kind is ShapeError and len(arrays) > 1 and not options and not _broadcast(arrays):
        return ShapeError(
            f"{name}: shapes {' and '.join(str(tuple(x.shape)) for x in arrays)} do not broadcast: "
            "each pair of sizes, counted from the right, must be equal or contain a 1"
        )
    return kind(f"{name}: got {given}{settings}: {str(error).rstrip('.')}")


def _kind(error: Exception) -> type[Exception] | None:
    if isinstance(error, OverflowError) or "negative integer powers" in str(error):
        return DTypeError  # a Python number that the dtype cannot hold; integers of which reciprocals are asked
    if isinstance(error, numpy.exceptions.AxisError):
        return AxisError
    if isinstance(error, numpy.linalg.LinAlgError):
        return LinAlgError
    if isinstance(error, IndexError):
        return IndexingError
    if isinstance(error, TypeError):
        return DTypeError
    return ShapeError if isinstance(error, ValueError) else None


def _unfit(shape1: tuple[int, ...], shape2: tuple[int, ...]) -> str:
    """Why arrays of these shapes have no matrix product."""
    if not (shape1 and shape2):
        return "expected one dimension or more of each"
    inner1, inner2 = shape1[-1], shape2[-2 if len(shape2) > 1 else -1]
    if inner1 != inner2:
        return f"the inner sizes, {inner1} and {inner2}, must be equal"
    return f"the leading shapes {shape1[:-2]} and {shape2[:-2]} do not broadcast"


def _broadcast(arrays: list[Any]) -> bool:
    try:
        numpy.broadcast_shapes(*(tuple(x.shape) for x in arrays))
    except ValueError:
        return False
    return True
