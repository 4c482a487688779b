"""Sorting equals, and the gradients of distinct values."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
from backends import Backend

import gpugrad as gg


@pytest.mark.parametrize(("descending", "expected"), [(False, [1, 3, 0, 2]), (True, [0, 2, 1, 3])])
def test_equals_keep_their_order_either_way(descending: bool, expected: list[int], backend: Backend) -> None:
    x = gg.asarray(backend.asarray(numpy.asarray([2.0, 1.0, 2.0, 1.0])))
    assert backend.to_numpy(gg.argsort(x, descending=descending).array).tolist() == expected


@pytest.mark.parametrize("descending", [False, True])
def test_gradients_return_to_where_equals_stood(descending: bool, backend: Backend) -> None:
    x = gg.asarray(backend.asarray(numpy.asarray([2.0, 1.0, 2.0, 1.0]))).requires_grad_()
    weights = gg.asarray(backend.asarray(numpy.asarray([1.0, 2.0, 3.0, 4.0])))
    gg.sum(gg.sort(x, descending=descending) * weights).backward()
    expected = [1.0, 3.0, 2.0, 4.0] if descending else [3.0, 1.0, 4.0, 2.0]
    assert backend.to_numpy(x.grad.array).tolist() == expected


@pytest.mark.parametrize("name", ["unique_all", "unique_counts", "unique_inverse", "unique_values"])
def test_distinct_values_give_their_gradient_to_the_first_of_equals(name: str, backend: Backend) -> None:
    x = gg.asarray(backend.asarray(numpy.asarray([3.0, 1.0, 3.0, 2.0]))).requires_grad_()
    out: Any = getattr(gg, name)(x)
    values = out if name == "unique_values" else out.values
    gg.sum(values**2).backward()
    assert backend.to_numpy(x.grad.array).tolist() == [6.0, 2.0, 0.0, 4.0]


@pytest.mark.parametrize("name", ["unique_all", "unique_counts", "unique_inverse"])
def test_results_have_the_names_of_the_standard(name: str) -> None:
    x = gg.asarray([3, 1, 3])
    plain = getattr(x.array.__array_namespace__(), name)(x.array)
    assert getattr(gg, name)(x)._fields == plain._fields


@pytest.mark.parametrize("name", ["nonzero", "unique_all", "unique_values"])
def test_what_is_no_array_is_named(name: str) -> None:
    with pytest.raises(gg.DTypeError, match=f"{name}: got int, expected a Tensor or an array"):
        getattr(gg, name)(3)


@pytest.mark.parametrize("name", ["argmax", "argmin", "argsort", "sort"])
def test_an_axis_out_of_range_is_named(name: str) -> None:
    with pytest.raises(gg.ShapeError, match=rf"{name}: got float32 \(2, 3\), axis=2.*out of bounds"):
        getattr(gg, name)(gg.ones((2, 3)), axis=2)
