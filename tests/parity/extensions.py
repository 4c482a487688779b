"""What is compared of linalg and fft: their 24 and 12 differentiable functions with their options and modes.

Factors that are determined but for signs, phases or order (eigenvectors, singular vectors, q and r) are compared by functions of
them that are not: the phases of the diagonal of r are taken out, and vectors enter as v f(w) v^H.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from parity.row import Function, Row, by_name, each, numbered, rows

from gpugrad.check.records.case import call, real

SQUARE, STACK = call(real(3, 3)), call(real(2, 3, 3))


def adjoint(xp: Any, x: Any) -> Any:
    return xp.conj(xp.matrix_transpose(x))


def hermitian(xp: Any, x: Any) -> Any:
    return x + adjoint(xp, x)


def cholesky(xp: Any, x: Any, **options: Any) -> Any:
    return xp.linalg.cholesky(x @ adjoint(xp, x) + xp.eye(3), **options)


def shifted(name: str) -> Function:
    """A function of x + 3: far from singular."""
    return lambda xp, x, *more: getattr(xp.linalg, name)(x + 3 * xp.eye(3), *more)


def eig(xp: Any, x: Any, find: Function = by_name("linalg.eig")) -> Any:
    w, v = find(xp, x)
    return xp.sum(w * w, axis=-1), (v * xp.exp(w)[..., None, :]) @ adjoint(xp, v)


def jax_eig(xp: Any, x: Any) -> Any:
    """Which JAX asks to be told that its eigenvectors are differentiated on purpose."""
    find = importlib.import_module("jax").lax.linalg.eig  # loaded where rows are compared, not where they are listed
    return eig(xp, x, lambda _, a: find(a, compute_left_eigenvectors=False, enable_eigvec_derivs=True))


def eigvals(xp: Any, x: Any) -> Any:
    w = xp.linalg.eigvals(x)
    return [xp.sum(w**power, axis=-1) for power in (1, 2, 3)], xp.sum(xp.exp(w), axis=-1)


def eigh(xp: Any, x: Any) -> Any:
    w, v = xp.linalg.eigh(hermitian(xp, x))
    return w, (v * xp.exp(w / 2)[..., None, :]) @ adjoint(xp, v), xp.abs(v) ** 2


def svd(xp: Any, x: Any) -> Any:
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    return s, (u * xp.exp(s)[..., None, :]) @ vh, xp.abs(u) ** 2, xp.abs(vh) ** 2


def full_svd(xp: Any, x: Any) -> Any:
    """Of a square matrix, whose vectors are all determined."""
    u, s, vh = xp.linalg.svd(x, full_matrices=True)
    return s, (u * xp.exp(s)[..., None, :]) @ vh


def qr(xp: Any, x: Any, **options: Any) -> Any:
    q, r = xp.linalg.qr(x, **options)
    diagonal = xp.linalg.diagonal(r)
    phase = diagonal / xp.abs(diagonal)
    count = phase.shape[-1]
    return q[..., :count] * phase[..., None, :], xp.conj(phase)[..., :, None] * r


SYSTEMS = (((3, 3), (3,)), ((3, 3), (3, 2)), ((2, 3, 3), (3, 2)), ((2, 3, 3), (2, 3, 1)))

LINALG: list[Row] = [
    *rows("linalg.cholesky", SQUARE, STACK, call(real(3, 3), upper=True), function=cholesky),
    *rows("linalg.cross", call(real(2, 3), real(2, 3)), call(real(3, 2), real(3, 1), axis=0)),
    *each("linalg.det linalg.slogdet linalg.svdvals", SQUARE, STACK),
    *rows("linalg.svdvals", call(real(4, 3)), call(real(2, 4))),
    *each("linalg.diagonal linalg.trace", SQUARE, call(real(2, 3, 4), offset=1), call(real(4, 3), offset=-1)),
    *rows("linalg.eig", SQUARE, STACK, function=eig, jax=jax_eig),
    *rows("linalg.eigvals", SQUARE, STACK, function=eigvals),
    *rows("linalg.eigh", SQUARE, STACK, function=eigh),
    *rows("linalg.eigvalsh", SQUARE, STACK, function=lambda xp, x: xp.linalg.eigvalsh(hermitian(xp, x))),
    *rows("linalg.inv", SQUARE, STACK, function=shifted("inv")),
    *rows("linalg.matmul", call(real(2, 3), real(3, 4))),
    *rows("linalg.matrix_norm", *(call(real(2, 4, 3), ord=o) for o in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf))),
    *rows("linalg.matrix_norm", call(real(4, 3), keepdims=True)),
    *rows("linalg.matrix_power", *(call(real(3, 3), n) for n in (1, 3, -2)), function=shifted("matrix_power")),
    *rows("linalg.matrix_transpose", call(real(2, 3, 4))),
    *rows("linalg.outer", call(real(3), real(2))),
    *rows("linalg.pinv", call(real(4, 3)), call(real(2, 2, 3)), SQUARE),
    *rows("linalg.qr", SQUARE, call(real(4, 3)), call(real(2, 4, 3), mode="reduced"), call(real(3, 3), mode="complete"), function=qr),
    *rows("linalg.qr", call(real(2, 4)), function=qr),
    *rows("linalg.solve", *(call(real(*x), real(*y)) for x, y in SYSTEMS), function=shifted("solve")),
    *rows("linalg.svd", SQUARE, call(real(2, 4, 3)), call(real(2, 3)), function=svd),
    *rows("linalg.svd", SQUARE, function=full_svd),
    *rows("linalg.tensordot", call(real(2, 3, 4), real(3, 4, 2))),
    *rows("linalg.vecdot", call(real(2, 3), real(3))),
    *rows("linalg.vector_norm", *(call(real(2, 3), ord=o) for o in (2, 1, 3, 0.5, -1, np.inf, -np.inf))),
    *rows("linalg.vector_norm", call(real(2, 3, 2), axis=(0, 2), keepdims=True), call(real(2, 3), axis=1, ord=4)),
]  # fmt: skip

NORMS = ("backward", "ortho", "forward")
ONE_AXIS = [
    *(call(real(2, 6), norm=norm) for norm in NORMS),
    call(real(5, 2), axis=0),
    call(real(2, 5), n=8),
    call(real(2, 5), n=3),
]
ALL_AXES = [
    *(call(real(3, 4), norm=norm) for norm in NORMS),
    call(real(2, 3, 5), axes=(0, 2)),
    call(real(3, 4), s=(5, 3), axes=(0, 1)),
    call(real(3, 5), axes=(1, 0)),
]

FFT: list[Row] = [
    *each("fft.fft fft.ifft fft.rfft fft.irfft fft.hfft fft.ihfft", *ONE_AXIS),
    *each("fft.fftn fft.ifftn fft.rfftn fft.irfftn", *ALL_AXES),
    *each(
        "fft.fftshift fft.ifftshift",
        call(real(5)),
        call(real(2, 3)),
        call(real(3, 4), axes=0),
        call(real(3, 4, 2), axes=(1, -1)),
    ),
]

EXTENSIONS: list[Row] = numbered([*LINALG, *FFT])
