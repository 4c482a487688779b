"""The Cholesky factorisation of matrices that only their lower triangle makes Hermitian, and its gradient."""

from __future__ import annotations

import numpy as np
import pytest
from backends import Backend

import gpugrad as gg
from gpugrad.linalg import cholesky
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
