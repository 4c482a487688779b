"""The Cholesky factorisation of matrices that only their lower triangle makes Hermitian, and its gradient."""

from __future__ import annotations

import numpy as np
import pytest
from backends import Backend

import gpugrad as gg
from gpugrad.linalg import cholesky
from gpugrad.ops.linalg import factor
from gpugrad.testing import assert_close

X = np.asarray([[4.0, 1 - 1j, 0.5j], [1 + 1j, 3.0, 0.25], [-0.5j, 0.25, 2.0]])


@pytest.mark.parametrize("upper", [False, True])
def test_only_the_lower_triangle_is_read(upper: bool, backend: Backend) -> None:
    found = backend.to_numpy(cholesky(backend.asarray(np.tril(X)), upper=upper))
    assert_close(found.conj().T @ found if upper else found @ found.conj().T, X)
    assert_close(found, (np.triu if upper else np.tril)(found))


def test_the_gradient_is_hermitian_and_says_how_the_result_changes() -> None:
    loss = lambda x: gg.sum(gg.real(cholesky(x) * np.asarray([1.0, 2j, 3 - 1j])))
    g = gg.grad(loss)(X)
    assert_close(g, np.conj(g).T)
    step = 1e-6 * np.asarray([[1.0, 2 - 1j, 1j], [2 + 1j, -1.0, 0.5], [-1j, 0.5, 3.0]])
    assert (loss(X + step) - loss(X - step)).item() == pytest.approx(2 * np.sum(np.conj(g) * step).real, rel=1e-7)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_the_gradient_of_divided_matrices_is_that_of_the_whole(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    a, v = rng.standard_normal((2, 2, 7, 7)).astype(dtype)
    if dtype == "complex128":
        a, v = a + 1j * rng.standard_normal(a.shape), v - 1j * rng.standard_normal(v.shape)
    x = a @ np.conj(a).swapaxes(-1, -2) + 7 * np.eye(7)
    loss = lambda x: gg.sum(gg.real(cholesky(x) * v) ** 3)
    second = lambda x: gg.sum(gg.real(gg.grad(loss)(x) * v))
    whole = [gg.grad(loss)(x), gg.grad(second)(x)]
    monkeypatch.setattr(factor, "_BLOCK", 2)
    for divided, expected in zip([gg.grad(loss)(x), gg.grad(second)(x)], whole, strict=True):
        assert_close(divided, expected)
