"""Division by gaps that may be zero."""

from __future__ import annotations

import numpy as np
from backends import Backend

import gpugrad as gg
from gpugrad.ops.linalg.spectral import gaps, off_diagonal, quotient
from gpugrad.testing import assert_close


def test_what_is_zero_is_not_divided(backend: Backend) -> None:
    x, y = (backend.asarray(np.asarray(values)) for values in ([0.0, 0.0, 3.0, 3.0], [0.0, 2.0, 2.0, 0.0]))
    with np.errstate(all="ignore"):
        assert backend.to_numpy(quotient(x, y)).tolist() == [0.0, 0.0, 1.5, np.inf]


def test_its_derivative_is_the_same_division() -> None:
    """The derivative by x, along t, is t / y, which again is 0 where t is: not the 0 of a branch."""
    x, y = np.asarray([0.0, 0.0, 3.0]), np.asarray([0.0, 2.0, 4.0])
    _, tangent = gg.jvp(quotient, (x, y), (np.asarray([0.0, 1.0, 1.0]), np.asarray([0.0, 1.0, 2.0])))
    assert_close(tangent, np.asarray([0.0, 0.5, 1 / 4 - 3 * 2 / 16]))


def test_gaps_and_off_diagonal(backend: Backend) -> None:
    w = np.asarray([1.0, 4.0, 9.0])
    assert backend.to_numpy(gaps(backend.asarray(w))).tolist() == [[0, 3, 8], [-3, 0, 5], [-8, -5, 0]]
    x = np.arange(9.0).reshape(3, 3)
    assert_close(backend.to_numpy(off_diagonal(backend.asarray(x))), x - np.diag(np.diag(x)))
