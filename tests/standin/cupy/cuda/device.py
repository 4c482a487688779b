"""Devices: an index, and `with Device(1):` to make it current in this thread."""

import functools

from cupy.cuda import runtime


def get_device_id():
    """Index of the current device."""
    return runtime.getDevice()


def get_compute_capability():
    """As of an H100: the newest code paths are taken."""
    return "90"


@functools.total_ordering
class Device:
    """One pretend GPU. Making the object checks nothing; entering it does (device.pyx, Device)."""

    def __init__(self, device=None):
        """A device by index or by another Device; by default the current one."""
        self.id = runtime.getDevice() if device is None else int(device)
        self._entered = []

    def __int__(self):
        return self.id

    def __enter__(self):
        previous = runtime.getDevice()
        runtime.setDevice(self.id)
        self._entered.append(previous)
        return self

    def __exit__(self, *args):
        runtime.setDevice(self._entered.pop())

    def __repr__(self):
        return f"<CUDA Device {self.id}>"

    def __eq__(self, other):
        return isinstance(other, Device) and self.id == other.id

    def __lt__(self, other):
        return self.id < other.id if isinstance(other, Device) else NotImplemented

    # Extension types with a rich comparison and no hash of their own are unhashable: `hash(Device(0))` raises
    # (device.pyx, Device.__richcmp__) [expected].
    __hash__ = None

    def use(self):
        """Make this device current until further notice."""
        runtime.setDevice(self.id)
        return self

    def synchronize(self):
        """Wait for all work on this device."""
        with self:
            runtime.deviceSynchronize()

    @property
    def compute_capability(self):
        """Two digits, as CuPy writes them."""
        return get_compute_capability()

    @property
    def mem_info(self):
        """Free and total bytes."""
        with self:
            return runtime.memGetInfo()

    @property
    def attributes(self):
        """The attributes that kernels are sized by."""
        return {"MultiProcessorCount": 1, "MaxThreadsPerBlock": 1024, "WarpSize": 32}
