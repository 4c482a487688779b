"""The kernel table of an op: ``kernels[type(array)]`` is the function that computes it, looked up once per array type.

Where a kernel comes from, in this order: the backend's own spelling (``arrays/numpy.py``, ``arrays/cupy.py``); the function
of that name in NumPy or CuPy; the op's definition, which is written against the Array API standard and runs on any array.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from types import NoneType
from typing import Any, TypeAlias

import numpy
from array_api_compat import array_namespace

from gpugrad.arrays import numpy as numpy_backend
from gpugrad.arrays.dtypes import native_dtype
from gpugrad.compile.sizes import Size
from gpugrad.errors import DeviceError, UnsupportedOperandError

Kernel: TypeAlias = Callable[..., Any]

# Python numbers adapt to the dtype and device of the array beside them; None stands for an operand left out.
WEAK = frozenset({bool, int, float, complex, Size, type(None)})

# Libraries whose arrays lack __array_namespace__ but which array-api-compat knows.
_COMPAT_LIBRARIES = frozenset({"torch", "dask", "jax", "jaxlib", "dpnp", "ndonnx", "sparse"})


class Kernels(dict[type, Kernel]):
    """A table from array type to kernel that fills itself on first use."""

    __slots__ = ("combined", "compiled", "definition", "name", "standard")

    def __init__(
        self, name: str, definition: Kernel, standard: bool = True, compiled: Callable[[Kernel], Kernel] | None = None
    ) -> None:
        super().__init__()
        self.name = name
        self.definition = definition
        self.standard = standard  # whether a function of this name in numpy or cupy is this op
        self.compiled = compiled  # from a kernel of NumPy or CuPy to one derived from the definition, which may fall back on it
        self.combined = Combined(self)  # for operands of different types

    def __missing__(self, array_type: type) -> Kernel:
        kernel = self[array_type] = self._find(array_type)
        return kernel

    def _find(self, array_type: type) -> Kernel:
        if issubclass(array_type, (numpy.ndarray, numpy.generic)):
            found = numpy_backend.spelling(self.name, self.standard) or self.definition
            return self.compiled(found) if self.compiled and array_type is numpy.ndarray else found
        if is_cupy(array_type):
            # Imported with the first CuPy array, never before: importing CuPy is slow, and most machines lack it.
            cupy_backend = importlib.import_module("gpugrad.arrays.cupy")
            kernel: Kernel = cupy_backend.kernel(self.name, self.standard, self.definition)
            return self.compiled(kernel) if self.compiled else kernel
        if array_type in WEAK and array_type is not NoneType:  # which stands only beside an array
            return _on_numbers(numpy_backend.spelling(self.name, self.standard) or self.definition)
        own = getattr(array_type, "__gpugrad_kernels__", {}).get(self.name)
        if own is not None:
            return own  # an array type may bring kernels for what the standard has no function for
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


class Combined(dict[tuple[type, ...], Kernel]):
    """A table from the types of several operands to the kernel for them, which fills itself on first use.

    Python numbers and NumPy scalars go with any array; two kinds of array do not go together.
    """

    __slots__ = ("kernels",)

    def __init__(self, kernels: Kernels) -> None:
        super().__init__()
        self.kernels = kernels

    def __missing__(self, types: tuple[type, ...]) -> Kernel:
        kernels = self.kernels
        if types[0] is NoneType:
            kernels[NoneType]  # raises: only what comes after the first operand may be left out
        arrays = sorted({numpy.ndarray if issubclass(t, numpy.ndarray) else t for t in types if not _is_number(t)}, key=str)
        arrays = [t for t in arrays if hasattr(t, "__gpugrad_kernels__")] or arrays  # which know what goes with them
        found = [kernels[t] for t in arrays]  # raises where one is no array at all
        if len(arrays) > 1:
            raise DeviceError(f"{kernels.name}: operands are on {' and '.join(map(_place, arrays))}; {remedy(arrays)}")
        scalars = [t for t in types if issubclass(t, numpy.generic)]
        if found:
            kernel = _strengthened(found[0]) if scalars and found[0] is kernels.definition else found[0]
        else:
            kernel = kernels[scalars[0] if scalars else types[0]]
        self[types] = kernel
        return kernel


def remedy(kinds: Iterable[type]) -> str:
    """What brings arrays of these types together."""
    if all(issubclass(kind, (numpy.ndarray, numpy.generic)) or is_cupy(kind) for kind in kinds):
        return "move them to one device with .to(device)"
    return "bring an array of another library with gg.from_dlpack, or gg.asarray"


def _is_number(kind: type) -> bool:
    return kind in WEAK or issubclass(kind, numpy.generic)


def _place(kind: type) -> str:
    """Where arrays of a type are: "cpu (numpy.ndarray)"."""
    device = "cuda " if is_cupy(kind) else "cpu " if kind is numpy.ndarray else ""
    return f"{device}({kind.__module__}.{kind.__qualname__})"


def _strengthened(kernel: Kernel) -> Kernel:
    """`kernel` for operands with NumPy scalars, which other array libraries refuse: they become arrays of the library."""

    def with_arrays(*operands: Any, **options: Any) -> Any:
        like = next(x for x in operands if not _is_number(type(x)))
        return kernel(*(strong(x, like) if isinstance(x, numpy.generic) else x for x in operands), **options)

    return with_arrays


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
