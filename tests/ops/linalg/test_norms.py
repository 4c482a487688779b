"""Norms where they are not smooth: at zero, at ties; and orders and axes that the records leave out."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from backends import Backend

import gpugrad as gg
from gpugrad.linalg import matrix_norm, vector_norm
from gpugrad.testing import assert_close


@pytest.mark.parametrize("ord", [2, 1, 0, 3, 1.5, 0.5, -1, -2.5, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("create_graph", [False, True])
def test_the_gradient_of_the_norm_of_zeros_is_zero(ord: float, dtype: str, create_graph: bool, backend: Backend) -> None:
    x = gg.asarray(backend.asarray(np.zeros(3, dtype))).requires_grad_()
    out = vector_norm(x, ord=ord)
    out.backward(create_graph=create_graph)
    assert out.item() == 0
    assert_close(x.grad, np.zeros(3, dtype))


@pytest.mark.parametrize(
    ("ord", "value", "gradient"),
    [
        (
            0.5,
            (2 + math.sqrt(3)) ** 2,
            [0.0, 1 + math.sqrt(3) / 2, -1 - 2 / math.sqrt(3)],
        ),  # sqrt(norm) / sqrt(abs(x)), with signs
        (1.5, (8 + 3**1.5) ** (2 / 3), [0.0, 2 / (8 + 3**1.5) ** (1 / 3), -math.sqrt(3) / (8 + 3**1.5) ** (1 / 3)]),
        (-1, 0.0, [0.0, 0.0, 0.0]),
        (-math.inf, 0.0, [0.0, 0.0, 0.0]),
        (math.inf, 4.0, [0.0, 1.0, 0.0]),
    ],
)
def test_elements_of_zero_have_no_part_in_the_gradient(ord: float, value: float, gradient: Any) -> None:
    x = np.asarray([0.0, 4.0, -3.0])
    assert_close(vector_norm(x, ord=ord), np.asarray(value))
    assert_close(gg.grad(lambda x: vector_norm(x, ord=ord))(x), np.asarray(gradient))


def test_ties_share_the_gradient_equally(backend: Backend) -> None:
    x = gg.asarray(backend.asarray(np.asarray([[-2.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))).requires_grad_()
    vector_norm(x, ord=math.inf).backward()
    assert_close(x.grad, np.asarray([[-1.0, 0.0, 1.0], [1.0, 0.0, 0.0]]) / 3)
    x.grad = None
    matrix_norm(x, ord=1).backward()  # the columns' sums are 4, 2, 2
    assert_close(x.grad, np.asarray([[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]))
    x.grad = None
    matrix_norm(x, ord=-1).backward()
    assert_close(x.grad, np.asarray([[0.0, 0.5, 0.5], [0.0, 0.5, 0.0]]))


def test_the_second_derivative_of_the_euclidean_norm_of_zeros_is_zero() -> None:
    assert_close(gg.hessian(vector_norm)(np.zeros(2)), np.zeros((2, 2)))


def test_equal_singular_values_share_the_gradient_of_the_spectral_norm() -> None:
    assert_close(gg.grad(lambda x: matrix_norm(x, ord=2))(np.eye(2)), np.eye(2) / 2)
    assert_close(gg.grad(lambda x: matrix_norm(x, ord="nuc"))(np.eye(2)), np.eye(2))
    assert_close(gg.grad(matrix_norm)(np.zeros((2, 3))), np.zeros((2, 3)))


def test_the_norm_of_every_other_element_backwards() -> None:
    x = np.arange(1.0, 7.0)
    g = gg.grad(lambda x: vector_norm(x[::-2], ord=3))(x)
    assert_close(g, np.where(np.arange(6) % 2 == 1, x**2, 0) / vector_norm(x[::-2], ord=3) ** 2)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_has_norms_too(dtype: Any, device: str) -> None:
    """The squares are 90,000 and 160,000: more than float16 has."""
    x = gg.asarray(np.asarray([300.0, -400.0], dtype), device=device).requires_grad_()
    for ord, norm in ((2, 500), (1, 700), (0, 2), (math.inf, 400)):
        found = vector_norm(x, ord=ord)
        assert (found.dtype, found.item()) == (dtype, float(dtype(norm)))
    (g,) = gg.gradients([vector_norm(x)], [x])
    assert_close(g, np.asarray([0.6, -0.8], dtype), rtol=1e-2)


def test_the_largest_of_no_elements_is_zero_and_the_smallest_an_error() -> None:
    assert vector_norm(np.ones((0,)), ord=math.inf) == 0
    with pytest.raises(gg.ShapeError, match="vector_norm: ord is -inf over no elements"):
        vector_norm(np.ones((0,)), ord=-math.inf)


@pytest.mark.parametrize("ord", ["fro", math.nan, 1j, None])
def test_other_orders_are_refused(ord: Any) -> None:
    with pytest.raises(gg.DTypeError, match="vector_norm: ord is"):
        vector_norm(np.ones(2), ord=ord)
    if ord not in ("fro", None):
        with pytest.raises(ValueError, match="matrix_norm: ord is"):
            matrix_norm(np.ones((2, 2)), ord=ord)


def test_integers_are_refused() -> None:
    with pytest.raises(gg.DTypeError, match=r"vector_norm: got int64 \(2,\), expected a floating-point dtype"):
        vector_norm(np.ones(2, np.int64))
