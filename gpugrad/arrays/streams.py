"""Streams and events of CUDA, with the names of ``torch.cuda``.

What is launched on one stream runs in order; what is launched on two may run at once, unless one waits for an event of the other.
gpugrad launches everything on the current stream of the current thread, which is CuPy's: ``with cupy.cuda.Stream():`` does the same
as :func:`stream`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gpugrad.arrays import allocator
from gpugrad.arrays.devices import Device, DeviceLike, device_of, gpu, import_cupy, on
from gpugrad.arrays.kernels import is_cupy
from gpugrad.errors import DeviceError, DTypeError, OptionError


def _check(function: str, argument: Any, expected: type) -> None:
    if not isinstance(argument, expected):
        raise DTypeError(f"{function}: got {type(argument).__name__}, expected a gg.cuda.{expected.__name__}")


class Event:
    """A moment in a stream, for other streams or the host to wait for. As ``torch.cuda.Event``.

    With `enable_timing`, :meth:`elapsed_time` tells the time between two; with `blocking`, :meth:`synchronize` sleeps while it waits.
    `device` is the GPU on which it was first recorded, and None before.
    """

    __slots__ = ("_event", "_timing", "device")

    def __init__(self, enable_timing: bool = False, blocking: bool = False) -> None:
        self._timing = {"block": blocking, "disable_timing": not enable_timing}
        self._event: Any = None  # made where it is first recorded: an event belongs to a device
        self.device: Device | None = None

    def record(self, stream: Stream | None = None) -> None:
        """Record the event on a stream, by default the current one: it happens when what is launched there so far is done.

        Raises DeviceError if it was recorded on another GPU before.
        """
        stream = current_stream() if stream is None else stream
        _check("record", stream, Stream)
        if self.device not in (None, stream.device):
            raise DeviceError(
                f"record: the event belongs to {self.device} and the stream to {stream.device}; make another event"
            )
        with on(stream.device):
            if self._event is None:
                self._event, self.device = import_cupy().cuda.Event(**self._timing), stream.device
            self._event.record(stream.cupy_stream)

    def wait(self, stream: Stream | None = None) -> None:
        """Let what is launched on a stream from now on wait for the event; the host does not."""
        stream = current_stream() if stream is None else stream
        _check("wait", stream, Stream)
        stream.wait_event(self)

    def query(self) -> bool:
        """Whether the event has happened, or was never recorded."""
        return self._event is None or bool(self._event.done)

    def synchronize(self) -> None:
        """Let the host wait for the event."""
        if self._event is not None:
            self._event.synchronize()

    def elapsed_time(self, end_event: Event) -> float:
        """Milliseconds from this event to another; both were made with enable_timing, and have happened.

        Raises OptionError if they were not, or were never recorded.
        """
        _check("elapsed_time", end_event, Event)
        for event in (self, end_event):
            if event._event is None or event._timing["disable_timing"]:
                raise OptionError("elapsed_time: both events must be made with enable_timing=True, and recorded")
        return float(import_cupy().cuda.get_elapsed_time(self._event, end_event._event))


class Stream:
    """A queue of work for a GPU, which runs in order; by default on the current one. As ``torch.cuda.Stream``.

    It does not wait for the default stream, nor that for it: order the two by :meth:`wait_stream`. A `priority` below 0 lets its
    work start before that of other streams. Streams are equal if they are the same to CUDA. `cupy_stream` is CuPy's object.
    Methods raise DTypeError for an argument that is no Stream or no Event.
    """

    # CUDA's handle of the default stream is 0 on every GPU and means that of the current one, so each call makes its own GPU current.

    __slots__ = ("cupy_stream", "device")

    def __init__(self, device: int | DeviceLike | None = None, priority: int = 0) -> None:
        with on(gpu(device)):
            cupy = import_cupy()
            self.device = Device("cuda", cupy.cuda.Device().id)
            self.cupy_stream: Any = cupy.cuda.Stream(non_blocking=True, priority=priority or None)

    def __repr__(self) -> str:
        return f"<gg.cuda.Stream {self.cupy_stream.ptr} on {self.device}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and (self.device, self.cupy_stream) == (other.device, other.cupy_stream)

    def __hash__(self) -> int:
        return hash((self.device, self.cupy_stream.ptr))

    def record_event(self, event: Event | None = None) -> Event:
        """Record an event, a new one by default, and return it."""
        event = Event() if event is None else event
        _check("record_event", event, Event)
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Let what is launched here from now on wait for an event; the host does not. One that was never recorded is no wait."""
        _check("wait_event", event, Event)
        if event._event is not None:
            with on(self.device):
                self.cupy_stream.wait_event(event._event)

    def wait_stream(self, stream: Stream) -> None:
        """Let what is launched here from now on wait for all that has been launched on another stream; the host does not."""
        _check("wait_stream", stream, Stream)
        self.wait_event(stream.record_event())

    def query(self) -> bool:
        """Whether all that was launched here is done."""
        with on(self.device):
            return bool(self.cupy_stream.done)

    def synchronize(self) -> None:
        """Let the host wait until all that was launched here is done."""
        with on(self.device):
            self.cupy_stream.synchronize()


def _made_of(stream: Any, device: int) -> Stream:
    made = Stream.__new__(Stream)
    made.device, made.cupy_stream = Device("cuda", device), stream
    return made


def current_stream(device: int | DeviceLike | None = None) -> Stream:
    """The stream on which this thread launches work for a GPU now."""
    with on(gpu(device)):
        cupy = import_cupy()
        return _made_of(cupy.cuda.get_current_stream(), cupy.cuda.Device().id)


def default_stream(device: int | DeviceLike | None = None) -> Stream:
    """The stream on which every thread launches work for a GPU unless it enters another."""
    with on(gpu(device)):
        cupy = import_cupy()
        return _made_of(cupy.cuda.Stream.null, cupy.cuda.Device().id)


@contextmanager
def stream(stream: Stream | None) -> Iterator[None]:
    """Launch on a stream, and make its device the current one, within a ``with`` block; None changes nothing.

    ::

        side = gg.cuda.Stream()
        side.wait_stream(gg.cuda.current_stream())     # what is there is complete
        with gg.cuda.stream(side):
            y = f(x)
        gg.cuda.current_stream().wait_stream(side)     # y is complete
        gg.cuda.record_stream(y, gg.cuda.current_stream())

    Enter it in the thread that launches. What is computed on two streams must be ordered as above, gradients too: backward runs
    on the stream that is current where it is called.
    """
    if stream is None:
        yield
        return
    _check("stream", stream, Stream)
    with on(stream.device), stream.cupy_stream:
        yield


def record_stream(x: Any, stream: Stream) -> None:
    """Say that `stream` uses the memory of a Tensor or CuPy array, which was allocated on another: it will not be reused too early.

    Freed memory is handed out again on the stream that was current when it was allocated, which by itself does not wait for others.
    As ``torch.Tensor.record_stream``; call it before the last reference is dropped. Views of `x` are covered, they share its memory.
    The memory goes back to the pool when the stream has done what was launched on it before the array was let go of.
    Raises DeviceError for what is not on the GPU of the stream.
    """
    _check("record_stream", stream, Stream)
    array = getattr(x, "array", x)
    if not is_cupy(type(array)) or array.device.id != stream.device.index:
        where = device_of(array) if hasattr(array, "shape") else type(array).__name__
        raise DeviceError(f"record_stream: got an array on {where}, expected one on {stream.device}, where the stream is")
    allocator.use(array.data.mem, stream.cupy_stream)
