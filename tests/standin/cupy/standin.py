"""What tests ask of the stand-in and set in it; real CuPy has no such module. Imports nothing of the stand-in.

    with cupy.standin.counting() as seen:
        train_step()
    assert seen.host_reads == 0, seen.reads

Every wait of the host for a value on the GPU is a host read: bool, int, float, item, get, tolist, and the functions
that must know a value to know the shape of their result: nonzero, unique, boolean masks and others.
"""

import contextlib
import types

host_reads = 0
uploads = 0
kernel_launches = 0
waits = 0
reads = []

lagging = False  # whether events are done only once the host has waited for them; else at once
device_count = 2
driver_version = 12090
arriving = []  # what the host will see when it has waited: (array, its elements)
pinned = {}  # id of each pinned allocation: its address and size
memory_per_device = 16 << 30


def count_read(what):
    """A value went from the pretend GPU to the host: `what` says by which call."""
    global host_reads
    host_reads += 1
    reads.append(what)


def count_upload():
    """A NumPy array or a list was copied to the pretend GPU."""
    global uploads
    uploads += 1


def count_launch():
    """An ElementwiseKernel, ReductionKernel or RawKernel ran. Library functions are not counted."""
    global kernel_launches
    kernel_launches += 1


def count_wait():
    """A stream, an event or a device was synchronized by name."""
    global waits
    waits += 1
    while arriving:
        array, elements = arriving.pop(0)
        array[...] = elements


def reset():
    """All counters to zero, two devices and a new driver again, no lag."""
    global host_reads, uploads, kernel_launches, waits, lagging
    lagging = False
    host_reads = uploads = kernel_launches = waits = 0
    reads.clear()
    set_device_count(2)
    set_driver_version(12090)


def set_device_count(count):
    """How many pretend GPUs there are; 0 emulates a machine without one. Arrays that exist stay usable."""
    global device_count
    device_count = count


def set_driver_version(version):
    """The CUDA version that the pretend driver supports: 11040 is older than the pretend runtime's 12090, 0 stands for no driver."""
    global driver_version
    driver_version = version


@contextlib.contextmanager
def counting():
    """Counts within a `with` block: the object it gives has host_reads, reads, uploads, kernel_launches and waits."""
    start = host_reads, uploads, kernel_launches, waits, len(reads)
    seen = types.SimpleNamespace(host_reads=0, uploads=0, kernel_launches=0, waits=0, reads=[])
    try:
        yield seen
    finally:
        seen.host_reads = host_reads - start[0]
        seen.uploads = uploads - start[1]
        seen.kernel_launches = kernel_launches - start[2]
        seen.waits = waits - start[3]
        seen.reads = reads[start[4] :]
