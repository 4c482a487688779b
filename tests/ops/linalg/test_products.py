"""Diagonals, traces and products of vectors where the records do not reach: views, dtypes, axes."""

from __future__ import annotations

import numpy as np
import pytest
from backends import Backend

import gpugrad as gg
from gpugrad.linalg import cross, diagonal, outer, trace
from gpugrad.testing import assert_close, check_grads


@pytest.mark.parametrize("offset", range(-5, 6))
@pytest.mark.parametrize("shape", [(2, 4), (4, 2), (3, 3), (0, 2)])
def test_the_gradient_of_a_diagonal_stands_on_it(shape: tuple[int, int], offset: int) -> None:
    x = np.arange(float(shape[0] * shape[1])).reshape(shape)
    weights = np.arange(1.0, 1 + len(np.diagonal(x, offset)))
    expected = np.zeros(shape)
    for i, weight in enumerate(weights):
        expected[i + max(0, -offset), i + max(0, offset)] = weight
    assert_close(gg.grad(lambda x: gg.sum(diagonal(x, offset=offset) * weights))(x), expected)


def test_infinite_gradients_do_not_spread_over_the_zeros(backend: Backend) -> None:
    x = gg.asarray(backend.asarray(np.ones((2, 2)))).requires_grad_()
    gg.sum(diagonal(x) * backend.asarray(np.asarray([np.inf, 1.0]))).backward()
    assert_close(x.grad, np.asarray([[np.inf, 0.0], [0.0, 1.0]]))


def test_views_with_negative_strides() -> None:
    x = np.random.default_rng(0).normal(size=(3, 4))
    check_grads(lambda x: [diagonal(x[::-1, ::-2], offset=1), trace(x[:, ::-1]), outer(x[::-1, 0], x[0, ::-1])], x)


def test_a_trace_has_the_dtype_of_a_sum() -> None:
    small = np.ones((2, 2), np.int8)
    assert trace(small).dtype == np.int64
    assert trace(small, dtype=gg.float32).dtype == np.float32
    assert trace(np.ones((2, 2), np.float32)).dtype == np.float32
    with pytest.raises(gg.DTypeError, match="^trace: got complex128"):
        trace(np.ones((2, 2), complex), dtype=gg.float64)


def test_an_axis_from_the_front_is_taken_where_both_have_the_same_number() -> None:
    x, y = np.eye(3)[:, :2], np.eye(3)[:, 1:]
    assert_close(cross(x, y, axis=0), np.cross(x, y, axis=0))


def test_views_of_a_read_only_array_are_not_written_to() -> None:
    x = gg.asarray(np.broadcast_to(np.ones((1, 3)), (3, 3))).requires_grad_()
    (2 * diagonal(x)).sum().backward()
    assert_close(x.grad, 2 * np.eye(3))
