"""Division by gaps that may be zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from backends import Backend

import gpugrad as gg
from gpugrad.ops.linalg.spectral import gaps, off_diagonal_quotient, quotient
from gpugrad.testing import assert_close, check_grads


def test_what_is_zero_is_not_divided(backend: Backend) -> None:
    x, y = (backend.asarray(np.asarray(values)) for values in ([0.0, 0.0, 3.0, 3.0], [0.0, 2.0, 2.0, 0.0]))
    with np.errstate(all="ignore"):
        assert backend.to_numpy(quotient(x, y)).tolist() == [0.0, 0.0, 1.5, np.inf]


def test_its_derivative_is_the_same_division() -> None:
    """The derivative by x, along t, is t / y, which again is 0 where t is: not the 0 of a branch."""
    x, y = np.asarray([0.0, 0.0, 3.0]), np.asarray([0.0, 2.0, 4.0])
    _, tangent = gg.jvp(quotient, (x, y), (np.asarray([0.0, 1.0, 1.0]), np.asarray([0.0, 1.0, 2.0])))
    assert_close(tangent, np.asarray([0.0, 0.5, 1 / 4 - 3 * 2 / 16]))


def test_gaps_between_eigenvalues(backend: Backend) -> None:
    w = np.asarray([1.0, 4.0, 9.0])
    assert backend.to_numpy(gaps(backend.asarray(w))).tolist() == [[0, 3, 8], [-3, 0, 5], [-8, -5, 0]]


def test_the_diagonal_is_not_divided(backend: Backend) -> None:
    x, y = np.arange(4.0).reshape(2, 2), np.asarray([[0.0, 4.0], [8.0, 0.0]])
    assert backend.to_numpy(off_diagonal_quotient(*map(backend.asarray, (x, y)))).tolist() == [[0, 0.25], [0.25, 0]]


@pytest.mark.parametrize("made", [lambda x: x, lambda x: x + 0.5j * x[::-1]])
@pytest.mark.parametrize("function", [gg.linalg.eigh, gg.linalg.eig, gg.linalg.svd])
def test_vectors_have_derivatives_of_third_order(function: Any, made: Any) -> None:
    def sizes(x: Any) -> Any:
        hermitian = x + gg.conj(gg.matrix_transpose(x))
        return tuple(gg.abs(part) ** 2 for part in function(hermitian if function is gg.linalg.eigh else x))

    check_grads(sizes, made(np.asarray([[1.0, 0.4], [-0.3, 2.5]])), order=3)
