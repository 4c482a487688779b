"""Singular values and vectors where the records do not reach: full matrices, equal and zero values, phases, nan, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from backends import Backend

import gpugrad as gg
from gpugrad.ops.linalg.svd import svd, svdvals
from gpugrad.testing import assert_close

TALL = np.asarray([[1.0, 2.0], [3.0, 5.0], [4.0, -1.0]])


@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (2, 2), (0, 2), (2, 0), (0, 0), (0, 2, 3), (2, 0, 3), (2, 1, 3)])
@pytest.mark.parametrize("full_matrices", [True, False])
def test_the_product_of_the_results_is_the_matrix(shape: tuple[int, ...], full_matrices: bool, backend: Backend) -> None:
    x = np.random.default_rng(0).normal(size=shape)
    out = svd(backend.asarray(x), full_matrices=full_matrices)
    u, s, vh = (backend.to_numpy(part) for part in (out.U, out.S, out.Vh))
    m, n, k = shape[-2], shape[-1], min(shape[-2:])
    assert u.shape == (*shape[:-1], m if full_matrices else k) and vh.shape == (*shape[:-2], n if full_matrices else k, n)
    assert_close((u[..., :k] * s[..., None, :]) @ vh[..., :k, :], x)
    assert_close(backend.to_numpy(svdvals(backend.asarray(x))), s)


@pytest.mark.parametrize("x", [TALL, TALL.T])
def test_full_matrices_have_a_gradient_through_the_vectors_that_are_determined(x: Any, backend: Backend) -> None:
    def gradient(full_matrices: bool) -> Any:
        t = gg.asarray(backend.asarray(x)).requires_grad_()
        out = svd(t, full_matrices=full_matrices)
        gg.sum(gg.abs(out.U[:, :2]) + gg.abs(gg.matrix_transpose(out.Vh[:2, :])[:1, :])).backward()
        return backend.to_numpy(t.grad.array)

    assert_close(gradient(True), gradient(False))


@pytest.mark.parametrize(("x", "part", "named"), [(TALL, "U", "columns of U"), (TALL.T, "Vh", "rows of Vh")])
def test_the_others_have_none(x: Any, part: str, named: str, backend: Backend) -> None:
    t = gg.asarray(backend.asarray(x)).requires_grad_()
    with pytest.raises(gg.GraphError, match=f"svd: the {named} beyond the first 2"):
        gg.sum(getattr(svd(t), part)).backward()


def test_the_gradient_of_singular_values_divides_by_nothing() -> None:
    assert_close(gg.grad(lambda x: gg.sum(svdvals(x) ** 2))(np.eye(3)), 2 * np.eye(3))
    assert_close(gg.grad(lambda x: gg.sum(svdvals(x) ** 2))(np.zeros((2, 3))), np.zeros((2, 3)))


def test_a_matrix_that_lacks_rank_has_a_gradient_through_its_other_vectors() -> None:
    """Of the projector on the first left vector of diag(2, 0, 0): a perturbation e of the first column turns it by e / 2."""
    weights = np.arange(9.0).reshape(3, 3)
    first = lambda x: svd(x, full_matrices=False).U[:, :1]
    g = gg.grad(lambda x: gg.sum(weights * (first(x) @ first(x).T)))(np.diag([2.0, 0.0, 0.0])[:, :2])
    assert_close(g, np.asarray([[0.0, 0.0], [2.0, 0.0], [4.0, 0.0]]))


def test_vectors_of_equal_singular_values_have_none() -> None:
    assert not np.isfinite(gg.grad(lambda x: gg.sum(svd(x).U[:, 0]))(np.eye(2))).any()


@pytest.mark.parametrize("part", [0, 2])
def test_a_phase_is_shared_evenly(part: int) -> None:
    """A perturbation by i e u_1 v_1^H turns the phase of u_1 v_1^H by e / s_1: half by each of the two, for it could be either."""
    x = TALL + 1j * TALL[::-1]
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    first = lambda out: out[0][:, 0] if part == 0 else out[2][0]
    g = gg.grad(lambda x: gg.imag(gg.sum(np.conj(first((u, s, vh))) * first(svd(x, full_matrices=False)))))(x)
    assert np.sum(np.conj(g) * 1j * np.outer(u[:, 0], vh[0])).real == pytest.approx(1 / (2 * s[0]))


def test_tangents_of_singular_values() -> None:
    t = TALL[::-1] * 0.5
    u, s, vh = np.linalg.svd(TALL, full_matrices=False)
    assert_close(gg.jvp(svdvals, (TALL,), (t,)), (s, np.diag(u.T @ t @ vh.T)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_matrix_with_nan_or_inf_has_nan_results_and_spoils_no_other(bad: float, backend: Backend) -> None:
    x = np.stack([TALL, TALL])
    x[1, 2, 0] = bad
    t = gg.asarray(backend.asarray(x)).requires_grad_()
    out = svd(t)
    for part in out:
        part = backend.to_numpy(part.detach().array)
        assert np.isfinite(part[0]).all() and np.isnan(part[1]).all()
    assert np.isnan(backend.to_numpy(svdvals(backend.asarray(x)))).tolist() == [[False, False], [True, True]]
    gg.sum(out.S**2).backward()
    gradient = backend.to_numpy(t.grad.array)
    assert_close(gradient[0], 2 * TALL)
    assert np.isnan(gradient[1]).all()


@pytest.mark.parametrize("function", [svd, svdvals])
def test_refusals(function: Any, backend: Backend) -> None:
    name = function.__name__
    with pytest.raises(gg.ShapeError, match=rf"{name}: got .*float64 \(3,\), expected a matrix"):
        function(backend.asarray(np.ones(3)))
    with pytest.raises(gg.DTypeError, match=rf"{name}: got .*int64 \(2, 2\), expected float32"):
        function(gg.asarray(backend.asarray(np.ones((2, 2), np.int64))))
