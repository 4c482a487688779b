"""gpugrad.arrays.devices: names of devices, the default device, and what is said where there is no GPU."""

import copy
import os
import pickle
import re
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import gpugrad as gg
from gpugrad.arrays import devices
from gpugrad.arrays.devices import INSTALL, Device, cuda_problem, device_of, gpu, is_on, move, parse, to_numpy
from gpugrad.errors import ConversionError, DeviceError

NO_GPU = pytest.mark.skipif(gg.cuda.is_available(), reason="this machine has a GPU, or the stand-in for one")


# Names --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, text, kind, index",
    [
        (("cpu",), "cpu", "cpu", None),
        (("cpu:0",), "cpu", "cpu", None),
        (("cpu", 0), "cpu", "cpu", None),
        (("cuda",), "cuda", "cuda", None),
        (("cuda:0",), "cuda:0", "cuda", 0),
        (("cuda:12",), "cuda:12", "cuda", 12),
        (("cuda", 1), "cuda:1", "cuda", 1),
    ],
)
def test_names(arguments, text, kind, index):
    found = gg.device(*arguments)
    assert (str(found), found.type, found.index) == (text, kind, index)
    assert repr(found) == f"device({text!r})" and gg.device(found) == found


@given(st.text(max_size=8) | st.from_regex(r"\A(cpu|cuda|CUDA|gpu)?:?-?[0-9 a]{0,3}\Z"))
@example("cuda:")
@example("cuda:-1")
@example("cuda:²")
@example(" cpu")
@example("cuda:1:2")
def test_garbage_is_refused_and_the_rest_round_trips(text):
    if re.fullmatch(r"(cpu|cuda)(:0*)?|cuda:\d+", text) and not text.endswith(":"):
        assert Device(str(Device(text))) == Device(text) == text
    else:
        with pytest.raises(DeviceError) as error:
            Device(text)
        expected = f"unknown device {text!r}: expected 'cpu', 'cuda' or 'cuda:N' with N a GPU's number, or 'auto'"
        assert str(error.value) == expected


@pytest.mark.parametrize("name", [None, 3, 1.5, b"cpu", ["cpu"], ("cuda", 1)])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(DeviceError, match="unknown device"):
        Device(name)


@pytest.mark.parametrize("arguments", [("cuda", -1), ("cpu", 1), ("cuda:1", 2), ("cuda", "1"), ("cuda", 1.5)])
def test_bad_numbers_are_refused(arguments):
    with pytest.raises(DeviceError, match="unknown device"):
        Device(*arguments)


def test_equality_and_hash():
    assert Device("cuda:1") == "cuda:1" == Device("cuda", 1) and Device("cuda") != Device("cuda:0")
    assert Device("cpu") == "cpu" != "cuda" and Device("cpu") != "nonsense" and Device("cpu") != 3
    assert Device("cuda:1") in {"cuda:1"} and "cpu" in {Device("cpu"): 0} and len({Device("cpu"), Device("cpu:0")}) == 1


def test_pickle_and_copy():
    for device in (Device("cpu"), Device("cuda:3")):
        assert pickle.loads(pickle.dumps(device)) == copy.deepcopy(device) == device


def test_parse():
    assert parse(None) == "cpu" and parse("cuda:1") == Device("cuda", 1) and parse(Device("cpu")) == "cpu"
    assert parse("auto") == gg.device("auto") == ("cuda:0" if gg.cuda.is_available() else "cpu")
    assert gg.device("auto") != "auto"  # a wish, not a device
    other = object()
    assert parse(other) is other


# The default device -------------------------------------------------------------------------------------------------


def test_the_default_device_of_a_block(device):
    with gg.device(device) as entered:
        assert entered == device and gg.get_default_device() == device
        assert gg.zeros(2).device.type == device
        with gg.device("cpu"):
            assert gg.ones(2).device == "cpu"
        assert gg.arange(2).device.type == device
    assert gg.get_default_device() == "cpu" and gg.zeros(2).device == "cpu"


def test_set_default_device(device):
    try:
        gg.set_default_device(device)
        assert gg.zeros(2).device.type == device and gg.asarray(1.0).device.type == device
    finally:
        gg.set_default_device("cpu")
    assert gg.zeros(2).device == "cpu"


def test_one_device_may_be_entered_by_several_threads_and_nested():
    device = gg.device("cpu")
    inside, left = threading.Barrier(2), threading.Barrier(2)
    errors = []

    def enter(first):
        try:
            with device:
                inside.wait(10)
                if first:
                    with device:
                        pass
                else:
                    left.wait(10)
            if first:
                left.wait(10)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=enter, args=(first,)) for first in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.mark.parametrize("device", ["gpu", 3, object()])
def test_a_default_that_is_no_device_is_refused(device):
    with pytest.raises(DeviceError, match="expected 'cpu', 'cuda' or 'cuda:N'"):
        gg.set_default_device(device)
    assert gg.get_default_device() == "cpu"


# Where arrays are ---------------------------------------------------------------------------------------------------


def test_device_of(backend):
    array = backend.asarray(np.ones(2))
    assert device_of(array) == backend.device and is_on(array, backend.device) and not is_on(array, Device("cuda:7"))
    assert device_of(np.float32(1)) == "cpu"


def test_move_to_where_it_is_returns_the_array(backend):
    array = backend.asarray(np.ones(2))
    where = parse(backend.device)
    assert move(array, where) is array
    x = gg.asarray(array)
    assert gg.to_device(x, where) is x and gg.to_device(array, where) is array


def test_to_numpy(backend):
    values = np.arange(6.0).reshape(2, 3)
    found = to_numpy(backend.asarray(values))
    assert type(found) is np.ndarray and found.tolist() == values.tolist()
    array = np.ones(2)
    assert to_numpy(array) is array and type(to_numpy(np.float32(2))) is np.ndarray


def test_to_numpy_of_what_cannot_be():
    class Stubborn:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("no")

    with pytest.raises(ConversionError, match="Stubborn cannot be converted to NumPy: no"):
        to_numpy(Stubborn())


def test_moving_to_another_librarys_device():
    with pytest.raises(DeviceError, match="device is <object.*expected 'cpu', 'cuda' or 'cuda:N' for an array on cpu"):
        move(np.ones(2), object())


def test_transfer_to_the_cpu_and_its_gradient(backend):
    x = gg.asarray(backend.asarray(np.array([1.0, 2.0]))).requires_grad_()
    y = x.cpu()
    assert y.device == "cpu" and isinstance(y.array, np.ndarray)
    gg.sum(y * y).backward()
    assert backend.is_array(x.grad.array) and x.grad.device == backend.device and x.grad.tolist() == [2.0, 4.0]


# Without a GPU ------------------------------------------------------------------------------------------------------


@NO_GPU
def test_there_is_no_gpu_here():
    assert gg.cuda.is_available() is False and gg.cuda.device_count() == 0


ASKING = {
    "zeros": lambda: gg.zeros(2, device="cuda"),
    "asarray": lambda: gg.asarray(np.ones(2), device="cuda"),
    "tensor": lambda: gg.tensor([1.0], device="cuda:0"),
    "to": lambda: gg.ones(2).to("cuda"),
    "cuda": lambda: gg.ones(2).cuda(),
    "cuda(1)": lambda: gg.ones(2).cuda(1),
    "with": lambda: gg.device("cuda").__enter__(),
    "default": lambda: gg.set_default_device("cuda"),
    "random": lambda: gg.random.normal((2,), device="cuda"),
    "current": lambda: gg.cuda.current_device(),
    "name": lambda: gg.cuda.get_device_name(),
    "synchronize": lambda: gg.cuda.synchronize(),
}


@NO_GPU
@pytest.mark.parametrize("name", ASKING)
def test_cuda_without_a_gpu(name):
    with pytest.raises(DeviceError, match=r"^device 'cuda(:\d)?': (CuPy .* is installed, but|CUDA needs CuPy)") as error:
        ASKING[name]()
    assert "\n" not in str(error.value) and str(error.value).endswith(cuda_problem())
    assert gg.get_default_device() == "cpu"


@pytest.mark.parametrize("name", ASKING)
def test_cuda_without_cupy(name, monkeypatch):
    def absent(name):
        raise ImportError("\n====\nNo module named 'cupy'\n====")

    monkeypatch.setattr(devices.importlib, "import_module", absent)
    assert gg.cuda.is_available() is False and gg.cuda.device_count() == 0
    with pytest.raises(DeviceError, match="CUDA needs CuPy, which cannot be imported") as error:
        ASKING[name]()
    assert INSTALL in str(error.value) and 'python -m pip install "gpugrad[cuda12]"' in INSTALL and "\n" not in str(error.value)
    assert gg.get_default_device() == "cpu"


class CUDARuntimeError(RuntimeError):
    def __init__(self, status):
        super().__init__(f"cudaErrorOfNumber{status}: why")
        self.status = status


def pretend(monkeypatch, count, driver=12090):
    """A CuPy 14 with so many GPUs, or that raises, under a driver of that version."""

    class Runtime:
        @staticmethod
        def getDeviceCount():
            if isinstance(count, Exception):
                raise count
            return count

        driverGetVersion = staticmethod(lambda: driver)
        runtimeGetVersion = staticmethod(lambda: 12090)

    class Cupy:
        __version__ = "14"
        cuda = type("cuda", (), {"runtime": Runtime, "Device": lambda index=None: Current})

    class Current:
        id = 0

    monkeypatch.setattr(devices, "import_cupy", lambda: Cupy)


PROBLEMS = {
    "no driver": (
        CUDARuntimeError(35),
        0,
        "CuPy 14 is installed, but no NVIDIA driver was found; if there is a GPU, install its driver",
    ),
    "an old driver": (
        CUDARuntimeError(35),
        11040,
        "CuPy 14 is installed, but the NVIDIA driver is too old: it supports CUDA 11.4, and this CuPy is built with CUDA 12.9; update "
        f"the driver, or install the CuPy that matches it: {INSTALL}",
    ),
    "no GPU": (CUDARuntimeError(100), 12090, "CuPy 14 is installed, but the NVIDIA driver reports no GPU"),
    "none counted": (0, 12090, "CuPy 14 is installed, but the NVIDIA driver reports no GPU"),
    "broken": (CUDARuntimeError(803), 12090, "CuPy 14 is installed, but CUDA does not start: cudaErrorOfNumber803: why"),
    "half installed": (OSError("no\nlibcuda.so.1"), 0, "CuPy 14 is installed, but CUDA does not start: no libcuda.so.1"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_why_there_is_no_gpu(name, monkeypatch):
    raised, driver, said = PROBLEMS[name]
    pretend(monkeypatch, raised, driver)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert cuda_problem() == cuda_problem(1) == said
    assert gg.cuda.is_available() is False and gg.cuda.device_count() == 0
    with pytest.raises(DeviceError) as error:
        gg.zeros(2, device="cuda")
    assert str(error.value) == f"device 'cuda': {said}"


def test_a_gpu_that_may_be_hidden(monkeypatch):
    pretend(monkeypatch, CUDARuntimeError(100))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert cuda_problem().endswith("reports no GPU; CUDA_VISIBLE_DEVICES is '', which may hide one")


def test_a_gpu_number_that_is_absent(monkeypatch):
    pretend(monkeypatch, 2)
    assert cuda_problem() == cuda_problem(1) == ""
    with pytest.raises(DeviceError, match=r"device 'cuda:5': this machine has 2 GPU\(s\), numbered 0 to 1"):
        gg.zeros(2, device="cuda:5")


def test_a_gpu_by_number_or_name():
    assert (gpu(), gpu(1), gpu("cuda"), gpu("cuda:1"), gpu(Device("cuda", 2))) == ("cuda", "cuda:1", "cuda", "cuda:1", "cuda:2")
    for bad in ("cpu", True, object()):
        with pytest.raises(DeviceError, match="expected a GPU: its number, 'cuda' or 'cuda:N'"):
            gpu(bad)
    with pytest.raises(DeviceError, match="unknown device"):
        gpu(-1)


# "auto" and the environment -----------------------------------------------------------------------------------------


@pytest.fixture
def fresh(monkeypatch):
    """As in a new process: nothing is said yet, no default is known. Returns what sets GPUGRAD_DEVICE."""
    default = devices.Default("of_a_test", None)
    monkeypatch.setattr(devices, "_default", default)
    monkeypatch.delenv("GPUGRAD_DEVICE", raising=False)
    caches = devices._environment_device, devices.say_once
    for cache in caches:
        cache.cache_clear()
    yield lambda name: monkeypatch.setenv("GPUGRAD_DEVICE", name)
    for cache in caches:
        cache.cache_clear()


@pytest.mark.parametrize("name", ["auto", "cuda", "cuda:1"])
def test_the_environment_falls_back_to_the_cpu_and_says_so_once(name, fresh, monkeypatch, caplog):
    pretend(monkeypatch, CUDARuntimeError(35), 0)
    fresh(name)
    assert gg.get_default_device() == "cpu" and gg.zeros(2).device == "cpu" and gg.nn.Linear(2, 3).weight.device == "cpu"
    assert gg.ones(2).to("auto").device == "cpu" and gg.device("auto") == "cpu"
    assert [(r.name, r.levelname, r.getMessage()) for r in caplog.records] == [
        ("gpugrad", "WARNING", f"gpugrad: computing on the CPU: {PROBLEMS['no driver'][2]}")
    ]
    with pytest.raises(DeviceError, match="no NVIDIA driver"):  # asked for by name
        gg.zeros(2, device="cuda")


def test_a_number_in_the_environment_that_is_absent(fresh, monkeypatch, caplog):
    pretend(monkeypatch, 2)
    fresh("cuda:7")
    assert gg.get_default_device() == "cpu"
    assert caplog.messages == ["gpugrad: computing on the CPU: this machine has 2 GPU(s), numbered 0 to 1"]


@pytest.mark.parametrize(
    "name, device", [("auto", "cuda:0"), ("cuda", "cuda:0"), ("cuda:1", "cuda:1"), ("cpu", "cpu"), (" ", "cpu")]
)
def test_the_environment_names_the_default(name, device, fresh, monkeypatch, caplog):
    pretend(monkeypatch, 2)
    fresh(name)
    assert gg.get_default_device() == device and parse(None) == device and caplog.messages == []


def test_what_is_set_goes_before_the_environment(fresh, monkeypatch):
    pretend(monkeypatch, 2)
    fresh("cuda:1")
    with gg.device("cpu"):
        assert gg.get_default_device() == "cpu"
    assert gg.get_default_device() == "cuda:1"
    gg.set_default_device("cpu")
    assert gg.get_default_device() == "cpu"
    gg.set_default_device("auto")
    assert gg.get_default_device() == "cuda:0"


@pytest.mark.parametrize("name", ["gpu", "cuda:", "CUDA:0"])
def test_an_environment_that_names_no_device(name, fresh):
    fresh(name)
    for _ in range(2):
        with pytest.raises(DeviceError) as error:
            gg.zeros(2)
        assert str(error.value) == (
            f"the environment variable GPUGRAD_DEVICE: unknown device {name!r}: expected 'cpu', 'cuda' or 'cuda:N' with N a GPU's "
            "number, or 'auto'"
        )
    assert gg.zeros(2, device="cpu").device == "cpu"


def test_the_environment_is_read_when_first_needed():
    code = """
import sys
import gpugrad as gg
print("cupy" in sys.modules)
gg.asarray([1.0], device="cpu")
print("cupy" in sys.modules)
try:
    gg.zeros(2)
except gg.DeviceError as error:
    print("GPUGRAD_DEVICE" in str(error))
"""
    environment = {**os.environ, "GPUGRAD_DEVICE": "nonsense"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.split() == ["False", "False", "True"], done.stderr


def test_training_on_the_cpu_does_not_import_cupy():
    code = """
import sys
import numpy as np
import gpugrad as gg
x = gg.tensor([1.0, 2.0], requires_grad=True)
optimizer = gg.optim.Adam([x])
gg.sum(gg.tanh(x) * np.ones(2)).backward()
optimizer.step()
repr(x), x.to("cpu"), gg.hessian(lambda x: gg.sum(x ** 2))(np.ones(2))
print("cupy" in sys.modules, "gpugrad.arrays.cupy" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["False", "False"], done.stderr


@pytest.mark.parametrize("arguments", [("cuda", True), ("cuda", -1), ("cuda", 1.0), ("cpu", 2)])
def test_numbers_of_gpus(arguments):
    with pytest.raises(DeviceError, match=f"unknown device {arguments[0]!r}, {arguments[1]!r}: expected"):
        Device(*arguments)


def test_numpy_integers_are_numbers_of_gpus():
    assert Device("cuda", np.int64(1)) == gpu(np.int32(1)) == "cuda:1"


def test_two_devices_at_once():
    with pytest.raises(DeviceError, match="to: got the devices cpu and cuda, expected one"):
        gg.ones(2).to("cuda", device="cpu")
