"""CuPy's linear algebra: failures said as NumPy says them, and triangular systems by cuBLAS.

cuSOLVER and cuBLAS write into an array of the GPU whether a factorisation succeeded, and CuPy looks at it only if asked to, for
it has to wait. Linear algebra is the one place where gpugrad waits too: a singular matrix is an error on every device.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import cupy
import cupyx
import numpy

from gpugrad.arrays.devices import say_once

FAILURES = {
    "inv": "Singular matrix",
    "solve": "Singular matrix",
    "solve_triangular": "Singular matrix",
    "cholesky": "Matrix is not positive definite",
    "pinv": "SVD did not converge",
    "svd": "SVD did not converge",
    "svdvals": "SVD did not converge",
    "eig": "Eigenvalues did not converge",
    "eigh": "Eigenvalues did not converge",
    "eigvals": "Eigenvalues did not converge",
    "eigvalsh": "Eigenvalues did not converge",
}
"""What it means that an op failed, in NumPy's words."""


def checked(name: str, kernel: Callable[..., Any]) -> Callable[..., Any]:
    """`kernel`, with LinAlgError where cuSOLVER or cuBLAS report that they failed."""

    @functools.wraps(kernel)
    def run(*operands: Any, **options: Any) -> Any:
        try:
            with cupyx.errstate(linalg="raise"):
                return kernel(*operands, **options)
        except numpy.linalg.LinAlgError:
            raise numpy.linalg.LinAlgError(FAILURES[name]) from None

    return run


def solve_triangular(x: Any, y: Any, /, *, upper: bool, unitriangular: bool) -> Any:
    """The solution for triangular matrices, by cuBLAS's trsm, which reports no failure: a zero on the diagonal is looked for."""
    if not unitriangular and bool((cupy.diagonal(x, 0, -2, -1) == 0).any()):
        raise numpy.linalg.LinAlgError
    vector = y.ndim == 1
    y = y[:, None] if vector else y
    dtype = numpy.promote_types(x.dtype, y.dtype)
    batch = numpy.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    x, y = (cupy.broadcast_to(z, (*batch, *z.shape[-2:])).astype(dtype) for z in (x, y))
    if y.size:
        solve = importlib.import_module("cupyx.scipy.linalg").solve_triangular  # slow to import
        y = solve(x, y, lower=not upper, unit_diagonal=unitriangular)
    return y[..., 0] if vector else y


def general(name: str, kernel: Callable[..., Any]) -> Callable[..., Any]:
    """`kernel` of eig or eigvals; on the CPU where cuSOLVER has no routine for it, which is there from CUDA 12.6 on."""

    @functools.wraps(kernel)
    def run(x: Any, /) -> Any:
        if importlib.import_module("cupyx.cusolver").check_availability("geev"):  # with the first call: few programs need it
            return _each(_complex, kernel(x))
        say_once(f"{name}: before CUDA 12.6 cuSOLVER has no routine for it, so it is computed on the CPU")
        return _each(cupy.asarray, kernel(x.get()))

    return run


def _each(function: Callable[[Any], Any], out: Any) -> Any:
    return type(out)(*map(function, out)) if isinstance(out, tuple) else function(out)


def _complex(x: Any) -> Any:
    """What CuPy gives, but that it gives real numbers for real matrices that have no elements."""
    return x.astype(numpy.promote_types(x.dtype, numpy.complex64), copy=False)
