"""asarray, tensor and from_dlpack: what they share, keep and refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import pytest
from backends import NUMPY, STRICT, Backend

import gpugrad as gg


def test_an_array_is_wrapped_without_a_copy(backend: Backend) -> None:
    array = backend.asarray(numpy.ones(2))
    assert gg.asarray(array).array is array
    assert gg.asarray(array, copy=True).array is not array
    assert gg.asarray(array, dtype=gg.float64, copy=False).array is array


def test_a_copy_that_is_needed_but_forbidden_is_refused() -> None:
    with pytest.raises(
        ValueError, match="asarray: copy=False, but a Tensor of this ndarray with this dtype and device needs a copy"
    ):
        gg.asarray(numpy.ones(2), dtype=gg.float32, copy=False)
    with pytest.raises(ValueError, match="asarray: copy=False, but a Tensor of this list"):
        gg.asarray([1.0], copy=False)


def test_a_tensor_passes_with_its_gradient_also_in_a_list() -> None:
    x = gg.tensor(2.0, requires_grad=True)
    assert gg.asarray(x) is x
    gg.sum(gg.asarray([[x * 2, 1.0], [x, x]])).backward()
    assert x.grad.item() == 4.0


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "int8", "int64"])
def test_numbers_beside_tensors_take_their_dtype_and_device(dtype: str, backend: Backend) -> None:
    if backend is STRICT and dtype == "float16":
        return
    t = gg.asarray(backend.asarray(numpy.asarray(2, dtype)))
    for nested in ([t, 1], [1, t], [[t, 1], [2, 3]], [[1, True], (2, t)], [t, numpy.dtype(dtype).type(3)]):
        out = gg.asarray(nested)
        assert (out.dtype, out.device) == (dtype, t.device)
        assert backend.is_array(out.array)
    if backend is STRICT and dtype.startswith("int"):
        return  # it does not promote integers to floats
    assert gg.asarray([[t, 1.0], [2, 3]]).dtype == numpy.result_type(numpy.dtype(dtype), 1.0)
    assert gg.asarray([t, 1j]).dtype == numpy.result_type(numpy.dtype(dtype), 1j)
    exact = gg.asarray([t, 0.1 + 0j if dtype == "complex64" else 0.1], dtype=gg.complex128)
    assert backend.to_numpy(exact.array)[1] == 0.1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda: gg.asarray([gg.asarray(numpy.uint8(1)), 300]), "asarray: got 300 for dtype uint8"),
        (lambda: gg.asarray([gg.ones(()), 1j], dtype=gg.float32), "asarray: got 1j for dtype float32"),
        (lambda: gg.asarray(300, dtype=gg.uint8), "asarray: got 300 for dtype uint8"),
    ],
)
def test_a_number_that_the_dtype_cannot_hold_is_named(data: Callable[[], Any], message: str) -> None:
    with pytest.raises(gg.DTypeError, match=message):
        data()


def test_a_list_of_arrays_keeps_their_dtype() -> None:
    assert gg.asarray([numpy.float64(1.0), numpy.float64(2.0)]).dtype == gg.float64
    assert gg.asarray([numpy.ones(2, "int8")]).dtype == gg.int8
    assert gg.asarray([[1, 2.5], [True, 0]]).dtype == gg.float32


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("text", "asarray: got str of dtype"),
        ([[1, 2], [3]], "asarray: the nested lists do not form a rectangular array"),
        (["a"], "asarray: nested lists gave dtype"),
        ({"a": 1}, "asarray: got dict of dtype object"),
        (None, "asarray: got NoneType of dtype object"),
        (numpy.asarray(["2020-01-01"], "datetime64[D]"), r"asarray: got ndarray of dtype datetime64\[D\]"),
    ],
)
def test_what_is_no_array_of_numbers_is_named(data: Any, message: str) -> None:
    with pytest.raises(gg.DTypeError, match=message):
        gg.asarray(data)


def test_tensor_copies_and_makes_a_leaf(backend: Backend) -> None:
    array = backend.asarray(numpy.ones(2))
    x = gg.tensor(array, requires_grad=True)
    assert x.array is not array
    assert x.requires_grad
    assert x.is_leaf
    if backend is NUMPY:
        assert not numpy.shares_memory(x.array, array)


def test_tensor_refuses_what_would_lose_a_gradient() -> None:
    x = gg.tensor(2.0, requires_grad=True)
    with pytest.raises(
        gg.ConversionError, match=r"tensor: the data records, and its gradient would be lost; use gg.asarray to keep it"
    ):
        gg.tensor([x, 1.0])
    with pytest.raises(gg.DTypeError, match="a tensor of dtype int64 cannot require a gradient"):
        gg.tensor([1, 2], requires_grad=True)


def test_dlpack_shares_memory() -> None:
    array = numpy.ones(2)
    assert numpy.shares_memory(gg.from_dlpack(array).array, array)
    assert not numpy.shares_memory(gg.from_dlpack(array, copy=True).array, array)
    assert numpy.shares_memory(numpy.from_dlpack(gg.asarray(array)), array)


def test_dlpack_from_another_library_and_device(backend: Backend) -> None:
    if backend is STRICT:  # its device is a pretence: the memory is the CPU's
        assert NUMPY.is_array(gg.from_dlpack(backend.asarray(numpy.ones(2))).array)
    else:
        assert gg.from_dlpack(backend.asarray(numpy.ones(2))).device == backend.device
