"""Determinants of singular matrices, and signs."""

from __future__ import annotations

from typing import Any

import hypothesis
import numpy as np
import pytest
from backends import Backend
from hypothesis import strategies
from hypothesis.extra import numpy as arrays

import gpugrad as gg
from gpugrad.linalg import det, slogdet
from gpugrad.testing import assert_close, check_grads


def minors(x: Any) -> Any:
    """The matrix of cofactors, by its definition."""
    n = len(x)
    return np.asarray(
        [
            [(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(x, i, 0), j, 1)) for j in range(n)]
            for i in range(n)
        ]
    )  # fmt: skip


@hypothesis.given(arrays.arrays(np.float64, (4, 4), elements=strategies.integers(-1, 1).map(float)))
def test_the_gradient_is_the_matrix_of_cofactors(x: Any) -> None:
    """Few of these matrices are regular."""
    assert_close(gg.grad(det)(x), minors(x), atol=1e-12)


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
@pytest.mark.parametrize("complex", [False, True])
def test_derivatives_of_singular_matrices(rank: int, complex: bool) -> None:
    """To the second order at every rank, and to the third where the matrix lacks no more than two."""
    rng = np.random.default_rng(rank)
    left, right = (rng.normal(size=(4, rank)) + (1j * rng.normal(size=(4, rank)) if complex else 0) for _ in range(2))
    x = left @ right.T
    check_grads(det, x, order=3 if rank >= 2 else 2)


def test_gradients_of_singular_matrices_on_every_backend(backend: Backend) -> None:
    x = gg.asarray(backend.asarray(np.asarray([[[1.0, 2.0], [2.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]]))).requires_grad_()
    (g,) = gg.gradients([gg.sum(det(x))], [x], create_graph=True)
    assert_close(g, np.asarray([[[4.0, -2.0], [-2.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]]))
    gg.sum(g * g).backward()
    assert_close(x.grad, 2 * np.asarray([[[1.0, 2.0], [2.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]]))


def test_small_cofactors_are_as_exact_as_large_ones() -> None:
    x = np.asarray([[2.0, 1.0, 0.0], [1.0, 3.0, 1.0], [1.0, 0.0, 2.0]])
    scales = np.asarray([[1e-6], [1.0], [1e6]])
    assert_close(gg.grad(det)(x * scales), minors(x) / scales, rtol=1e-12, atol=0)


def test_the_sign_of_a_complex_determinant_is_differentiable(backend: Backend) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3, 3)) + 1j * rng.normal(size=(2, 3, 3))

    def gradient(function: Any) -> Any:
        t = gg.asarray(backend.asarray(x)).requires_grad_()
        gg.sum(gg.imag(function(t))).backward()
        return t.grad

    def product(x: Any) -> Any:
        sign, logarithm = slogdet(x)
        return sign * gg.exp(logarithm)

    assert_close(gradient(product), backend.to_numpy(gradient(det).array))
    assert_close(gradient(lambda x: slogdet(x).sign), backend.to_numpy(gradient(lambda x: det(x) / gg.abs(det(x))).array))


def test_the_sign_of_a_real_determinant_is_locally_constant() -> None:
    assert_close(gg.grad(lambda x: slogdet(x).sign)(np.eye(2)), np.zeros((2, 2)))


def test_the_logarithm_of_a_singular_matrix(backend: Backend) -> None:
    x = gg.asarray(backend.asarray(np.asarray([[[1.0, 2.0], [2.0, 4.0]], [[2.0, 0.0], [0.0, 4.0]]]))).requires_grad_()
    sign, logarithm = slogdet(x)
    gg.sum(logarithm).backward()
    assert (sign[0].item(), logarithm[0].item()) == (0, -np.inf)
    assert_close(x.grad, np.asarray([np.full((2, 2), np.nan), np.diag([0.5, 0.25])]))


def test_results_have_the_names_of_the_standard() -> None:
    out = slogdet(np.diag([-2.0, 1.0]))
    assert out._fields == ("sign", "logabsdet")
    assert (float(out.sign), float(out.logabsdet)) == pytest.approx((-1, np.log(2)))
