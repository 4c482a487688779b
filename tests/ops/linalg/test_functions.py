"""Powers and exponentials of matrices: large and small norms, mixed stacks, derivatives of higher order."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
from backends import Backend

import gpugrad as gg
from gpugrad.linalg import expm, matrix_power
from gpugrad.testing import assert_close, check_grads

ROTATION = np.asarray([[0.0, -1.0], [1.0, 0.0]])


def test_a_stack_of_matrices_of_very_different_norms(backend: Backend) -> None:
    """Each is squared as often as it needs to be. Warnings, of an overflow say, would be errors."""
    x = np.stack([scale * ROTATION for scale in (0.0, 1e-300, 1e-3, 1.0, 6.0, 100.0, 1e4)] + [-500.0 * np.eye(2)])
    angles = [0.0, 1e-300, 1e-3, 1.0, 6.0, 100.0, 1e4]
    expected = [[[math.cos(t), -math.sin(t)], [math.sin(t), math.cos(t)]] for t in angles]
    expected.append([[math.exp(-500), 0.0], [0.0, math.exp(-500)]])
    assert_close(backend.to_numpy(expm(backend.asarray(x))), np.asarray(expected), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("dtype", ["float32", "complex64", "float64", "complex128"])
def test_it_is_as_exact_as_scipy(dtype: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 5, 5)) * np.asarray([0.1, 1.0, 4.0])[:, None, None]
    x = x + 1j * rng.normal(size=x.shape) if dtype.startswith("c") else x
    eps = float(np.finfo(dtype).eps)
    found = expm(x.astype(dtype))
    assert found.dtype == dtype
    exact = scipy.linalg.expm(x.astype(dtype).astype(complex))
    assert np.max(np.abs(found - exact), axis=(-2, -1)) / np.max(np.abs(exact), axis=(-2, -1)) == pytest.approx(
        0, abs=100 * eps
    )


def test_a_nilpotent_matrix_has_a_finite_series() -> None:
    x = np.triu(np.arange(16.0).reshape(4, 4), k=1)
    assert_close(expm(x), np.eye(4) + x + x @ x / 2 + x @ x @ x / 6, rtol=1e-13)


def test_derivatives_of_third_order() -> None:
    check_grads(expm, np.asarray([[0.3, -1.0], [0.5, 0.2]]), order=3)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_the_gradient_is_linear_in_what_arrives(scale: float, backend: Backend) -> None:
    """The exponential of [[x, g], [0, x]] itself would overflow, or lose g."""
    x = gg.asarray(backend.asarray(ROTATION)).requires_grad_()
    gg.sum(expm(x) * scale).backward()
    expected = gg.grad(lambda x: gg.sum(expm(x)))(ROTATION)
    assert_close(backend.to_numpy(x.grad.array) / scale, expected)


def test_the_gradient_of_matrices_that_commute() -> None:
    """d tr exp(x) = tr(exp(x) dx)."""
    x = np.random.default_rng(0).normal(size=(3, 3))
    assert_close(gg.grad(lambda x: gg.linalg.trace(expm(x)))(x), scipy.linalg.expm(x).T, rtol=1e-11)


def test_overflow_is_inf_and_never_hangs() -> None:
    with np.errstate(all="ignore"):
        assert np.isinf(expm(np.asarray([[1e4]])))
        assert np.isnan(expm(np.full((2, 2), 1e308))).all()


def test_the_power_zero_is_the_identity_even_of_nan(backend: Backend) -> None:
    x = gg.asarray(backend.asarray(np.full((3, 2, 2), np.nan))).requires_grad_()
    out = matrix_power(x, 0)
    gg.sum(out).backward()
    assert_close(out, np.broadcast_to(np.eye(2), (3, 2, 2)))
    assert_close(x.grad, np.zeros((3, 2, 2)))


def test_large_powers_take_few_products() -> None:
    turn = np.asarray([[math.cos(1e-3), -math.sin(1e-3)], [math.sin(1e-3), math.cos(1e-3)]])
    assert_close(matrix_power(turn, 1_000_000), expm(1000.0 * ROTATION), rtol=1e-8)


def test_the_inverse_of_a_power_names_the_op() -> None:
    with pytest.raises(gg.LinAlgError, match=r"^matrix_power: n is -2, and a matrix has no inverse: .*\(2, 2\)"):
        matrix_power(np.zeros((2, 2)), -2)
    with pytest.raises(gg.DTypeError, match="^matrix_power: n is 0.5, expected an integer"):
        matrix_power(np.eye(2), 0.5)  # type: ignore[arg-type]
