"""What the functions of linear algebra ask of their operands, refused in the same words on every backend."""

from __future__ import annotations

from typing import Any

from gpugrad.arrays.dtypes import complex64, complex128, float32, float64, is_inexact, numpy_dtype
from gpugrad.arrays.explain import describe
from gpugrad.errors import DTypeError, ShapeError, UnsupportedOperandError
from gpugrad.tape import raw

_LAPACK = frozenset({float32, float64, complex64, complex128})


def arrays(name: str, *operands: Any) -> None:
    """Raise UnsupportedOperandError, a DTypeError, for an operand that is no array."""
    for x in operands:
        if not hasattr(x, "shape") or not hasattr(x, "dtype"):
            raise UnsupportedOperandError(
                f"{name}: got {type(x).__name__}, expected a Tensor or an array; convert it with gg.asarray"
            )


def floating(name: str, *operands: Any) -> None:
    """Raise DTypeError for what is no array of float32, float64, complex64 or complex128."""
    arrays(name, *operands)
    for x in operands:
        if numpy_dtype(raw(x).dtype) not in _LAPACK:
            raise DTypeError(
                f"{name}: got {_given(operands)}, expected float32, float64, complex64 or complex128; "
                "convert it with .astype(gg.float32)"
            )


def inexact(name: str, x: Any) -> None:
    """Raise DTypeError for what is no array of a real or complex floating dtype, of whatever size."""
    arrays(name, x)
    if not is_inexact(raw(x).dtype):
        raise DTypeError(f"{name}: got {_given((x,))}, expected a floating-point dtype; convert it with .astype(gg.float32)")


def matrices(name: str, x: Any) -> None:
    """Raise unless x is a matrix or a stack of them, (..., M, N), of a floating dtype: ShapeError, DTypeError."""
    floating(name, x)
    stacked(name, x)


def square(name: str, x: Any) -> None:
    """Raise unless x is a square matrix or a stack of them, (..., M, M), of a floating dtype: ShapeError, DTypeError."""
    floating(name, x)
    squared(name, x)


def stacked(name: str, x: Any) -> None:
    """Raise ShapeError for fewer than two dimensions; the dtype may be any."""
    arrays(name, x)
    if len(x.shape) < 2:
        raise ShapeError(f"{name}: got {_given((x,))}, expected a matrix or a stack of matrices, (..., M, N)")


def squared(name: str, x: Any) -> None:
    """Raise ShapeError for what is no stack of square matrices; the dtype may be any."""
    arrays(name, x)
    if len(x.shape) < 2 or x.shape[-2] != x.shape[-1]:
        raise ShapeError(f"{name}: got {_given((x,))}, expected a square matrix or a stack of them, (..., M, M)")


def _given(operands: tuple[Any, ...]) -> str:
    return " and ".join(describe(raw(x)) for x in operands)
