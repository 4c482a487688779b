"""The QR decomposition where the records do not reach: complete matrices, dependent columns, nan, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from backends import Backend

import gpugrad as gg
from gpugrad.ops.linalg.qr import qr
from gpugrad.testing import assert_close

TALL = np.asarray([[1.0, 2.0], [3.0, 5.0], [4.0, -1.0]])
DEPENDENT = "qr: the derivative does not exist where a column"


@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (2, 2), (0, 2), (2, 0), (0, 0), (0, 2, 3), (2, 0, 3), (2, 3, 1)])
@pytest.mark.parametrize("mode", ["reduced", "complete"])
def test_the_product_of_the_results_is_the_matrix(shape: tuple[int, ...], mode: str, backend: Backend) -> None:
    x = np.random.default_rng(0).normal(size=shape)
    out = qr(backend.asarray(x), mode=mode)
    q, r = backend.to_numpy(out.Q), backend.to_numpy(out.R)
    size = shape[-2] if mode == "complete" else min(shape[-2:])
    assert q.shape == (*shape[:-1], size) and r.shape == (*shape[:-2], size, shape[-1])
    assert_close(q @ r, x)
    assert_close(r, np.triu(r))


def test_a_complete_q_has_a_gradient_through_the_columns_that_are_determined(backend: Backend) -> None:
    def gradient(mode: str) -> Any:
        t = gg.asarray(backend.asarray(TALL)).requires_grad_()
        q, r = qr(t, mode=mode)
        gg.sum(gg.sin(q[:, :2]) + gg.sum(r * r)).backward()
        return backend.to_numpy(t.grad.array)

    assert_close(gradient("complete"), gradient("reduced"))


def test_the_others_have_none(backend: Backend) -> None:
    t = gg.asarray(backend.asarray(TALL)).requires_grad_()
    with pytest.raises(gg.GraphError, match="qr: the columns of Q beyond the first 2"):
        gg.sum(qr(t, mode="complete").Q).backward()


@pytest.mark.parametrize(
    "x",
    [
        np.asarray([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]),
        np.asarray([[0.1, 0.3], [0.7, 2.1]]),  # up to rounding
        np.asarray([[1.0, 2.0, 0.0], [2.0, 4.0, 1.0]]),  # a wide one, of full rank, but not in its first columns
        np.zeros((2, 2)),
        np.stack([np.eye(2), np.ones((2, 2))]),
    ],
)
def test_dependent_columns_are_refused(x: Any, backend: Backend) -> None:
    t = gg.asarray(backend.asarray(x)).requires_grad_()
    q, r = qr(t)
    assert_close(backend.to_numpy((q @ r).detach().array), x)
    with pytest.raises(gg.GraphError, match=DEPENDENT):
        gg.sum(r).backward()


def test_columns_of_very_different_sizes_are_not_dependent() -> None:
    x = np.asarray([[3.0, 1e-20], [4.0, 2e-20]])  # abs(R[0, 0]) is the length of the first column
    assert_close(gg.grad(lambda x: gg.abs(qr(x).R[0, 0]))(x), np.asarray([[0.6, 0.0], [0.8, 0.0]]))


def test_a_matrix_with_nan_or_inf_has_nan_results_and_spoils_no_other(backend: Backend) -> None:
    x = np.stack([TALL, TALL, TALL])
    x[1, 2, 0], x[2, 0, 1] = np.nan, np.inf
    t = gg.asarray(backend.asarray(x)).requires_grad_()
    q, r = qr(t)
    for part in (q, r):
        part = backend.to_numpy(part.detach().array)
        assert np.isfinite(part[0]).all() and np.isnan(part[1:]).all()
    gg.sum(r * r).backward()  # the squares of the lengths of the columns
    gradient = backend.to_numpy(t.grad.array)
    assert_close(gradient[0], 2 * TALL)
    assert np.isnan(gradient[1:]).all()


def test_refusals(backend: Backend) -> None:
    with pytest.raises(gg.ShapeError, match=r"qr: got .*float64 \(3,\), expected a matrix"):
        qr(backend.asarray(np.ones(3)))
    with pytest.raises(gg.DTypeError, match=r"qr: got .*int64 \(2, 2\), expected float32"):
        qr(gg.asarray(backend.asarray(np.ones((2, 2), np.int64))))
    with pytest.raises(ValueError, match="qr: mode is 'r', expected 'reduced' or 'complete'"):
        qr(backend.asarray(TALL), mode="r")
