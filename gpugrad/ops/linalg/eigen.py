"""Eigenvalues and eigenvectors, and their derivatives.

Rules: M. B. Giles, "An extended collection of matrix derivative results for forward and reverse mode algorithmic
differentiation" (2008), section 3.1; for complex matrices and vectors of length 1 C. Boeddeker et al., "On the computation of
complex-valued gradients with application to statistically optimum beamforming" (2017).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from array_api_compat import array_namespace

from gpugrad.families import A, composite, primitive
from gpugrad.multi_output import multi_output
from gpugrad.ops.contraction import matmul
from gpugrad.ops.elementwise import conj, real
from gpugrad.ops.linalg.checks import square
from gpugrad.ops.linalg.matrices import adjoint, on_finite
from gpugrad.ops.linalg.solve import solve
from gpugrad.ops.linalg.spectral import gaps, is_recorded, off_diagonal_quotient
from gpugrad.ops.reduction import sum
from gpugrad.ops.shape import expand_dims, matrix_transpose

# Hermitian ----------------------------------------------------------------------------------------------------------


class EighResult(NamedTuple):
    """``x = (eigenvectors * eigenvalues) @ adjoint(eigenvectors)``."""

    eigenvalues: Any
    eigenvectors: Any


def _eigh_rule(g: Any, out: Any) -> Any:
    gw, gv = (None if part is None else conj(part) for part in g)
    w, v = out
    total: Any = 0 if gw is None else v * expand_dims(gw, -2)
    if gv is not None:
        mixed = off_diagonal_quotient(matmul(adjoint(v), gv), gaps(w))
        total = total + matmul(v, mixed + adjoint(mixed)) * 0.5
    return conj(matmul(total, adjoint(v)))


@multi_output(x=_eigh_rule)
def eigh(x: Any, /) -> EighResult:
    """The eigenvalues, ascending, and the eigenvectors of each real symmetric or complex Hermitian matrix.

    Shapes: x (..., M, M), eigenvalues (..., M), eigenvectors (..., M, M), one per column, of length 1. Dtypes: float32, float64
    or complex; the eigenvalues are real. Only the lower triangle of x is read, as if the other were its adjoint; a matrix that
    holds nan or inf, though, anywhere, has nan results.

    Gradient: the Hermitian matrix ``V (diag(gw) + (adjoint(V) gv) / (w_j - w_i)) adjoint(V)``, as in PyTorch and JAX: that of a
    function of Hermitian matrices, with equal parts in both triangles. That of the eigenvalues alone divides by nothing. Where
    two eigenvalues are equal their vectors have no derivative: the gradient is inf or nan, unless it does not ask for them, as
    when only other vectors are used. A vector is free up to a sign or, if complex, a phase: the gradient is that of a function
    that does not depend on these; of another one, the part that depends on the phase is left out.
    Raises ShapeError for matrices that are not square, DTypeError for another dtype, LinAlgError if it does not converge.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.linalg.eigh.html
    """
    square("eigh", x)
    return EighResult(*on_finite(array_namespace(x).linalg.eigh, x))


@primitive(x=None)
def _eigvalsh(x: Any, /) -> Any:
    return on_finite(array_namespace(x).linalg.eigvalsh, x)


@composite
def eigvalsh(x: A, /) -> A:
    """The eigenvalues of each real symmetric or complex Hermitian matrix, ascending: (..., M, M) -> (..., M), real.

    Which part of x is read, nan, inf and errors are as in :func:`eigh`. The gradient is ``V diag(g) adjoint(V)``; where
    eigenvalues are equal it is that of a function that treats them alike. The second derivative goes through V, and does not
    exist there.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.linalg.eigvalsh.html
    """
    square("eigvalsh", x)
    out: A = eigh(x).eigenvalues if is_recorded(x) else _eigvalsh(x)
    return out


# General ------------------------------------------------------------------------------------------------------------


class EigResult(NamedTuple):
    """``x @ eigenvectors = eigenvectors * eigenvalues``."""

    eigenvalues: Any
    eigenvectors: Any


def _eig_rule(g: Any, out: Any) -> Any:
    gw, gv = g  # conjugates, as they come: but for the lengths, which are not holomorphic, everything here is
    w, v = out
    vt = matrix_transpose(v)
    total: Any = 0 if gw is None else expand_dims(gw, -1) * vt
    if gv is not None:
        stretched = real(sum(v * gv, axis=-2))  # a vector keeps its length
        mixed = off_diagonal_quotient(matmul(vt, gv - conj(v) * expand_dims(stretched, -2)), gaps(w))
        total = total + matmul(mixed, vt)
    return solve(vt, total)


@multi_output(x=_eig_rule)
def eig(x: Any, /) -> EigResult:
    """The eigenvalues, in no particular order, and the eigenvectors of each square matrix, complex also where x is real.

    Shapes: x (..., M, M), eigenvalues (..., M), eigenvectors (..., M, M), one per column, of length 1. Dtypes: float32, float64
    or complex. A matrix that holds nan or inf has nan results.

    Gradient: ``V^-H (diag(gw) + (V^H (gv - V diag(re(V^H gv)))) / conj(w_j - w_i)) V^H``; what :func:`eigh` says of equal
    eigenvalues and of phases holds here. A matrix without M independent eigenvectors has no derivative: LinAlgError in the
    backward sweep or, where rounding hides that, huge numbers.
    Raises ShapeError for matrices that are not square, DTypeError for another dtype, LinAlgError if it does not converge.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.linalg.eig.html
    """
    square("eig", x)
    return EigResult(*on_finite(array_namespace(x).linalg.eig, x))


@primitive(x=None)
def _eigvals(x: Any, /) -> Any:
    return on_finite(array_namespace(x).linalg.eigvals, x)


@composite
def eigvals(x: A, /) -> A:
    """The eigenvalues of each square matrix, in no particular order: (..., M, M) -> (..., M), complex also where x is real.

    nan, inf and errors are as in :func:`eig`. The gradient is ``V^-H diag(g) V^H``; where eigenvalues are equal it is that of a
    function that treats them alike. The second derivative goes through V, and does not exist there.
    Standard: https://data-apis.org/array-api/latest/extensions/generated/array_api.linalg.eigvals.html
    """
    square("eigvals", x)
    out: A = eig(x).eigenvalues if is_recorded(x) else _eigvals(x)
    return out
