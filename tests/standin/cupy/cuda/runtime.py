"""The CUDA runtime calls that Python code makes, on pretend devices."""

import threading

from cupy import standin

is_hip = False
streamCaptureModeRelaxed = 2

ERRORS = {
    # Texts as printed by CuPy 14.2 on a machine without a GPU, and by CUDARuntimeError(101).
    35: "cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version",
    101: "cudaErrorInvalidDevice: invalid device ordinal",
}

_current = threading.local()  # the current device belongs to a thread, as in CUDA


class CUDARuntimeError(RuntimeError):
    """An error code of the CUDA runtime."""

    def __init__(self, status):
        """The code, kept as `status`."""
        self.status = status
        super().__init__(ERRORS.get(status, f"CUDA error {status}"))


def getDeviceCount():
    """Number of devices. With none it raises, as the real call does [tried: CuPy 14.2 without a GPU]."""
    if standin.device_count == 0:
        raise CUDARuntimeError(35)
    return standin.device_count


def _check(device):
    if not 0 <= device < getDeviceCount():
        raise CUDARuntimeError(101)  # CUDA runtime API: cudaErrorInvalidDevice


def getDevice():
    """Index of the current device of this thread."""
    getDeviceCount()
    return getattr(_current, "device", 0)


def setDevice(device):
    """Make a device current in this thread."""
    _check(device)
    _current.device = device


def deviceSynchronize():
    """Wait for the current device."""
    getDevice()
    standin.count_wait()


def deviceCanAccessPeer(device, peer):
    """Never: the pretend devices do not see each other's memory, so mixing them is always refused."""
    _check(device)
    _check(peer)
    return 0


def getDeviceProperties(device):
    """The entries of cudaDeviceProp most often asked for. The name is bytes (runtime.pyx, getDeviceProperties)."""
    _check(device)
    return {
        "name": b"stand-in",
        "totalGlobalMem": standin.memory_per_device,
        "multiProcessorCount": 1,
        "major": 9,
        "minor": 0,
        "warpSize": 32,
        "maxThreadsPerBlock": 1024,
        "sharedMemPerBlock": 49152,
        "pciBusID": device,
    }


def memGetInfo():
    """Free and total bytes of the current device."""
    from cupy.cuda import memory

    used = memory.default_pool.total_bytes()
    return standin.memory_per_device - used, standin.memory_per_device


def runtimeGetVersion():
    """A CUDA version new enough for everything."""
    return 12090


def driverGetVersion():
    """A driver version new enough for everything; it raises without a device, unlike the real call."""
    getDeviceCount()
    return 12090
