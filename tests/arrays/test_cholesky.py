"""The Cholesky factorisation of NumPy's arrays by blocks: LAPACK's triangle, and the gradient of the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.arrays import cholesky
from gpugrad.ops.linalg.factor import _cholesky_rule
from gpugrad.testing import assert_close

RNG = np.random.default_rng(0)


def normal(shape: tuple[int, ...], dtype: str) -> Any:
    x = RNG.normal(size=shape)
    return (x + 1j * RNG.normal(size=shape) if np.dtype(dtype).kind == "c" else x).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("shape", [(1, 1), (7, 7), (2, 3, 8, 8), (150, 150), (2, 130, 130), (0, 3, 3), (2, 0, 0)])
def test_blocks_give_what_the_whole_gives(shape: tuple[int, ...], dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if shape[-1] < 100:
        monkeypatch.setattr(cholesky, "_FACTORED", 3)
        monkeypatch.setattr(cholesky, "_BLOCK", 3)
    a, g = normal(shape, dtype), normal(shape, dtype)
    x = a @ np.conj(a.mT) / max(shape[-1], 1) + np.eye(shape[-1], dtype=dtype)
    triangle = cholesky.cholesky_triangle(np.where(np.tri(shape[-1], dtype=bool), x, np.nan))
    assert triangle.dtype == dtype
    assert_close(triangle, np.linalg.cholesky(x))
    found = cholesky.cholesky_dx(np.tril(g), triangle)
    assert found.dtype == dtype
    assert_close(found, _cholesky_rule(np.tril(g), triangle))
    assert_close(found, np.conj(found.mT), rtol=0, atol=0)


def test_gradients_above_the_triangle_are_not_read() -> None:
    g, out = normal((70, 70), "float64"), np.tril(RNG.uniform(-0.1, 0.1, (70, 70))) + 2 * np.eye(70)
    assert_close(cholesky.cholesky_dx(g, out), cholesky.cholesky_dx(np.tril(g), out))


@pytest.mark.parametrize("place", [0, 199])
def test_what_is_not_positive_definite_is_refused_in_any_block(place: int) -> None:
    x = np.eye(200)
    x[place, place] = -1
    with pytest.raises(gg.LinAlgError, match=r"^cholesky: got .*float64 \(200, 200\): Matrix is not positive definite"):
        gg.linalg.cholesky(x)


@pytest.mark.parametrize("noise", [1e-2, 1e-8, 1e-12])
def test_matrices_that_are_nearly_singular_are_factorised_as_well_as_by_lapack(noise: float) -> None:
    """Those of Gaussian processes with little noise, whose blocks are as ill-conditioned as the whole."""
    points = np.linspace(0, 1, 400)
    x = np.exp(-np.square(points - points[:, None]) * 50) + noise * np.eye(400)
    triangle = cholesky.cholesky_triangle(x)
    assert abs(triangle @ triangle.T - x).max() < 2e-14


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_what_overflows_is_not_positive_definite(dtype: str) -> None:
    x = np.eye(200, dtype=dtype)
    x[0, 0] = 1e-30
    x[150:, 0] = x[0, 150:] = 1e30
    with pytest.raises(gg.LinAlgError, match="not positive definite"):
        gg.linalg.cholesky(x)
