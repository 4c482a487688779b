"""gpugrad.arrays.streams: what is ordered after what, and memory that two streams use.

The stand-in keeps what a GPU would order: memory that is used on two streams without an order between them raises there.
"""

import gc
import threading

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn, optim
from gpugrad.arrays import allocator
from gpugrad.arrays.devices import import_cupy
from gpugrad.nn import functional as F
from gpugrad.testing import assert_close

if not gg.cuda.is_available():
    pytest.skip("CuPy: there is no GPU here; GPUGRAD_TEST_STANDIN=1 runs these on a stand-in", allow_module_level=True)

cupy = import_cupy()
STANDIN = hasattr(cupy, "standin")
ORDERED = pytest.mark.skipif(not STANDIN, reason="only the stand-in notices what is not ordered")
X = np.linspace(0.5, 2.0, 24).reshape(4, 6)


# Streams and events -------------------------------------------------------------------------------------------------


def test_the_current_stream():
    outside = gg.cuda.current_stream()
    assert outside == gg.cuda.default_stream() and hash(outside) == hash(gg.cuda.default_stream())
    side, other = gg.cuda.Stream(), gg.cuda.Stream(priority=-1)
    assert side != other and side != outside and str(side.device) == "cuda:0"
    with gg.cuda.stream(side):
        assert gg.cuda.current_stream() == side and cupy.cuda.get_current_stream() == side.cupy_stream
        with gg.cuda.stream(other), gg.cuda.stream(None):
            assert gg.cuda.current_stream(0) == other
        assert gg.cuda.current_stream("cuda") == side
        seen = []
        thread = threading.Thread(target=lambda: seen.append(gg.cuda.current_stream()))
        thread.start()
        thread.join()
        assert seen == [outside]  # a thread begins on the default stream
    with side.cupy_stream:  # CuPy's way
        assert gg.cuda.current_stream() == side
    assert gg.cuda.current_stream() == outside
    assert "Stream" in repr(side) and side != "a stream"


def test_a_stream_of_another_gpu():
    if gg.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    side = gg.cuda.Stream("cuda:1")
    with gg.cuda.stream(side):
        assert gg.cuda.current_device() == 1 and gg.cuda.current_stream() == side
        assert gg.zeros(2, device="cuda").device == "cuda:1"
    assert gg.cuda.current_device() == 0 and gg.cuda.current_stream(1) == gg.cuda.default_stream(1) != gg.cuda.default_stream(0)
    event = side.record_event()
    gg.cuda.current_stream().wait_event(event)
    side.synchronize()
    assert side.query() and event.query()


def test_events():
    event = gg.cuda.Event()
    assert event.query()  # never recorded: nothing to wait for
    event.wait()
    event.synchronize()
    start, end = gg.cuda.Event(enable_timing=True), gg.cuda.Event(enable_timing=True, blocking=True)
    start.record()
    gg.exp(gg.ones(3, device="cuda"))
    end.record(gg.cuda.current_stream())
    end.synchronize()
    assert start.elapsed_time(end) >= 0 and end.query()
    for one, other in ((event, end), (start, event), (gg.cuda.Event(enable_timing=True), end)):
        with pytest.raises(ValueError, match="both events must be made with enable_timing=True"):
            one.elapsed_time(other)


@pytest.mark.skipif(gg.cuda.device_count() < 2, reason="needs two GPUs")
def test_the_default_stream_of_a_gpu_that_is_not_current():
    """CUDA's handle of it, 0, means the default stream of the current GPU."""
    there, side = gg.cuda.current_stream("cuda:1"), gg.cuda.Stream("cuda:1")
    with gg.cuda.stream(side):
        x = gg.asarray(X, device="cuda:1")
    there.wait_stream(side)
    assert_close(gg.exp(x), np.exp(X), rtol=1e-12)  # on the default stream of cuda:1
    assert gg.cuda.current_device() == 0


@pytest.mark.skipif(gg.cuda.device_count() < 2 or not STANDIN, reason="needs two GPUs, and the stand-in")
def test_asking_and_waiting_for_the_default_stream_of_a_gpu_that_is_not_current():
    there = gg.cuda.default_stream("cuda:1")
    for device in range(2):
        gg.cuda.synchronize(device)
    cupy.standin.lagging = True
    try:
        with gg.cuda.stream(there):
            gg.ones(3, device="cuda:1")
        assert not there.query()
        there.synchronize()
        assert there.query()
    finally:
        cupy.standin.lagging = False


@pytest.mark.parametrize(
    "function, given, expected",
    [
        ("stream", lambda: gg.cuda.stream("x").__enter__(), "str, expected a gg.cuda.Stream"),
        ("stream", lambda: gg.cuda.stream(gg.cuda.Event()).__enter__(), "Event, expected a gg.cuda.Stream"),
        ("record_stream", lambda: gg.cuda.record_stream(gg.ones(2, device="cuda"), None), "NoneType, expected a gg.cuda.Stream"),
        ("record", lambda: gg.cuda.Event().record(3), "int, expected a gg.cuda.Stream"),
        ("record", lambda: gg.cuda.Event().record(0), "int, expected a gg.cuda.Stream"),
        ("wait", lambda: gg.cuda.Event().wait("x"), "str, expected a gg.cuda.Stream"),
        ("wait_stream", lambda: gg.cuda.current_stream().wait_stream(3), "int, expected a gg.cuda.Stream"),
        ("wait_event", lambda: gg.cuda.current_stream().wait_event(3), "int, expected a gg.cuda.Event"),
        ("record_event", lambda: gg.cuda.current_stream().record_event(3), "int, expected a gg.cuda.Event"),
        ("elapsed_time", lambda: gg.cuda.Event(enable_timing=True).elapsed_time(3), "int, expected a gg.cuda.Event"),
    ],
)  # fmt: skip
def test_arguments_that_are_no_stream_or_event(function, given, expected):
    with pytest.raises(gg.DTypeError, match=f"^{function}: got {expected}$"):
        given()


@pytest.mark.parametrize("device", ["cpu", 99, "cuda:99", "nowhere"])
def test_devices_that_are_no_gpu(device):
    for function in (gg.cuda.Stream, gg.cuda.current_stream, gg.cuda.default_stream):
        with pytest.raises(gg.DeviceError):
            function(device)


# Where work goes ----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not STANDIN, reason="only the stand-in remembers what was launched where")
@pytest.mark.parametrize("optimizer", [optim.SGD, optim.Adam])
def test_a_training_step_launches_on_the_current_stream_alone(optimizer):
    side = gg.cuda.Stream()
    default = cupy.cuda.Stream.null
    with gg.cuda.stream(side):
        model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.LayerNorm(32), nn.Dropout(0.5), nn.Linear(32, 3)).to("cuda")
        embedding = nn.Parameter(gg.ones((5, 6), device="cuda"))
        step = optimizer([*model.parameters(), embedding])
        before = default.launched, side.cupy_stream.launched
        for _ in range(2):
            step.zero_grad()
            x = gg.take(embedding, gg.asarray([0, 3, 3, 1], device="cuda"), axis=0)
            F.cross_entropy(model(x), gg.asarray([0, 1, 2, 0], device="cuda")).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            step.step()
    assert default.launched == before[0]
    assert side.cupy_stream.launched > before[1] + 40


def test_results_on_a_side_stream():
    x = gg.tensor(X, device="cuda", requires_grad=True)
    side = gg.cuda.Stream()
    side.wait_stream(gg.cuda.current_stream())
    with gg.cuda.stream(side):
        y = gg.sum(gg.exp(x) * x)
        y.backward()
    gg.cuda.current_stream().wait_stream(side)
    assert_close(x.grad, np.exp(X) * (1 + X), rtol=1e-12)
    gg.cuda.record_stream(y, gg.cuda.current_stream())


@ORDERED
def test_work_that_does_not_wait_is_noticed():
    side = gg.cuda.Stream()
    x = gg.asarray(X, device="cuda")
    with gg.cuda.stream(side), pytest.raises(cupy.cuda.order.Unordered, match="memory read on stream"):
        gg.exp(x)  # which may not have been copied yet


# Memory that another stream uses ------------------------------------------------------------------------------------


def used_elsewhere(side, record):
    """Memory of the current stream, read on another, and let go of."""
    x = gg.asarray(X, device="cuda")
    side.wait_stream(gg.cuda.current_stream())
    view = x[1:]
    with gg.cuda.stream(side):
        y = gg.exp(view)
    if record:
        gg.cuda.record_stream(x, side)
    return y


def test_memory_is_not_reused_while_another_stream_uses_it():
    side = gg.cuda.Stream()
    y = used_elsewhere(side, record=True)
    others = [gg.asarray(X, device="cuda") for _ in range(3)]
    side.synchronize()
    assert_close(y, np.exp(X[1:]), rtol=1e-12)
    del others


@ORDERED
def test_else_it_is():
    side = gg.cuda.Stream()
    gg.cuda.empty_cache()
    y = used_elsewhere(side, record=False)
    with pytest.raises(cupy.cuda.order.Unordered, match="memory handed out again"):
        gg.asarray(X, device="cuda")
    del y


@ORDERED
def test_it_goes_back_when_the_other_stream_is_done():
    side = gg.cuda.Stream()
    allocator.reclaim(wait=True)
    gc.collect()
    before = gg.cuda.memory_allocated()
    x = gg.asarray(X, device="cuda")
    view = x.T
    gg.cuda.record_stream(view, side)
    x.record_stream(side)
    del x
    assert not allocator.reclaim()  # somebody still has the view
    cupy.standin.lagging = True
    try:
        with gg.cuda.stream(side):
            gg.ones(3, device="cuda")
        del view
        assert gg.cuda.memory_allocated() > before
        side.synchronize()
        assert gg.cuda.memory_allocated() == before
    finally:
        cupy.standin.lagging = False


@ORDERED
def test_when_memory_runs_out_the_host_waits_for_the_other_stream():
    side = gg.cuda.Stream()
    x = gg.zeros(4096, dtype=gg.float32, device="cuda")
    gg.cuda.record_stream(x, side)
    cupy.standin.lagging = True
    try:
        with gg.cuda.stream(side):
            gg.ones(3, device="cuda")
        del x
        gg.cuda.set_memory_limit(gg.cuda.memory_reserved())
        gg.zeros(4096, dtype=gg.float32, device="cuda")
    finally:
        cupy.standin.lagging = False
        gg.cuda.set_memory_limit(None)
    assert side.query()


@ORDERED
def test_nothing_is_given_back_while_a_graph_is_captured(monkeypatch):
    side = gg.cuda.Stream()
    allocator.reclaim(wait=True)
    x = gg.ones(3, device="cuda")
    gg.cuda.record_stream(x, side)
    del x
    with monkeypatch.context() as patch:
        patch.setattr(cupy.cuda.Stream, "is_capturing", lambda self: True)
        patch.setattr(cupy.cuda.Stream, "record", lambda self, event=None: pytest.fail("an event in the captured graph"))
        assert not allocator.reclaim(wait=True)
    assert allocator.reclaim()


@pytest.mark.skipif(gg.cuda.device_count() < 2, reason="needs two GPUs")
def test_an_event_belongs_to_a_gpu():
    event = gg.cuda.Event()
    assert event.device is None
    event.record(gg.cuda.Stream("cuda:0"))
    with pytest.raises(gg.DeviceError, match="belongs to cuda:0 and the stream to cuda:1"):
        event.record(gg.cuda.Stream("cuda:1"))
    assert event.device == "cuda:0"


def test_what_cannot_be_recorded():
    side = gg.cuda.Stream()
    for x, where in ((gg.ones(2), "cpu"), (np.ones(2), "cpu"), ([1], "list")):
        with pytest.raises(gg.DeviceError, match=f"record_stream: got an array on {where}, expected one on cuda:0"):
            gg.cuda.record_stream(x, side)
    if gg.cuda.device_count() > 1:
        with pytest.raises(gg.DeviceError, match="got an array on cuda:1, expected one on cuda:0"):
            gg.cuda.record_stream(gg.ones(2, device="cuda:1"), side)
