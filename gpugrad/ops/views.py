"""The elements of an array seen as another dtype: complex numbers as pairs of real ones, and back."""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace

from gpugrad.arrays.dtypes import DTypeLike, complex64, complex128, float32, float64, numpy_dtype
from gpugrad.errors import DTypeError, ShapeError
from gpugrad.families import A, composite, primitive
from gpugrad.ops.elementwise import conj
from gpugrad.tape import raw

_OTHER = {complex64: float32, complex128: float64, float32: complex64, float64: complex128}
"""The dtype of the parts of each complex dtype, and the other way around."""


def _view_rule(g: Any) -> Any:
    # Of real x, of which g is complex: the parts of conj(g). Of complex x: the conjugate of what g are the parts of.
    return conj(_view(conj(g), _OTHER[numpy_dtype(raw(g).dtype)]))


@primitive(cancels=True, x=_view_rule)
def _view(x: Any, /, dtype: Any) -> Any:
    # NumPy and CuPy have a method. Here parts are put together by a sum, in which 1j * inf is nan + inf j.
    xp = array_namespace(x)
    if dtype.kind == "c":
        return x[..., 0::2] + 1j * x[..., 1::2]
    return xp.reshape(xp.stack([xp.real(x), xp.imag(x)], axis=-1), (*x.shape[:-1], 2 * x.shape[-1]))


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
    if target != _OTHER.get(own):
        raise DTypeError(f"view: got {own} and {target}, expected a complex dtype and that of its real and imaginary parts")
    pairs = own.kind == "f"
    if not shape or (pairs and shape[-1] % 2):
        raise ShapeError(f"view: got shape {shape}, expected a last axis{' of even size' if pairs else ''}")
    out: A = _view(x, target)
    return out
