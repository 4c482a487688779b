"""Conversions between dtypes, and what they refuse."""

from __future__ import annotations

import numpy
import pytest
from backends import Backend

import gpugrad as gg


def test_a_gradient_is_cast_back(backend: Backend) -> None:
    x = gg.asarray(backend.asarray(numpy.ones(2, "float32"))).requires_grad_()
    gg.sum(x.astype(gg.float64) * 3).backward()
    assert x.grad.dtype == gg.float32
    assert backend.to_numpy(x.grad.array).tolist() == [3.0, 3.0]


def test_a_gradient_of_a_complex_result_becomes_real(backend: Backend) -> None:
    x = gg.asarray(backend.asarray(numpy.ones(2))).requires_grad_()
    gg.sum(gg.imag(gg.astype(x, gg.complex128) * 2j)).backward()
    assert x.grad.dtype == gg.float64
    assert backend.to_numpy(x.grad.array).tolist() == [2.0, 2.0]


def test_nothing_changes_without_a_copy(backend: Backend) -> None:
    x = gg.asarray(backend.asarray(numpy.ones(2)))
    assert gg.astype(x, gg.float64, copy=False) is x
    assert gg.astype(x, gg.float64).array is not x.array


@pytest.mark.parametrize("dtype", [gg.float32, gg.int64])
def test_complex_numbers_do_not_become_real_in_silence(dtype: object, backend: Backend) -> None:
    z = gg.asarray(backend.asarray(numpy.ones(2) + 1j))
    with pytest.raises(gg.DTypeError, match=r"astype: .*complex128 \(2,\)"):
        z.astype(dtype)


@pytest.mark.parametrize("name", ["float33", "nonsense"])
def test_an_unknown_dtype_is_named(name: str) -> None:
    with pytest.raises(gg.DTypeError, match=name):
        gg.ones(2).astype(name)


def test_dtypes_are_those_of_numpy(backend: Backend) -> None:
    x = gg.asarray(backend.asarray(numpy.ones(2, "float32")))
    assert x.dtype == gg.float32 == numpy.dtype("float32") == numpy.float32
    assert isinstance(x.dtype, numpy.dtype)


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ValueError, match="isdtype: unknown kind 'float', expected one of bool, signed integer"):
        gg.isdtype(gg.float32, "float")


def test_result_type_of_tensors_and_numbers() -> None:
    assert gg.result_type(gg.ones(2), 2.5) == gg.float32
    assert gg.result_type(gg.asarray([1]), 2.5) == numpy.result_type(numpy.int64, 2.5)
    assert gg.can_cast(gg.ones(2), gg.float64)
