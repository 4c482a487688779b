"""Triangular systems of NumPy's arrays: blocks of every size, and how little is lost where triangles are ill-conditioned."""

from __future__ import annotations

import numpy as np
import pytest

from gpugrad.arrays import triangular
from gpugrad.arrays.triangular import inverses_of_blocks, solve_triangular
from gpugrad.testing import assert_close

RNG = np.random.default_rng(0)


def system(n: int, columns: int, dtype: str, batch: tuple[int, ...] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Lower triangles, with nan above, and right-hand sides."""
    x, y = RNG.uniform(-0.2, 0.2, (*batch, n, n)) + 2 * np.eye(n), RNG.normal(size=(*batch, n, columns))
    if np.dtype(dtype).kind == "c":
        x, y = x + 0.1j * RNG.normal(size=x.shape), y - 1j * RNG.normal(size=y.shape)
    return np.where(np.tri(n, dtype=bool), x, np.nan).astype(dtype), y.astype(dtype)


@pytest.fixture(params=["by a kernel, if there is one", "by inverses"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "by inverses":
        monkeypatch.setattr(triangular, "_SMALLEST", 10**9)
    else:
        monkeypatch.setattr(triangular, "_SMALLEST", 1)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("batch", [(), (2, 3)])
@pytest.mark.parametrize(("n", "columns"), [(1, 1), (16, 3), (17, 1), (33, 20), (150, 1), (150, 9), (0, 2), (40, 0)])
def test_systems_of_any_size(n: int, columns: int, batch: tuple[int, ...], dtype: str) -> None:
    x, y = system(n, columns, dtype, batch)
    triangle = np.tril(x)
    for unitriangular in (False, True):
        found = solve_triangular(x, y, upper=False, unitriangular=unitriangular)
        expected = np.linalg.solve(np.tril(x, -1) + np.eye(n, dtype=dtype) if unitriangular else triangle, y)
        assert found.dtype == dtype
        assert_close(found, expected)
        assert_close(solve_triangular(x.mT, y, upper=True, unitriangular=unitriangular), np.linalg.solve(
            np.triu(x.mT, 1) + np.eye(n, dtype=dtype) if unitriangular else triangle.mT, y
        ))  # fmt: skip


@pytest.mark.usefixtures("way")
def test_leading_axes_broadcast() -> None:
    x, _ = system(20, 1, "float64", (3, 1))
    y = RNG.normal(size=(2, 20, 5))
    assert_close(solve_triangular(x, y, upper=False, unitriangular=False), np.linalg.solve(np.tril(x), y))
    assert_close(solve_triangular(x[0, 0], y, upper=False, unitriangular=False), np.linalg.solve(np.tril(x[0, 0]), y))


@pytest.mark.parametrize("size", [1, 5, 16, 20])
def test_inverses_are_those_of_the_blocks_on_the_diagonal(size: int) -> None:
    x, _ = system(43, 1, "complex128", (2,))
    found = inverses_of_blocks(x, size)
    for i, start in enumerate(range(0, 43, size)):
        block = np.tril(x[:, start : start + size, start : start + size])
        rows = block.shape[-1]
        assert_close(found[:, i, :rows, :rows], np.linalg.inv(block))


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("noise", [1e-2, 1e-8, 1e-12])
def test_as_good_as_substitution(noise: float) -> None:
    """For the triangles of Gaussian processes with little noise: a solution has a residual of rounding errors, however large its error."""
    points = np.linspace(0, 1, 400)
    x = np.linalg.cholesky(np.exp(-np.square(points - points[:, None]) * 50) + noise * np.eye(400))
    for columns in (1, 30):
        expected = RNG.normal(size=(400, columns))
        y = x @ expected
        found = solve_triangular(x, y, upper=False, unitriangular=False)
        assert abs(x @ found - y).max() < 1e-13
        found = solve_triangular(x.T, x.T @ expected, upper=True, unitriangular=False)
        assert abs(x.T @ found - x.T @ expected).max() < 1e-13


def test_triangles_of_several_blocks_and_many_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triangular, "_ROWS", 40)
    monkeypatch.setattr(triangular, "_ELEMENTS", 100)
    x, y = system(150, 9, "float64", (2,))
    assert_close(solve_triangular(x, y, upper=False, unitriangular=False), np.linalg.solve(np.tril(x), y))
    assert_close(solve_triangular(x.mT, y, upper=True, unitriangular=False), np.linalg.solve(np.tril(x).mT, y))


@pytest.mark.usefixtures("way")
def test_a_residual_is_small_where_the_condition_is_large() -> None:
    """Triangles of normally distributed numbers, whose condition grows exponentially with their size."""
    rng = np.random.default_rng(1)
    x, y = np.tril(rng.normal(size=(100, 100)), -1) + np.eye(100), rng.normal(size=(100, 3))
    found = solve_triangular(x, y, upper=False, unitriangular=True)
    assert np.linalg.cond(x) > 1e12
    assert (np.abs(x @ found - y) < 1e-12 * (np.abs(x) @ np.abs(found))).all()


def test_what_no_kernel_takes_is_left_as_it_was() -> None:
    """A right side is solved for in place: of triangles whose rows overlap, none, and not the first block alone."""
    x = np.lib.stride_tricks.sliding_window_view(np.concatenate([np.full(256, 1e-3), [1.0], np.full(256, 1e-3)]), 257)[::-1]
    y = RNG.normal(size=(257, 300))
    for upper in (False, True):
        triangle = np.triu(x) if upper else np.tril(x)
        found = solve_triangular(x, y, upper=upper, unitriangular=False)
        assert_close(triangle @ found, y)
