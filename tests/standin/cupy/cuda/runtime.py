"""The CUDA runtime calls that Python code makes, on pretend devices."""

import threading

from cupy import standin

is_hip = False
memoryTypeUnregistered, memoryTypeHost, memoryTypeDevice = 0, 1, 2  # runtime.pyx; CUDA runtime API, cudaMemoryType
streamCaptureModeRelaxed = 2

ERRORS = {
    # Texts as printed by CuPy 14.2 on a machine without a GPU, and by CUDARuntimeError(101).
    35: "cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version",
    100: "cudaErrorNoDevice: no CUDA-capable device is detected",  # CUDA runtime API
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
    """Number of devices. It raises without a driver [tried: CuPy 14.2], with one older than the runtime, and without a device."""
    if standin.driver_version < runtimeGetVersion() // 1000 * 1000:  # any driver of the same major version will do
        raise CUDARuntimeError(35)
    if standin.device_count == 0:
        raise CUDARuntimeError(100)
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
    # Not at the top: `order` imports this module.
    from cupy.cuda import order

    getDevice()
    standin.count_wait()
    order.device_waited()


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
        "maxThreadsPerMultiProcessor": 2048,
        "sharedMemPerBlock": 49152,
        "l2CacheSize": 1 << 20,
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
    """The CUDA version of the driver; 0 without one [tried: CuPy 14.2]."""
    return standin.driver_version


class PointerAttributes:
    """Of what kind the memory at an address is."""

    def __init__(self, type):
        """The kind; the device and the pointers are left out."""
        self.type = type


def pointerGetAttributes(ptr):
    """Pinned or not, for an address of the host (runtime.pyx, pointerGetAttributes): other host memory is unregistered."""
    getDeviceCount()
    pinned = any(start <= ptr < start + size for start, size in standin.pinned.values())
    return PointerAttributes(memoryTypeHost if pinned else memoryTypeUnregistered)
