"""Pseudo-inverses and least squares where the rank is not full, and of long thin matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from backends import Backend

import gpugrad as gg
from gpugrad.linalg import lstsq, matrix_rank, pinv, solve
from gpugrad.testing import assert_close

RNG = np.random.default_rng(0)
DEFICIENT = RNG.normal(size=(4, 2)) @ RNG.normal(size=(2, 3))


def test_of_several_solutions_it_is_the_shortest(backend: Backend) -> None:
    y = RNG.normal(size=4)
    found = lstsq(backend.asarray(DEFICIENT), backend.asarray(y))
    solution, residuals, rank, values = np.linalg.lstsq(DEFICIENT, y)
    assert_close(backend.to_numpy(found.solution), solution)
    assert_close(backend.to_numpy(found.singular_values), values)
    assert_close(backend.to_numpy(found.residuals), np.sum((y - DEFICIENT @ solution) ** 2))
    assert (int(found.rank), rank, residuals.shape) == (2, 2, (0,))


def test_the_rank_is_a_constant_tensor() -> None:
    x = gg.asarray(DEFICIENT).requires_grad_()
    for rank in (lstsq(x, gg.asarray(np.ones(4))).rank, matrix_rank(x)):
        assert isinstance(rank, gg.Tensor)
        assert (rank.item(), rank.requires_grad, rank.dtype) == (2, False, gg.int64)


@pytest.mark.parametrize(("rtol", "ranks"), [(1e-2, [1, 1]), (np.asarray(1e-2), [1, 1]), (np.asarray([1e-2, 1e-4]), [1, 2])])
def test_tolerances_may_differ_from_matrix_to_matrix(rtol: Any, ranks: Any, backend: Backend) -> None:
    x = backend.asarray(np.stack([np.diag([1.0, 1e-3])] * 2))
    tolerance = rtol if isinstance(rtol, float) else backend.asarray(rtol)
    assert backend.to_numpy(matrix_rank(x, rtol=tolerance)).tolist() == ranks
    assert_close(backend.to_numpy(pinv(x, rtol=tolerance))[:, 1, 1], np.where(np.asarray(ranks) == 2, 1e3, 0.0))


def test_the_gradient_of_a_long_thin_matrix_makes_no_square_of_its_length() -> None:
    """Which would take 20 GB."""
    x, y = RNG.normal(size=(50_000, 2)), RNG.normal(size=50_000)
    normal = lambda x: solve(x.T @ x, x.T @ y)
    assert_close(
        gg.grad(lambda x: gg.sum(lstsq(x, gg.asarray(y)).solution))(x),
        gg.grad(lambda x: gg.sum(normal(x)))(x),
        rtol=1e-6,
        atol=1e-12,
    )
    assert gg.grad(lambda x: gg.sum(pinv(x)))(x.T).shape == (2, 50_000)


def test_a_matrix_of_zeros() -> None:
    assert_close(pinv(np.zeros((2, 3))), np.zeros((3, 2)))
    assert_close(gg.grad(lambda x: gg.sum(pinv(x)))(np.zeros((2, 3))), np.zeros((2, 3)))
    assert int(matrix_rank(np.zeros((2, 3)))) == 0


def test_results_have_the_names_that_users_know() -> None:
    found: Any = lstsq(np.eye(2), np.ones(2))
    assert found._fields == ("solution", "residuals", "rank", "singular_values")
    assert_close(found[0], np.ones(2))
