"""Linear systems: what is a vector, which triangle is read, large triangles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from backends import Backend

import gpugrad as gg
from gpugrad.linalg import inv, solve, solve_triangular
from gpugrad.testing import assert_close

RNG = np.random.default_rng(0)
REGULAR = RNG.uniform(-0.5, 0.5, (2, 2, 2)) + 2 * np.eye(2)


def test_the_right_hand_side_is_a_vector_only_if_it_is_one_dimensional(backend: Backend) -> None:
    """NumPy 1 took (2, 2) for two vectors here."""
    y = RNG.normal(size=(2, 2))
    found = solve(backend.asarray(REGULAR), backend.asarray(y))
    assert_close(backend.to_numpy(found), np.linalg.inv(REGULAR) @ y)
    found = solve(backend.asarray(REGULAR), backend.asarray(y[0]))
    assert_close(backend.to_numpy(found), np.linalg.inv(REGULAR) @ y[0])


@pytest.mark.parametrize("upper", [True, False])
@pytest.mark.parametrize("unitriangular", [True, False])
def test_only_the_triangle_is_read(upper: bool, unitriangular: bool, backend: Backend) -> None:
    triangle = (np.triu if upper else np.tril)(REGULAR, (1 if upper else -1) * unitriangular)
    hidden = np.where(triangle == 0, np.nan, triangle)
    y = np.ones((2, 1))

    def results(x: Any) -> tuple[Any, Any]:
        t = gg.asarray(backend.asarray(x)).requires_grad_()
        out = solve_triangular(t, gg.asarray(backend.asarray(y)), upper=upper, unitriangular=unitriangular)
        gg.sum(out).backward()
        return backend.to_numpy(out.array), backend.to_numpy(t.grad.array)

    found, expected = results(hidden), results(triangle)
    assert_close(found, expected)
    assert_close(found[0], np.linalg.solve(triangle + unitriangular * np.eye(2), np.broadcast_to(y, (2, 2, 1))))
    assert not found[1][triangle == 0].any()


@pytest.mark.parametrize("upper", [True, False])
def test_large_triangles_are_solved(upper: bool, backend: Backend) -> None:
    x = np.asarray(RNG.uniform(-0.1, 0.1, (1, 130, 130)) + 2 * np.eye(130))
    solution = RNG.normal(size=(1, 130))
    y = ((np.triu(x) if upper else np.tril(x)) @ solution[..., None])[0, :, 0]
    found = solve_triangular(backend.asarray(x), backend.asarray(y), upper=upper)
    assert_close(backend.to_numpy(found), solution)


@pytest.mark.parametrize("upper", [True, False])
@pytest.mark.parametrize("stacked", [True, False])
def test_a_zero_on_the_diagonal_is_an_error_unless_it_is_not_read(upper: bool, stacked: bool, backend: Backend) -> None:
    x = np.asarray([[1.0, 1 / 3, 0.1], [1 / 3, 0.0, 0.3], [0.7, 0.2, 1.0]])
    x = np.stack([np.eye(3), x]) if stacked else x
    with pytest.raises(gg.LinAlgError, match=r"^solve_triangular: got .*float64 .*3, 3\) and .*: Singular matrix"):
        solve_triangular(backend.asarray(x), backend.asarray(np.ones(3)), upper=upper)
    found = solve_triangular(backend.asarray(x), backend.asarray(np.ones(3)), upper=upper, unitriangular=True)
    assert np.isfinite(backend.to_numpy(found)).all()


def test_dtypes_promote() -> None:
    x32, x64 = np.eye(2, dtype=np.float32), np.eye(2)
    for function in (solve, lambda x, y: solve_triangular(x, y, upper=True)):
        assert function(x32, x32).dtype == np.float32
        assert function(x32, x64).dtype == np.float64
        assert function(x32, x32 + 0j).dtype == np.complex64
    x = gg.asarray(x32).requires_grad_()
    gg.sum(gg.imag(solve(x, gg.asarray(x64 * 1j)))).backward()
    assert x.grad.dtype == gg.float32


def test_the_transpose_of_a_stack_is_no_copy_to_worry_about() -> None:
    x = np.swapaxes(REGULAR, -1, -2)[::-1]
    assert_close(gg.grad(lambda x: gg.sum(inv(x)))(x), gg.grad(lambda x: gg.sum(inv(x)))(x.copy()))
