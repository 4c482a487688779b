"""gpugrad.arrays.pinned: memory that GPUs copy to and from while the host goes on."""

import gc

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.arrays import pinned
from gpugrad.arrays.devices import CPU, Device, import_cupy, move
from gpugrad.errors import DeviceError, GraphError

if not gg.cuda.is_available():
    pytest.skip("CuPy: there is no GPU here; GPUGRAD_TEST_STANDIN=1 runs these on a stand-in", allow_module_level=True)

cupy = import_cupy()
COUNTED = pytest.mark.skipif(not hasattr(cupy, "standin"), reason="only the stand-in counts and lags")
DEVICES = [f"cuda:{i}" for i in range(gg.cuda.device_count())][:2]

ARRAYS = {
    "contiguous": np.arange(6.0).reshape(2, 3),
    "transposed": np.arange(6.0).reshape(2, 3).T,
    "sliced": np.arange(24.0).reshape(4, 6)[::-2, 1::2],
    "broadcast": np.broadcast_to(np.arange(3, dtype=np.int32), (2, 3)),
    "empty": np.empty((0, 3), np.float32),
    "0-d": np.array(3.5),
    "booleans": np.array([True, False]),
    "complex": np.array([1 + 2j, 3]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_pinning(name):
    array = ARRAYS[name]
    found = pinned.pin(array)
    assert type(found) is np.ndarray and found.dtype == array.dtype and found.flags.c_contiguous
    np.testing.assert_array_equal(found, array)
    assert pinned.is_pinned(found) == (array.size > 0) and not pinned.is_pinned(array)
    assert pinned.is_pinned(found[..., :1] if found.ndim else found) == (array.size > 0)
    if array.size:
        assert pinned.pin(found) is found


def test_what_cannot_be_pinned():
    assert not pinned.is_pinned(cupy.ones(2)) and not pinned.is_pinned(3.0)
    with pytest.raises(DeviceError, match="pin_memory: the tensor is on cuda:0, expected on cpu"):
        gg.ones(2, device="cuda").pin_memory()
    with pytest.raises(GraphError, match=r"use .detach\(\).pin_memory\(\)"):
        gg.ones(2).requires_grad_().pin_memory()


def test_a_tensor_in_pinned_memory():
    x = gg.asarray(ARRAYS["sliced"])
    y = x.pin_memory()
    assert y.is_pinned() and not x.is_pinned() and y.pin_memory() is y and y.tolist() == x.tolist()
    assert gg.sum(gg.ones(3)).pin_memory().is_pinned()  # a NumPy scalar


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("non_blocking", [False, True])
@pytest.mark.parametrize("name", ARRAYS)
def test_there_and_back(name, non_blocking, device):
    array = ARRAYS[name]
    for source in (array, pinned.pin(array)):
        there = move(source, Device(device), non_blocking)
        assert there.device.id == Device(device).index and there.shape == array.shape and there.dtype == array.dtype
        back = move(there, CPU, non_blocking)
        gg.cuda.synchronize(device)
        assert type(back) is np.ndarray
        np.testing.assert_array_equal(back, array)
        assert pinned.is_pinned(back) == (non_blocking and array.size > 0)


@pytest.mark.skipif(len(DEVICES) < 2, reason="needs two GPUs")
@pytest.mark.parametrize("name", ARRAYS)
def test_from_one_gpu_to_another(name):
    array = ARRAYS[name]
    with cupy.cuda.Device(0):
        there = cupy.asarray(array)
        there = there.T if name == "transposed" else there
        views = [there, there[..., ::2] if there.ndim else there]
    for view in views:
        found = move(view, Device("cuda:1"))
        assert found.device.id == 1
        np.testing.assert_array_equal(found.get(), view.get())
    assert cupy.cuda.Device().id == 0


@pytest.fixture
def two_streams():
    """A stream on each of two GPUs, current there."""
    with cupy.cuda.Device(0):
        there = cupy.cuda.Stream(non_blocking=True)
    with cupy.cuda.Device(1):
        here = cupy.cuda.Stream(non_blocking=True)
    with cupy.cuda.Device(1), here, cupy.cuda.Device(0), there:
        yield there, here


@pytest.mark.skipif(len(DEVICES) < 2, reason="needs two GPUs")
def test_a_copy_between_gpus_comes_after_what_is_copied(two_streams):
    x = cupy.arange(100000.0)
    for _ in range(10):
        y = move(x * 2, Device("cuda:1"))
        x += 1  # the memory of x * 2 is free, and may be written to by what comes next on its stream
    np.testing.assert_array_equal(move(y, CPU), (np.arange(100000.0) + 9) * 2)


@COUNTED
def test_the_streams_of_both_gpus_wait_for_each_other(two_streams):
    there, here = two_streams
    order = cupy.cuda.order
    x = cupy.ones(3) * 2
    made = order.launched(there)
    move(x, Device("cuda:1"))
    assert order.state(here)[order.key(there)] >= made > 0
    assert order.state(there)[order.key(here)] == order.launched(here) > 0


@COUNTED
def test_who_waits():
    array = np.ones((2, 3))
    for source, non_blocking, waits in (
        (array, False, 0),
        (array, True, 0),
        (pinned.pin(array), False, 1),
        (pinned.pin(array), True, 0),
    ):
        with cupy.standin.counting() as seen:
            there = move(source, Device("cuda"), non_blocking)
        assert (seen.waits, seen.host_reads, seen.uploads) == (waits, 0, 1)
    for non_blocking in (False, True):
        with cupy.standin.counting() as seen:
            move(there, CPU, non_blocking)
        assert (seen.host_reads, seen.waits) == (0 if non_blocking else 1, 0)


@COUNTED
def test_what_is_not_waited_for_is_not_there_yet():
    x = gg.ones(3, device="cuda")
    y = x.to("cpu", non_blocking=True)
    assert np.isnan(y.numpy()).all()
    gg.cuda.synchronize()
    assert y.tolist() == [1.0, 1.0, 1.0]
    with gg.debug():  # which looks at every result
        assert gg.ones(3, device="cuda").to("cpu", non_blocking=True).tolist() == [1.0, 1.0, 1.0]


@COUNTED
def test_memory_is_held_until_the_copy_is_done():
    pinned._under_way.clear()
    cupy.standin.lagging = True
    try:
        x = cupy.ones(3)
        pinned.fetch(x)
        gc.collect()
        assert len(pinned._under_way) == 1
        pinned.fetch(x)
        assert len(pinned._under_way) == 2
        for device in DEVICES:
            gg.cuda.synchronize(device)
        pinned.fetch(x)
        assert len(pinned._under_way) == 1
    finally:
        cupy.standin.lagging = False
        gg.cuda.synchronize()
        pinned._under_way.clear()


def test_the_gradient_of_a_transfer_that_was_not_waited_for():
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    there = x.cuda(non_blocking=True)
    back = (there * there).to("cpu", non_blocking=True)
    gg.cuda.synchronize()
    gg.sum(back * back).backward()
    assert isinstance(x.grad.array, np.ndarray) and x.grad.tolist() == [4.0, 32.0]
