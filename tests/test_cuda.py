"""gpugrad.cuda: what there is to know about GPUs, and which one is current."""

import dataclasses
import threading

import pytest

import gpugrad as gg
from gpugrad.arrays.devices import cuda_problem, import_cupy
from gpugrad.errors import DeviceError

if not gg.cuda.is_available():
    pytest.skip("CuPy: there is no GPU here; GPUGRAD_TEST_STANDIN=1 runs these on a stand-in", allow_module_level=True)

cupy = import_cupy()
STANDIN = hasattr(cupy, "standin")
TWO_GPUS = pytest.mark.skipif(gg.cuda.device_count() < 2, reason="needs two GPUs")
PRETENDED = pytest.mark.skipif(not STANDIN, reason="only the stand-in can pretend")


@pytest.fixture(autouse=True)
def as_before():
    """The current device, and what the stand-in pretends, are the same afterwards."""
    before = cupy.cuda.Device().id
    yield
    if STANDIN:
        cupy.standin.set_device_count(2)
        cupy.standin.set_driver_version(12090)
    cupy.cuda.Device(before).use()


def test_properties():
    found = gg.cuda.get_device_properties()
    assert found == gg.cuda.get_device_properties(0) == gg.cuda.get_device_properties("cuda:0")
    assert found.name and found.name == gg.cuda.get_device_name() == gg.cuda.get_device_name(gg.device("cuda", 0))
    assert (found.major, found.minor) == gg.cuda.get_device_capability() and found.major >= 5
    assert found.total_memory > 2**28 and found.multi_processor_count >= 1 and found.warp_size == 32
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.name = "another"


@PRETENDED
def test_the_properties_of_the_stand_in():
    found = gg.cuda.get_device_properties()
    assert (found.name, found.major, found.minor, found.total_memory) == ("stand-in", 9, 0, 16 << 30)


@pytest.mark.parametrize(
    "function", [gg.cuda.get_device_properties, gg.cuda.get_device_name, gg.cuda.synchronize, gg.cuda.set_device]
)
def test_what_is_no_gpu_is_refused(function):
    with pytest.raises(DeviceError, match="device is 'cpu', expected a GPU: its number, 'cuda' or 'cuda:N'"):
        function("cpu")
    count = gg.cuda.device_count()
    with pytest.raises(DeviceError, match=rf"device 'cuda:{count}': this machine has {count} GPU\(s\)"):
        function(count)


@TWO_GPUS
def test_the_current_device():
    assert gg.cuda.current_device() == 0
    gg.cuda.set_device(1)
    assert gg.cuda.current_device() == 1 and gg.zeros(1, device="cuda").device == "cuda:1" == gg.device("auto")
    with gg.device("cuda:0"):
        assert gg.cuda.current_device() == 0
    assert gg.cuda.current_device() == 1
    seen = []
    thread = threading.Thread(target=lambda: seen.append(gg.cuda.current_device()))
    thread.start()
    thread.join()
    assert seen == [0]  # every thread has its own
    gg.cuda.set_device("cuda:0")
    assert gg.cuda.current_device() == 0


@TWO_GPUS
@PRETENDED
def test_synchronize_leaves_the_current_device():
    with cupy.standin.counting() as seen:
        gg.cuda.synchronize(1)
        gg.cuda.synchronize()
    assert seen.waits == 2 and gg.cuda.current_device() == 0


@PRETENDED
def test_no_gpu():
    cupy.standin.set_device_count(0)
    assert not gg.cuda.is_available() and gg.cuda.device_count() == 0
    assert cuda_problem().startswith(f"CuPy {cupy.__version__} is installed, but the NVIDIA driver reports no GPU")
    with pytest.raises(DeviceError, match="device 'cuda': CuPy .* is installed, but the NVIDIA driver reports no GPU"):
        gg.cuda.synchronize()


@PRETENDED
def test_an_old_driver_and_none():
    cupy.standin.set_driver_version(11040)
    assert not gg.cuda.is_available()
    with pytest.raises(
        DeviceError, match=r"driver is too old: it supports CUDA 11\.4, and this CuPy is built with CUDA 12\.9; update"
    ):
        gg.cuda.current_device()
    cupy.standin.set_driver_version(0)
    with pytest.raises(DeviceError, match="no NVIDIA driver was found"):
        gg.zeros(2, device="cuda")


@PRETENDED
def test_a_driver_of_the_same_major_version_will_do():
    cupy.standin.set_driver_version(12000)
    assert gg.cuda.is_available() and cuda_problem() == ""
