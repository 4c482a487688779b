"""What has been ordered before what: by streams, events and waits of the host. Everything here runs at once; on a GPU it would not.

Every stream counts what is launched on it, and knows how far every other stream has come before what is launched next. A block of
memory that is used on two streams, one of them writing, without an order between the two, raises Unordered: on a GPU that is a race.
"""

import functools
import threading

from cupy import standin
from cupy.cuda import runtime

_lock = threading.RLock()  # threads may share a stream: of the loaders, one for each device


def _alone(function):
    """`function`, by one thread at a time."""

    @functools.wraps(function)
    def run(*arguments, **options):
        with _lock:
            return function(*arguments, **options)

    return run


_launched = {}  # stream: how much was launched on it
_seen = {}  # stream: {other stream: how much of that is done before what comes next on this one}
_host = {}  # {stream: how much of that the host has waited for}
_blocking = set()  # streams that the null stream of their device waits for, and that wait for it (not cudaStreamNonBlocking)


class Unordered(RuntimeError):
    """Memory is used on two streams at once."""


def key(stream):
    """A stream of a device: the null stream exists once for each."""
    return (runtime.getDevice() if stream.device_id == -1 else stream.device_id), stream.ptr


def blocks(stream):
    """Note that a stream takes turns with the null stream."""
    _blocking.add(key(stream))


def launched(stream):
    """How much was launched on a stream."""
    return _launched.get(key(stream), 0)


def _merge(into, other):
    for stream, count in other.items():
        into[stream] = max(into.get(stream, 0), count)


@_alone
def state(stream):
    """All that is done when what was launched on a stream is done: {stream: count}."""
    place = key(stream)
    seen = _seen.setdefault(place, {})
    _merge(seen, _host)
    null = (place[0], 0)
    if place == null:
        partners = [other for other in _blocking if other[0] == null[0]]
    else:
        partners = [null] if place in _blocking else []
    for other in partners:
        _merge(seen, _seen.get(other, {}))
        _merge(seen, {other: _launched.get(other, 0)})
    seen[place] = _launched.get(place, 0)
    return seen


@_alone
def recorded(stream):
    """What an event stands for that is recorded on a stream now."""
    return dict(state(stream))


@_alone
def launch(stream):
    """Launch something: the stream's key and how much was launched on it with this, and what is done before."""
    place = key(stream)
    seen = state(stream)
    _launched[place] = count = _launched.get(place, 0) + 1
    return place, count, seen


@_alone
def wait(stream, event):
    """What comes next on a stream comes after the event."""
    _merge(_seen.setdefault(key(stream), {}), event.seen)


@_alone
def host_waited(seen):
    """The host has waited for all this."""
    _merge(_host, seen)


@_alone
def device_waited():
    """The host has waited for everything on the current device."""
    device = runtime.getDevice()
    _merge(_host, {place: count for place, count in _launched.items() if place[0] == device})


@_alone
def done(seen):
    """Whether all this is done: always, unless the stand-in is to lag behind. What the host has asked about comes before what it launches."""
    if standin.lagging and any(_host.get(place, 0) < count for place, count in seen.items()):
        return False
    host_waited(seen)
    return True


class Uses:
    """Who used a block of memory last: the last write, and the reads after it."""

    def __init__(self, stream, before=None):
        """Memory handed out on a stream; `before` are the uses of what was freed there."""
        self.all = dict(before or {})  # {stream: count}
        self.write(stream, "memory handed out again")
        self.stream = self.writer[0]

    @_alone
    def write(self, stream, what="memory written to"):
        """Written on a stream: after everything else."""
        place, count, seen = launch(stream)
        self._check(self.all, place, seen, what)
        self.all = {place: count}
        self.writer = place, count

    @_alone
    def read(self, stream):
        """Read on a stream: after the last write."""
        place, count, seen = launch(stream)
        self._check(dict([self.writer]), place, seen, "memory read")
        self.all[place] = count

    @staticmethod
    def _check(uses, place, seen, what):
        for other, count in uses.items():
            if other != place and other[0] == place[0] and seen.get(other, 0) < count:
                raise Unordered(
                    f"cupy stand-in: {what} on stream {place[1]} of device {place[0]}, which does not wait for its use on stream "
                    f"{other[1]}; on a GPU the two may run at the same time"
                )
