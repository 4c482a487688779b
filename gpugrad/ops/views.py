"""The elements of an array seen as another dtype: complex numbers as pairs of real ones, and back."""

from __future__ import annotations

from typing import Any

from gpugrad.arrays.dtypes import DTypeLike, complex64, complex128, float32, float64, numpy_dtype
from gpugrad.errors import DTypeError, ShapeError
from gpugrad.families import A, composite
from gpugrad.ops.elementwise import imag, real
from gpugrad.ops.shape import reshape, stack

_PARTS = {complex64: float32, complex128: float64}


@composite
def view(x: A, dtype: DTypeLike, /) -> A:
    """x seen as the real numbers that make it up, or as the complex ones that they make up; with its own dtype, x itself.

    As NumPy's ``x.view(dtype)``: the real and imaginary parts stand side by side on the last axis. Differentiable.
    Raises DTypeError for another dtype, ShapeError for a 0-d array or an odd number of reals.
    """
    array: Any = x
    own, target, shape = numpy_dtype(array.dtype), numpy_dtype(dtype), tuple(array.shape)
    if own == target:
        return x
    if target not in (_PARTS.get(own), {part: whole for whole, part in _PARTS.items()}.get(own)):
        raise DTypeError(f"view: got {own} and {target}, expected a complex dtype and that of its real and imaginary parts")
    if not shape or (target in _PARTS and shape[-1] % 2):
        raise ShapeError(f"view: got shape {shape}, expected a last axis{' of even size' if target in _PARTS else ''}")
    if target in _PARTS:
        out = array[..., 0::2] + 1j * array[..., 1::2]
    else:
        out = reshape(stack([real(array), imag(array)], axis=-1), (*shape[:-1], 2 * shape[-1]))
    return out
