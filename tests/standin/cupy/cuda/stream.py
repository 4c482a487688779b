"""Streams and events: everything here runs at once, but `order.py` keeps what would be ordered on a GPU, and what would not."""

import itertools
import threading
import time
import warnings

from cupy import standin
from cupy.cuda import order, runtime

_current = threading.local()  # {device: stream} of a thread
_handles = itertools.count(1000)


def get_current_stream(device_id=-1):
    """The current stream of a device in this thread; by default, of the current device."""
    device = runtime.getDevice() if device_id == -1 else device_id
    return vars(_current).setdefault("streams", {}).get(device, Stream.null)


class _BaseStream:
    """What Stream and ExternalStream share."""

    def __init__(self, ptr, device_id):
        self.ptr = ptr
        self.device_id = device_id
        self._entered = []

    def __eq__(self, other):
        return isinstance(other, _BaseStream) and self.ptr == other.ptr

    def __hash__(self):
        return self.ptr

    def __repr__(self):
        return f"<{type(self).__name__} {self.ptr} (device {self.device_id})>"

    def __enter__(self):
        self._entered.append(get_current_stream())
        return self.use()

    def __exit__(self, *args):
        vars(_current)["streams"][runtime.getDevice()] = self._entered.pop()

    def use(self):
        """Make this the current stream of the current device."""
        current = runtime.getDevice()
        if self.device_id not in (-1, current):  # stream.pyx, check_stream_device_match
            raise RuntimeError(
                f"The device that the stream is created on ({self.device_id}) does not match with the current device"
                f" ({current})"
            )
        vars(_current).setdefault("streams", {})[current] = self
        return self

    @property
    def done(self):
        """Whether all work on the stream is done."""
        return order.done(order.state(self))

    @property
    def launched(self):
        """How much was launched on the stream; real streams do not tell."""
        return order.launched(self)

    def synchronize(self):
        """Wait for the stream."""
        standin.count_wait()
        order.host_waited(order.state(self))

    def record(self, event=None):
        """Record an event, a new one by default."""
        event = Event() if event is None else event
        event.time = time.perf_counter()
        event.seen = order.recorded(self)
        return event

    def wait_event(self, event):
        """Later work of this stream waits for the event."""
        order.wait(self, event)

    def launch_host_func(self, callback, arg):
        """Call a function once the work queued so far is done: now."""
        callback(arg)

    def is_capturing(self):
        """Never, see begin_capture."""
        return False

    def begin_capture(self, mode=None):
        """CUDA graphs are out of the stand-in's reach: captured work does not run, here everything runs at once."""
        raise NotImplementedError("the cupy stand-in cannot capture CUDA graphs")


class Stream(_BaseStream):
    """A CUDA stream."""

    def __init__(self, null=False, non_blocking=False, ptds=False, priority=None):
        """A new stream of the current device, or the default one."""
        self.is_non_blocking = non_blocking
        if null or ptds:
            super().__init__(0 if null else 2, -1)
        else:
            super().__init__(next(_handles), runtime.getDevice())
            if not non_blocking:
                order.blocks(self)

    @classmethod
    def from_external(cls, obj):
        """A stream of another library, by the CUDA stream protocol."""
        stream = cls(null=True)
        _, stream.ptr = obj.__cuda_stream__()
        return stream

    def __cuda_stream__(self):
        return 0, self.ptr


class ExternalStream(_BaseStream):
    """A stream by its handle."""

    def __init__(self, ptr, device_id=-1):
        """Deprecated since CuPy 14 (stream.pyx, ExternalStream.__init__)."""
        warnings.warn("ExternalStream is deprecated. Use Stream.from_external() instead", DeprecationWarning, stacklevel=2)
        super().__init__(ptr, device_id)


Stream.null = Stream(null=True)
Stream.ptds = Stream(ptds=True)


class Event:
    """A moment in a stream."""

    def __init__(self, block=False, disable_timing=False, interprocess=False):
        """Needs a device, like the real one."""
        runtime.getDevice()
        self.time = None
        self.seen = {}

    @property
    def done(self):
        """Whether the work before the event is done."""
        return order.done(self.seen)

    def record(self, stream=None):
        """Record the event in a stream, the current one by default."""
        (stream or get_current_stream()).record(self)

    def synchronize(self):
        """Wait for the event."""
        standin.count_wait()
        order.host_waited(self.seen)


def get_elapsed_time(start_event, end_event):
    """Milliseconds between two recorded events, by the host's clock."""
    return (end_event.time - start_event.time) * 1e3
