"""Defaults and refusals of the creation functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy
import pytest
from backends import Backend

import gpugrad as gg


@pytest.fixture
def double() -> Iterator[None]:
    gg.set_default_dtype(gg.float64)
    yield
    gg.set_default_dtype(gg.float32)


MADE = {
    "zeros": lambda: gg.zeros(2), "ones": lambda: gg.ones(2), "empty": lambda: gg.empty(2), "full": lambda: gg.full(2, 1.5),
    "eye": lambda: gg.eye(2), "arange": lambda: gg.arange(2.0), "linspace": lambda: gg.linspace(0, 1, 3), "asarray": lambda: gg.asarray([1.5]),
    "tensor": lambda: gg.tensor(1.5),
}  # fmt: skip


@pytest.mark.parametrize("name", MADE)
def test_floats_are_float32(name: str) -> None:
    assert MADE[name]().dtype == gg.float32


@pytest.mark.parametrize("name", MADE)
@pytest.mark.usefixtures("double")
def test_floats_are_of_the_default_dtype(name: str) -> None:
    assert MADE[name]().dtype == gg.float64
    assert gg.full(2, 1j).dtype == gg.complex128


def test_the_default_dtype_must_be_floating_point() -> None:
    with pytest.raises(gg.DTypeError, match="set_default_dtype: got int64, expected a real floating-point dtype"):
        gg.set_default_dtype(gg.int64)
    assert gg.get_default_dtype() == gg.float32


@pytest.mark.parametrize("shape", [(), (2,), (2, 0), (2, 3)])
@pytest.mark.parametrize("dtype", [gg.float32, gg.int8, gg.bool, gg.complex128])
def test_empty_has_the_shape_and_dtype_asked_for(shape: tuple[int, ...], dtype: Any, device: str, backend: Backend) -> None:
    made = gg.empty(shape, dtype=dtype, device=device)
    alike = gg.empty_like(gg.asarray(backend.asarray(numpy.zeros(shape))), dtype=dtype)
    assert (made.shape, made.dtype) == (alike.shape, alike.dtype) == (shape, dtype)


@pytest.mark.parametrize("name", ["zeros_like", "ones_like", "empty_like"])
def test_like_an_array_is_an_array_and_like_a_tensor_a_tensor(name: str, backend: Backend) -> None:
    array = backend.asarray(numpy.zeros((2, 3), "float32"))
    assert backend.is_array(getattr(gg, name)(array))
    out = getattr(gg, name)(gg.asarray(array).requires_grad_())
    assert isinstance(out, gg.Tensor)
    assert not out.requires_grad
    assert (out.shape, out.dtype, out.device) == ((2, 3), gg.float32, gg.asarray(array).device)


def test_like_asks_for_another_device(device: str) -> None:
    assert gg.zeros_like(gg.ones(2), device=device).device == gg.zeros(2, device=device).device


def test_results_can_be_written_to() -> None:
    for x in (
        gg.zeros(2),
        gg.ones(2),
        gg.full(2, 1.0),
        gg.eye(2),
        gg.arange(2),
        gg.linspace(0, 1, 2),
        gg.zeros_like(gg.ones(2)),
    ):
        assert x.array.flags.writeable


def test_a_shape_below_zero_is_named() -> None:
    with pytest.raises(gg.ShapeError, match=r"zeros: got \(2, -1\): negative dimensions"):
        gg.zeros((2, -1))


def test_a_device_of_another_library_is_refused(backend: Backend) -> None:
    if isinstance(backend.device, str):
        assert gg.zeros(2, device=backend.device).device == backend.device
    else:
        with pytest.raises(gg.DeviceError, match=r"zeros: device is .*device1.*, expected 'cpu', 'cuda' or 'cuda:N'"):
            gg.zeros(2, device=backend.device)


def test_an_unknown_device_is_named() -> None:
    with pytest.raises(gg.DeviceError, match="unknown device 'gpu': expected 'cpu', 'cuda' or 'cuda:N'"):
        gg.zeros(2, device="gpu")


def test_an_empty_range_is_no_error() -> None:
    assert gg.arange(2, 2, -1).shape == (0,)
    assert gg.arange(5, 2, 1).shape == (0,)


VALUES = {
    "full": lambda x: gg.full((2,), x), "full_like": lambda x: gg.full_like(gg.ones(2), x), "arange": lambda x: gg.arange(x),
    "linspace": lambda x: gg.linspace(0, x, 3),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_a_value_must_be_a_number(name: str, backend: Backend) -> None:
    recording = [gg.tensor(2.0, requires_grad=True)] if name in ("arange", "linspace") else []
    for x in (*recording, backend.asarray([2.0]), gg.ones(1)):
        with pytest.raises(gg.DTypeError, match=rf"^{name}: got .*float.* \(.*\) where a Python number is expected, such as"):
            VALUES[name](x)
    with pytest.raises(gg.DTypeError, match=rf"^{name}: got 'a' where a Python number is expected"):
        VALUES[name]("a")
    assert VALUES[name](numpy.float32(2)).tolist() == VALUES[name](2.0).tolist()


@pytest.mark.parametrize("name", VALUES)
def test_an_array_of_no_dimensions_may_stand_for_its_number(name: str, device: str) -> None:
    assert VALUES[name](gg.asarray(2.0, device=device)).tolist() == VALUES[name](2.0).tolist()
    assert VALUES[name](numpy.asarray(2.0)).tolist() == VALUES[name](2.0).tolist()


def test_what_is_full_of_a_tensor_has_its_gradient_dtype_and_device(device: str) -> None:
    value = gg.tensor(2.0, dtype=gg.float64, device=device, requires_grad=True)
    full, like = gg.full((2, 3), value), gg.full_like(gg.ones(2, dtype=gg.float32, device=device), value)
    assert (full.dtype, like.dtype, full.device, like.device) == (gg.float64, gg.float32, value.device, value.device)
    gg.sum(full * full).backward()
    gg.sum(like).backward()
    assert full.tolist() == [[2.0] * 3] * 2 and value.grad.item() == 4.0 * 6 + 2


@pytest.mark.parametrize("name", ["full", "full_like"])
def test_a_number_that_the_dtype_cannot_hold_is_named(name: str) -> None:
    what = (2,) if name == "full" else gg.ones(2)
    for number, dtype in ((300, gg.uint8), (1j, gg.float32)):
        with pytest.raises(gg.DTypeError, match=rf"^{name}: got .*{number} for dtype {dtype}[:;]"):
            getattr(gg, name)(what, number, dtype=dtype)
