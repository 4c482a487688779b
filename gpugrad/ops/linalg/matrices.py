"""Small building blocks: the adjoint, identity matrices, and square matrices that hold nan set aside."""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace

from gpugrad.arrays.dtypes import native_dtype
from gpugrad.ops.elementwise import conj
from gpugrad.ops.shape import matrix_transpose
from gpugrad.tape import Tensor, raw


def adjoint(x: Any) -> Any:
    """The conjugate transpose of each matrix."""
    return conj(matrix_transpose(x))


def eye_like(x: Any, rows: int, columns: int | None = None, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """An identity matrix of the library, device and dtype of x, a Tensor if x is one; with the ones on diagonal `offset`."""
    like = raw(x)
    xp = array_namespace(like)
    dtype = like.dtype if dtype is None else native_dtype(like, dtype)
    out = xp.eye(rows, columns, k=offset, dtype=dtype, device=getattr(like, "device", None))
    return Tensor(out) if isinstance(x, Tensor) else out


def constant(x: Any) -> Any:
    """x without its history."""
    return Tensor(x.array) if isinstance(x, Tensor) else x


def settled(x: Any) -> tuple[Any, Any]:
    """Raw square matrices with the identity in place of those that hold nan or inf, and a mask (..., 1, 1) of the others.

    LAPACK may take a matrix that holds nan for a singular one, or forget the nan; and libraries disagree on which.
    """
    xp = array_namespace(x)
    finite = xp.all(xp.isfinite(x), axis=(-2, -1), keepdims=True)
    return xp.where(finite, x, eye_like(x, x.shape[-1])), finite
