"""From a backend's exception to one clear sentence: the op, what it was given, what it expected."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy

from gpugrad.arrays.allocator import explained, ran_out
from gpugrad.arrays.devices import device_of
from gpugrad.arrays.kernels import WEAK, remedy
from gpugrad.errors import (
    AxisError,
    DeviceError,
    DTypeError,
    GpugradError,
    IndexingError,
    LinAlgError,
    OutOfMemoryError,
    ShapeError,
    UnsupportedOperandError,
)  # fmt: skip
from gpugrad.modes import AUTOCAST, flags

P = ParamSpec("P")
R = TypeVar("R")


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
        return DeviceError(f"{name}: operands are on {' and '.join(places)}; {remedy({type(x) for x in arrays})}")
    if isinstance(error, (GpugradError, Warning)):
        return error
    if isinstance(error, AttributeError):
        return _no_array(name, error, operands)
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


def explaining(function: Callable[P, R], casting: Callable[P, R] | None = None) -> Callable[P, R]:
    """`function`, which is written in ops, with errors that name it where an argument is no operand for those ops.

    `casting`, if there is one, runs in its place under autocast.
    """
    name = function.__name__

    @functools.wraps(function)
    def explained_function(*args: P.args, **kwargs: P.kwargs) -> R:
        if casting is not None and flags() & AUTOCAST:
            return casting(*args, **kwargs)
        try:
            return function(*args, **kwargs)
        except (AttributeError, TypeError) as error:
            called = error.__traceback__ is not None and error.__traceback__.tb_next is not None
            clear = _of_arguments(name, error, args, kwargs) if called else error  # otherwise the signature was not met
            if clear is error:
                raise
            raise clear from error

    return explained_function


def _of_arguments(name: str, error: Exception, args: tuple[Any, ...], options: dict[str, Any]) -> Exception:
    """The exception to raise in place of `error`, which something that the function `name` did with its arguments raised."""
    if isinstance(error, UnsupportedOperandError):
        said = str(error)
        return error if said.startswith(f"{name}:") else UnsupportedOperandError(f"{name}:{said.partition(':')[2]}")
    if isinstance(error, GpugradError):
        return error
    if isinstance(error, AttributeError):
        return _no_array(name, error, (*args, *options.values()))
    for x in (*args, *options.values()):  # an operator tells the types of what it cannot take
        if not _is_operand(x) and f"'{type(x).__name__}'" in str(error):
            return _unsupported(name, x)
    given = " and ".join(map(describe, args))
    settings = "".join(f", {key}={describe(value)}" for key, value in options.items())
    return DTypeError(f"{name}: got {given}{settings}: {error}")


def _no_array(name: str, error: AttributeError, operands: tuple[Any, ...]) -> Exception:
    """What to raise where an operand, or one of a list of them, lacks what arrays have; else `error`."""
    for x in operands:
        if any(error.obj is part for part in (x, *(x if isinstance(x, (list, tuple, str)) else ()))):
            return _unsupported(name, error.obj)
    return error


def _is_operand(x: Any) -> bool:
    return (type(x) in WEAK and x is not None) or hasattr(x, "shape")


def _unsupported(name: str, x: Any) -> UnsupportedOperandError:
    return UnsupportedOperandError(f"{name}: got {type(x).__name__}, expected a Tensor or an array; convert it with gg.asarray")


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
