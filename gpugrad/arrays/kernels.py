"""The kernel table of an op: ``kernels[type(array)]`` is the function that computes it, looked up once per array type.

Where a kernel comes from, in this order: the backend's own spelling (``arrays/numpy.py``, ``arrays/cupy.py``); the function
of that name in NumPy or CuPy; the op's definition, which is written against the Array API standard and runs on any array.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy
from array_api_compat import array_namespace

from gpugrad.arrays import numpy as numpy_backend
from gpugrad.arrays.dtypes import native_dtype
from gpugrad.errors import DeviceError, UnsupportedOperandError

Kernel: TypeAlias = Callable[..., Any]

# Python numbers adapt to the dtype and device of the array beside them; None stands for an operand left out.
WEAK = frozenset({bool, int, float, complex, type(None)})

# Libraries whose arrays lack __array_namespace__ but which array-api-compat knows.
_COMPAT_LIBRARIES = frozenset({"torch", "dask", "jax", "jaxlib", "dpnp", "ndonnx", "sparse"})


class Kernels(dict[type, Kernel]):
    """A table from array type to kernel that fills itself on first use."""

    __slots__ = ("definition", "name", "standard")

    def __init__(self, name: str, definition: Kernel, standard: bool = True) -> None:
        super().__init__()
        self.name = name
        self.definition = definition
        self.standard = standard  # whether a function of this name in numpy or cupy is this op

    def __missing__(self, array_type: type) -> Kernel:
        kernel = self[array_type] = self._find(array_type)
        return kernel

    def _find(self, array_type: type) -> Kernel:
        if issubclass(array_type, (numpy.ndarray, numpy.generic)):
            return numpy_backend.spelling(self.name, self.standard) or self.definition
        if is_cupy(array_type):
            # Imported with the first CuPy array, never before: importing CuPy is slow, and most machines lack it.
            cupy_backend = importlib.import_module("gpugrad.arrays.cupy")
            return cupy_backend.kernel(self.name, self.standard, self.definition)
        if array_type in WEAK:
            return _on_numbers(numpy_backend.spelling(self.name, self.standard) or self.definition)
        if hasattr(array_type, "__array_namespace__") or array_type.__module__.partition(".")[0] in _COMPAT_LIBRARIES:
            return self.definition
        raise UnsupportedOperandError(
            f"{self.name}: got {array_type.__name__}, expected a Tensor, an array or a number; convert it with gg.asarray"
        )


def is_cupy(array_type: type) -> bool:
    """Whether this is the array type of CuPy, told without importing CuPy."""
    return array_type.__module__.partition(".")[0] == "cupy"


def _on_numbers(kernel: Kernel) -> Kernel:
    """`kernel` from Python numbers to a Python number, which then still promotes as one (weakly)."""

    def number_kernel(*operands: Any, **options: Any) -> Any:
        out = kernel(*operands, **options)
        return out.item() if isinstance(out, (numpy.generic, numpy.ndarray)) and out.ndim == 0 else out

    return number_kernel


def mixed(kernels: Kernels, *operands: Any) -> tuple[Any, ...]:
    """The kernel for operands of different types, followed by the operands as that kernel wants them.

    Python numbers and NumPy scalars go with any array; two different kinds of array do not go together.
    """
    array_type: type | None = None
    for operand in operands:
        kind = type(operand)
        if kind in WEAK:
            continue
        if array_type is None:
            array_type = kind
        elif kind is not array_type:
            return _mixed_arrays(kernels, operands)
    if array_type is None:
        return (kernels[type(operands[0])], *operands)
    if issubclass(array_type, numpy.generic) or kernels[array_type] is not kernels.definition:
        return (kernels[array_type], *operands)
    return _mixed_arrays(kernels, operands)


def _mixed_arrays(kernels: Kernels, operands: tuple[Any, ...]) -> tuple[Any, ...]:
    arrays = [x for x in operands if type(x) not in WEAK and not isinstance(x, numpy.generic)]
    if not arrays:  # NumPy scalars of different dtypes
        return (kernels[numpy.ndarray], *operands)
    first = arrays[0]
    for other in arrays[1:]:
        if type(other) is not type(first) and not (isinstance(other, numpy.ndarray) and isinstance(first, numpy.ndarray)):
            kernels[type(other)]  # raises where it is no array at all
            raise DeviceError(
                f"{kernels.name}: operands are on {_place(first)} and {_place(other)}; move them to one device with .to(device)"
            )
    kernel = kernels[type(first)]
    if kernel is kernels.definition:
        return (kernel, *(strong(x, first) if isinstance(x, numpy.generic) else x for x in operands))
    return (kernel, *operands)


def _place(array: Any) -> str:
    """Where an array is, with its type: "cpu (numpy.ndarray)"."""
    kind = type(array)
    device = (
        f"cuda:{array.device.id}"
        if is_cupy(kind)
        else "cpu"
        if isinstance(array, numpy.ndarray)
        else getattr(array, "device", "?")
    )
    return f"{device} ({kind.__module__}.{kind.__qualname__})"


def strong(number: Any, like: Any) -> Any:
    """A number as a 0-d array of the library and device of `like`: a NumPy scalar keeps its dtype, a Python one takes `like`'s."""
    if isinstance(number, numpy.generic):
        dtype: Any = native_dtype(like, number.dtype)
        number = number.item()
    else:
        dtype = like.dtype
    if isinstance(like, (numpy.ndarray, numpy.generic)):
        return numpy.asarray(number, dtype=dtype)
    return array_namespace(like).asarray(number, dtype=dtype, device=getattr(like, "device", None))
