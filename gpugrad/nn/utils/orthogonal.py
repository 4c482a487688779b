"""The parametrization of matrices with orthonormal columns or rows."""

from __future__ import annotations

from typing import Any

from gpugrad.arrays.devices import device_of
from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.errors import OptionError, ShapeError
from gpugrad.nn import init
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.nn.module import Module
from gpugrad.nn.utils.parametrize import register_parametrization
from gpugrad.ops.contraction import matmul
from gpugrad.ops.creation import empty, ones_like, zeros_like
from gpugrad.ops.dtypes import finfo
from gpugrad.ops.elementwise import conj, sign, square
from gpugrad.ops.linalg.functions import expm
from gpugrad.ops.linalg.products import diagonal
from gpugrad.ops.linalg.qr import qr
from gpugrad.ops.linalg.solve import solve
from gpugrad.ops.reduction import max, sum
from gpugrad.ops.shape import broadcast_to, concat, expand_dims, matrix_transpose, tril, triu
from gpugrad.tape import Tensor

_MAPS = ("matrix_exp", "cayley", "householder")


def orthogonal(
    module: Module, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Module:
    """Parametrize a weight, or a batch of them, by matrices with orthonormal columns, or rows if those are fewer. Returns the module.

    `orthogonal_map` makes such a matrix Q of any X: "matrix_exp", Q = exp(A) with the skew-symmetric A = tril(X) - tril(X)^H;
    "cayley", Q = (I - A/2)^-1 (I + A/2); "householder", the product of the reflections in the columns of X below its diagonal. By
    default the first for square and complex matrices, the last for others; the first two solve a linear system, for which CuPy waits.
    With `use_trivialization` Q is multiplied by a buffer `base`, and assigning a value puts it there; without it values cannot be
    assigned, and the weight so far is X.
    Raises ShapeError for a weight of fewer than two axes, OptionError for another map, for "householder" of complex matrices, and without
    `use_trivialization`.
    Sources: M. Lezcano Casado, "Trivializations for gradient-based optimization on manifolds", NeurIPS 2019;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.parametrizations.orthogonal.html
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise OptionError(f"orthogonal: {type(module).__name__} has no parameter or buffer {name!r}")
    if len(weight.shape) < 2:
        raise ShapeError(f"orthogonal: the weight has shape {weight.shape}, expected two axes or more")
    is_complex = numpy_dtype(weight.dtype).kind == "c"
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.shape[-1] == weight.shape[-2] or is_complex else "householder"
    if orthogonal_map not in _MAPS:
        raise OptionError(f"orthogonal: orthogonal_map is {orthogonal_map!r}, expected one of {', '.join(_MAPS)}")
    if orthogonal_map == "householder" and (is_complex or not use_trivialization):
        raise OptionError("orthogonal: 'householder' is for real matrices and with use_trivialization; take 'cayley'")
    return register_parametrization(module, name, _Orthogonal(orthogonal_map, use_trivialization), unsafe=True)


class _Orthogonal(Module):
    """Q of X."""

    base: Tensor | None

    def __init__(self, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        self.orthogonal_map = orthogonal_map
        self.use_trivialization = use_trivialization
        self.register_buffer("base", None)

    def forward(self, x: Any) -> Any:
        """The orthogonal matrix."""
        is_wide = x.shape[-2] < x.shape[-1]
        tall = wide(matrix_transpose(x) if is_wide else x)
        q = _reflections(tall) if self.orthogonal_map == "householder" else self._of_skew(tall)
        if self.base is not None:
            q = matmul(wide(self.base), q)
        return narrow(matrix_transpose(q) if is_wide else q, x)

    def _of_skew(self, x: Any) -> Any:
        """The first columns of exp(A) or of Cayley's transform of A, the skew-symmetric matrix of X."""
        n, k = x.shape[-2:]
        x = tril(x)
        if n != k:
            x = concat([x, broadcast_to(zeros_like(x[..., :1]), (*x.shape[:-1], n - k))], axis=-1)
        a = x - conj(matrix_transpose(x)) if numpy_dtype(x.dtype).kind == "c" else x - matrix_transpose(x)
        if self.orthogonal_map == "matrix_exp":
            q = expm(a)
        else:
            one = _identity(a)
            q = solve(one - 0.5 * a, one + 0.5 * a)
        return q[..., :k]

    def right_inverse(self, q: Any) -> Any:
        """Makes a matrix the base, and gives the X whose own Q is the identity. Raises NotImplementedError without a base."""
        if not self.use_trivialization:
            raise NotImplementedError("orthogonal: without use_trivialization no value can be assigned")
        shape = q.shape
        tall = matrix_transpose(q) if shape[-2] < shape[-1] else q
        n, k = tall.shape[-2:]
        if n != k:  # completed at random
            more = empty((*tall.shape[:-2], n, n - k), dtype=numpy_dtype(q.dtype), device=device_of(q.array))
            tall = concat([tall, init.normal_(more)], axis=-1)
        if n != k or not _is_orthogonal(tall):
            factor, r = qr(tall)
            tall = factor * expand_dims(sign(diagonal(r)), -2)
        self.base = tall.clone()
        return zeros_like(q) - _identity(q)


def _reflections(x: Any) -> Any:
    """The first columns of the product of the reflections in e_i + the part of column i below the diagonal, signed by the diagonal."""
    below = tril(x, k=-1)
    factors = 2.0 / (1.0 + sum(square(below), axis=-2))
    vectors = below + _identity(x)
    q = zeros_like(below) + _identity(x)
    for i in reversed(range(x.shape[-1])):
        v = vectors[..., i : i + 1]
        q = q - expand_dims(factors[..., i : i + 1], -1) * matmul(v, matmul(matrix_transpose(v), q))
    # Its diagonal holds signs, which are not trained.
    return q * expand_dims(sign(diagonal(x.detach() if isinstance(x, Tensor) else x)), -2)


def _is_orthogonal(q: Any) -> bool:
    """Whether a square matrix is orthogonal, to ten times the precision of its dtype for each row."""
    product = matmul(conj(matrix_transpose(q)) if numpy_dtype(q.dtype).kind == "c" else matrix_transpose(q), q)
    return bool(max(abs(product - _identity(product))) < 10 * q.shape[-1] * finfo(q.dtype).eps)


def _identity(like: Any) -> Any:
    """Ones on the diagonal, zeros elsewhere."""
    return tril(triu(ones_like(like.detach() if isinstance(like, Tensor) else like)))
