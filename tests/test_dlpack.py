"""DLPack and __array__, in and out: memory is shared, which a write on one side shows; where it cannot be, that is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from backends import CUPY
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import gpugrad as gg

DTYPES = ("bool", "int8", "uint16", "int64", "float16", "float32", "float64", "complex64", "complex128")


def torch_() -> Any:
    return pytest.importorskip("torch")


def jax_() -> Any:
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    return jax


def aligned(n: int) -> Any:
    """n zeros at an address that JAX takes without a copy: a multiple of 64."""
    memory = np.zeros(8 * n + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + 8 * n].view(np.float64)


def read_only(x: Any) -> Any:
    x.flags.writeable = False
    return x


# NumPy --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("take", [gg.from_dlpack, gg.asarray])
def test_from_numpy(take: Any) -> None:
    array = np.zeros(3)
    x = take(array)
    array[1] = 5.0
    assert x.tolist() == [0.0, 5.0, 0.0] and x.device == "cpu"


@pytest.mark.parametrize("give", [np.from_dlpack, np.asarray])
def test_to_numpy(give: Any) -> None:
    x = gg.zeros(3)
    array = give(x)
    array[1] = 5.0
    assert x.tolist() == [0.0, 5.0, 0.0]


@given(
    hnp.arrays(st.sampled_from(DTYPES), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)),
    st.sampled_from([None, True, False]),
)
def test_there_and_back(array: Any, copy: bool | None) -> None:
    x = gg.from_dlpack(array, copy=copy)
    back = np.from_dlpack(x)
    assert (x.shape, x.dtype) == (array.shape, array.dtype) and back.dtype == array.dtype and back.shape == array.shape
    np.testing.assert_array_equal(back, array)
    if array.size:
        assert np.shares_memory(back, array) is (copy is not True)


@pytest.mark.parametrize(
    "view", [lambda a: a.T, lambda a: a[::2, 1:], lambda a: a[::-1], lambda a: a[1, 1:1], lambda a: a[0, ...]]
)
def test_views_come_as_they_are(view: Any) -> None:
    array = view(np.arange(6.0).reshape(3, 2))
    x = gg.from_dlpack(array)
    assert x.array.strides == array.strides and np.array_equal(x.array, array)


def test_read_only_stays_read_only() -> None:
    array = read_only(np.ones(2))
    assert not gg.from_dlpack(array).array.flags.writeable
    assert not np.from_dlpack(gg.asarray(array)).flags.writeable
    assert gg.from_dlpack(array, copy=True).array.flags.writeable


def test_a_result_without_axes() -> None:
    total = gg.sum(gg.ones(3))
    assert type(total.array) is np.float32 and total.__dlpack_device__() == (1, 0)
    assert np.from_dlpack(total) == 3.0 and gg.from_dlpack(np.array(3.0)).item() == 3.0


def test_copies_on_request() -> None:
    x = gg.ones(2)
    for options in ({"copy": True}, {"device": "cpu", "copy": True}):
        assert not np.shares_memory(np.from_dlpack(x, **options), x.array)
        assert not np.shares_memory(gg.from_dlpack(x.array, **options).array, x.array)
        assert not np.shares_memory(gg.from_dlpack(x, **options).array, x.array)
    for options in ({"copy": False}, {"device": "cpu", "copy": False}, {"device": "cpu"}, {}):
        assert np.shares_memory(np.from_dlpack(x, **options), x.array)
        assert np.shares_memory(gg.from_dlpack(x.array, **options).array, x.array)
        assert gg.from_dlpack(x, **options) is x


def test_negative_strides_are_copied_on_the_way_out() -> None:
    x = gg.asarray(np.arange(3.0)[::-1])
    assert np.from_dlpack(x).tolist() == [2.0, 1.0, 0.0] and np.from_dlpack(x).strides == (8,)
    with pytest.raises(BufferError, match="copy=False, but this array cannot be shared: its strides are negative"):
        np.from_dlpack(x, copy=False)
    assert np.shares_memory(np.asarray(x), x.array)


def test_read_only_is_copied_for_those_who_cannot_be_told() -> None:
    x = gg.asarray(read_only(np.ones(2)))
    assert "dltensor_versioned" in repr(x.__dlpack__(max_version=(1, 0), copy=False))
    assert "dltensor_versioned" not in repr(x.__dlpack__())
    with pytest.raises(BufferError, match="it is read-only, which DLPack cannot say before version 1.0"):
        x.__dlpack__(copy=False)


# What is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", [np.from_dlpack, lambda x: x.__dlpack__(copy=True), np.asarray])
def test_what_records_is_not_handed_out(ask: Any) -> None:
    x = gg.tensor([1.0], requires_grad=True)
    with pytest.raises(gg.ConversionError, match=rf"{__file__}:\d+ in .*this tensor records, and its gradient would be lost"):
        ask(x)


def test_what_records_comes_in_with_its_gradient() -> None:
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    (g,) = gg.gradients(gg.sum(gg.from_dlpack(x * 3, copy=True)), [x])
    assert g.tolist() == [3.0, 3.0]


class Exporter:
    """An array of some library on some device, which can be copied to the CPU."""

    def __init__(self, kind: int, error: Exception | None = None) -> None:
        self.kind, self.error = kind, error

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.kind, 0

    def __dlpack__(self, *, dl_device: Any = None, copy: Any = None, **options: Any) -> Any:
        if self.error:
            raise self.error
        if copy is False:
            raise BufferError("this needs a copy")
        return np.ones(2).__dlpack__(**options)


def test_other_devices() -> None:
    metal = Exporter(8)
    with pytest.raises(
        gg.DeviceError, match="from_dlpack: the array is on device type 8 of DLPack, expected memory of the CPU"
    ):
        gg.from_dlpack(metal)
    assert gg.from_dlpack(metal, device="cpu").tolist() == [1.0, 1.0]
    with pytest.raises(BufferError, match="this needs a copy"):
        gg.from_dlpack(metal, device="cpu", copy=False)


def test_what_cannot_come_in() -> None:
    with pytest.raises(gg.DTypeError, match="from_dlpack: got list, expected an array with __dlpack__.*gg.asarray"):
        gg.from_dlpack([1.0])
    with pytest.raises(gg.DTypeError, match="from_dlpack: got Exporter: Unsupported dtype"):
        gg.from_dlpack(Exporter(1, RuntimeError("Unsupported dtype in DLTensor.")))
    with pytest.raises(BufferError, match="native byte order"):
        gg.from_dlpack(np.ones(2, ">f8"))


# PyTorch and JAX, where they are installed ---------------------------------------------------------------------------


def test_from_torch() -> None:
    torch = torch_()
    theirs = torch.zeros(3, dtype=torch.float64)
    x, y = gg.from_dlpack(theirs), gg.asarray(theirs)
    theirs[1] = 5.0
    assert x.tolist() == y.tolist() == [0.0, 5.0, 0.0] and isinstance(x.array, np.ndarray)
    with pytest.raises(BufferError, match="require gradient"):
        gg.from_dlpack(theirs.requires_grad_())
    with pytest.raises(gg.DTypeError, match="from_dlpack: got torch.bfloat16: Unsupported dtype"):
        gg.from_dlpack(torch.ones(2, dtype=torch.bfloat16))


def test_to_torch() -> None:
    torch = torch_()
    x = gg.asarray(np.zeros(3))
    theirs = torch.from_dlpack(x)
    theirs[1] = 5.0
    assert x.tolist() == [0.0, 5.0, 0.0]
    assert torch.from_dlpack(x, copy=True).data_ptr() != theirs.data_ptr() == torch.from_dlpack(x, device="cpu").data_ptr()
    with pytest.raises(gg.ConversionError, match="this tensor records"):
        torch.from_dlpack(gg.tensor([1.0], requires_grad=True))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0, 2), (2, 3)])
def test_there_and_back_by_torch_and_jax(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.ones(shape, dtype)
    for other in (torch_(), jax_().numpy):
        back = gg.from_dlpack(other.from_dlpack(gg.asarray(array)))
        assert (back.shape, back.dtype) == (shape, dtype) and np.array_equal(back.array, array)


def test_torch_survives_negative_strides() -> None:
    assert torch_().from_dlpack(gg.flip(gg.asarray(np.arange(3.0)))).tolist() == [2.0, 1.0, 0.0]


def test_from_jax() -> None:
    theirs = jax_().numpy.arange(3.0)
    x = gg.from_dlpack(theirs)
    assert x.array.ctypes.data == theirs.unsafe_buffer_pointer() and not x.array.flags.writeable
    assert gg.asarray(theirs).array is theirs  # a conforming array needs no conversion


def test_to_jax() -> None:
    jnp = jax_().numpy
    array = aligned(4)
    x = gg.asarray(array)
    theirs = jnp.from_dlpack(x)
    array[1] = 5.0
    assert theirs.tolist() == [0.0, 5.0, 0.0, 0.0] == x.tolist()
    assert jnp.from_dlpack(gg.broadcast_to(x[1], (2,))).tolist() == [5.0, 5.0]  # read-only on NumPy, and not contiguous
    with pytest.raises(gg.ConversionError, match="this tensor records"):
        jnp.from_dlpack(gg.tensor([1.0], requires_grad=True))


# CuPy ----------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not CUPY.available, reason="CuPy has no GPU here")
class TestCuPy:
    def test_from_cupy(self) -> None:
        array = CUPY.asarray(np.zeros(3))
        for x in (gg.from_dlpack(array), gg.from_dlpack(array, copy=False), gg.asarray(array)):
            array += 1
            assert type(x.array) is type(array) and x.device == "cuda:0" and x.tolist() == array.tolist()
        assert gg.from_dlpack(array, copy=True).array.data.ptr != array.data.ptr

    def test_to_another_device(self) -> None:
        array = CUPY.asarray(np.arange(3.0))
        assert gg.from_dlpack(array, device="cpu").array.tolist() == [0.0, 1.0, 2.0]
        assert gg.from_dlpack(np.arange(3.0), device="cuda").device == "cuda:0"
        for x, device in ((array, "cpu"), (np.arange(3.0), "cuda")):
            with pytest.raises(BufferError, match=rf"from_dlpack: copy=False, but the array is on .*, not on {device}"):
                gg.from_dlpack(x, device=device, copy=False)

    def test_to_numpy(self) -> None:
        x = gg.asarray(CUPY.asarray(np.arange(3.0)))
        assert x.__dlpack_device__() == (2, 0)
        assert np.from_dlpack(x, device="cpu").tolist() == [0.0, 1.0, 2.0]
        with pytest.raises(BufferError, match="copy=False, but this array cannot be shared: it is on cuda:0"):
            np.from_dlpack(x, device="cpu", copy=False)
        with pytest.raises(gg.ConversionError, match="this tensor records"):
            np.from_dlpack(gg.asarray(x).requires_grad_(), device="cpu")
