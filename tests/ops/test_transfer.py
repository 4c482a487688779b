"""Moving between devices: values arrive, gradients travel back."""

from __future__ import annotations

import numpy
import pytest
from backends import NUMPY, STRICT, Backend

import gpugrad as gg


def test_there_and_back(device: str) -> None:
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    moved = x.to(device) * 3
    assert moved.device == gg.zeros(1, device=device).device
    gg.sum(moved.cpu() * gg.asarray([1.0, 10.0])).backward()
    assert x.grad.device == "cpu"
    assert x.grad.tolist() == [3.0, 30.0]


def test_a_gradient_arrives_on_the_device_of_its_tensor(device: str) -> None:
    x = gg.ones(2, device=device).requires_grad_()
    gg.sum(x.cpu() ** 2).backward()
    assert x.grad.device == x.device
    assert x.grad.tolist() == [2.0, 2.0]


def test_second_order_across_devices(device: str) -> None:
    first = gg.grad(lambda x: gg.sum(x.to(device) ** 3).cpu())
    second = gg.grad(lambda x: gg.sum(first(x)))
    assert second(gg.asarray([1.0, 2.0])).tolist() == [6.0, 12.0]


def test_what_is_there_already_is_not_copied(backend: Backend) -> None:
    array = backend.asarray(numpy.ones(2))
    assert gg.to_device(array, backend.device) is array
    x = gg.asarray(array)
    assert x.to(backend.device).array is array


def test_from_another_library_to_numpy() -> None:
    x = gg.asarray(STRICT.asarray(numpy.asarray([1.0, 2.0]))).requires_grad_()
    moved = x.to("cpu")
    assert NUMPY.is_array(moved.array)
    gg.sum(moved * numpy.asarray([3.0, 4.0])).backward()
    assert STRICT.is_array(x.grad.array)
    assert x.grad.device == STRICT.device
    assert STRICT.to_numpy(x.grad.array).tolist() == [3.0, 4.0]


def test_a_copy_shares_no_memory(backend: Backend) -> None:
    x = gg.asarray(backend.asarray(numpy.asarray([1.0, 2.0]))).requires_grad_()
    copied = x.clone()
    assert copied.array is not x.array
    gg.sum(copied * copied).backward()
    assert backend.to_numpy(x.grad.array).tolist() == [2.0, 4.0]
    if backend.device == "cpu":
        assert not numpy.shares_memory(copied.array, x.array)


@pytest.mark.parametrize("name", ["gpu", "cuda:-1", "cpu:1", "cuda:x", ""])
def test_unknown_devices_are_named(name: str) -> None:
    with pytest.raises(gg.DeviceError, match=f"unknown device '{name}': expected 'cpu', 'cuda' or 'cuda:N'"):
        gg.ones(2).to(device=name)


def test_an_absent_gpu_is_named() -> None:
    count = gg.cuda.device_count()
    message = f"'cuda:{count}': this machine has {count} GPU" if count else "CUDA needs CuPy|CuPy .* is installed, but"
    with pytest.raises(gg.DeviceError, match=message):
        gg.ones(2).to(f"cuda:{count}")


def test_arrays_of_two_devices_do_not_mix(device: str) -> None:
    elsewhere = gg.ones(2, device=device)
    if elsewhere.device == "cpu":
        assert (gg.ones(2) + elsewhere).tolist() == [2.0, 2.0]
    else:
        with pytest.raises(gg.DeviceError, match=r"add: operands are on .*cpu.*cuda|add: operands are on .*cuda.*cpu"):
            gg.ones(2) + elsewhere


def test_a_stream_is_entered_and_not_passed() -> None:
    with pytest.raises(gg.DeviceError, match=r"to_device: stream is 3, expected None; enter the stream with gg\.cuda\.stream"):
        gg.ones(2).to_device("cpu", stream=3)
