"""gpugrad.arrays.memory and allocator: what is in use, at most was, and what happens when there is no more."""

import gc
import threading
from contextlib import contextmanager

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn, optim
from gpugrad.arrays.allocator import in_bytes
from gpugrad.arrays.devices import import_cupy
from gpugrad.arrays.explain import explain
from gpugrad.nn import functional as F

if not gg.cuda.is_available():
    pytest.skip("CuPy: there is no GPU here; GPUGRAD_TEST_STANDIN=1 runs these on a stand-in", allow_module_level=True)

cupy = import_cupy()
STANDIN = hasattr(cupy, "standin")
ROW = 4096  # bytes


@pytest.fixture(autouse=True)
def all_the_memory():
    gg.cuda.set_memory_limit(None)
    yield
    gg.cuda.set_memory_limit(None)


def array(rows=1, **options):
    return gg.zeros((rows, ROW // 4), dtype=gg.float32, device="cuda", **options)


@contextmanager
def room_for(count):
    """A limit that leaves so many bytes, besides what is in use."""
    gg.cuda.empty_cache()
    gg.cuda.set_memory_limit(gg.cuda.memory_reserved() + count)
    try:
        yield
    finally:
        gg.cuda.set_memory_limit(None)


# Counting -----------------------------------------------------------------------------------------------------------


def test_what_is_in_use():
    gg.cuda.empty_cache()
    before = gg.cuda.memory_allocated()
    x = array(3)
    view = x[1:]
    assert gg.cuda.memory_allocated() - before == 3 * ROW <= gg.cuda.memory_reserved()
    one = gg.ones(1, device="cuda")
    assert gg.cuda.memory_allocated() - before == 3 * ROW + 512  # of 4 bytes: a block of the pool
    del x, one
    assert gg.cuda.memory_allocated() - before == 3 * ROW
    del view
    assert gg.cuda.memory_allocated() == before
    held = gg.cuda.memory_reserved()
    gg.cuda.empty_cache()
    assert before <= gg.cuda.memory_reserved() <= held - 3 * ROW


def test_the_peak():
    x = array()
    gg.cuda.reset_peak_memory_stats()
    start = gg.cuda.memory_allocated()
    assert gg.cuda.max_memory_allocated() == start
    for _ in range(3):
        y = array(7)
        del y
    assert gg.cuda.memory_allocated() == start and gg.cuda.max_memory_allocated() == start + 7 * ROW
    gg.cuda.reset_peak_memory_stats("cuda:0")
    gg.exp(x + 1)
    assert gg.cuda.max_memory_allocated(0) == start + 2 * ROW


def test_the_peak_is_that_of_all_threads_and_streams():
    gg.cuda.reset_peak_memory_stats()
    start = gg.cuda.memory_allocated()
    here, there = threading.Barrier(2), threading.Barrier(2)

    def other():
        with gg.cuda.stream(gg.cuda.Stream()):
            x = array(5)
            here.wait(30)
            there.wait(30)
            del x

    thread = threading.Thread(target=other)
    thread.start()
    here.wait(30)
    array(3)
    there.wait(30)
    thread.join()
    assert gg.cuda.max_memory_allocated() == start + 8 * ROW


def test_each_gpu_has_counts_of_its_own():
    if gg.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    gg.cuda.reset_peak_memory_stats(1)
    first, second = gg.cuda.memory_allocated(0), gg.cuda.memory_allocated("cuda:1")
    x = gg.zeros(ROW // 4, dtype=gg.float32, device="cuda:1")
    assert (gg.cuda.memory_allocated(), gg.cuda.memory_allocated(1)) == (first, second + ROW)
    assert gg.cuda.max_memory_allocated(x.device) == second + ROW


def test_an_allocator_of_the_user_stays():
    ours = cupy.cuda.get_allocator()
    pool = cupy.cuda.MemoryPool()
    try:
        cupy.cuda.set_allocator(theirs := pool.malloc)
        x = array(2)
        assert gg.cuda.memory_allocated() == pool.used_bytes() == 2 * ROW and cupy.cuda.get_allocator() == theirs
        with pytest.raises(gg.GpugradError, match=r"another allocator than its own.*reset_peak_memory_stats\(\) starts"):
            gg.cuda.max_memory_allocated()
        assert "not counted" in gg.cuda.memory_summary()
        gg.cuda.reset_peak_memory_stats()
        y = array(3)
        del y
        assert gg.cuda.max_memory_allocated() == 5 * ROW and pool.used_bytes() == 2 * ROW
        cupy.cuda.set_allocator(lambda size: ours(size))  # of no pool
        with pytest.raises(gg.GpugradError, match="belongs to no pool"):
            gg.cuda.memory_allocated()
        with cupy.cuda.using_allocator(cupy.cuda.MemoryPool().malloc), pytest.raises(gg.GpugradError, match="of all threads"):
            gg.cuda.reset_peak_memory_stats()
    finally:
        cupy.cuda.set_allocator(ours)
    del x


def test_summary():
    x = gg.tensor(np.ones((64, 1024), np.float32), device="cuda", requires_grad=True)
    y = gg.exp(x) * gg.ones((128, 64, 1024), dtype=gg.float32, device="cuda")
    text = gg.cuda.memory_summary()
    assert text.startswith("memory of cuda:0\n") and "at most in use" in text
    largest = text.partition("largest live tensors:")[2].splitlines()
    assert any(line.endswith("32.00 MiB float32 (128, 64, 1024) made by multiply") for line in largest)
    assert any(line.endswith("32.00 MiB float32 (128, 64, 1024) saved for backward by multiply") for line in largest)
    del y


@pytest.mark.parametrize(
    "count, text", [(0, "0 B"), (1023, "1023 B"), (1024, "1.00 KiB"), (3 << 29, "1.50 GiB"), (5 << 50, "5120.00 TiB")]
)
def test_bytes_for_people(count, text):
    assert in_bytes(count) == text


# Limits -------------------------------------------------------------------------------------------------------------


def test_limits():
    with room_for(2 * ROW):
        x = array(2)
        with pytest.raises(gg.OutOfMemoryError):
            array(1)
        del x
        array(2)
    gg.cuda.set_memory_limit(0.5)
    total = cupy.cuda.runtime.memGetInfo()[1]
    assert cupy.get_default_memory_pool().get_limit() == total // 2
    gg.cuda.set_memory_limit(None)
    assert cupy.get_default_memory_pool().get_limit() == 0


@pytest.mark.parametrize("limit", [-1, 0, 0.0, 1.5, True, "1 GiB", float("nan")])
def test_limits_that_are_none(limit):
    with pytest.raises(ValueError, match="set_memory_limit: limit is .*, expected a number of bytes, a fraction"):
        gg.cuda.set_memory_limit(limit)


def test_devices_that_are_no_gpu():
    for function in (gg.cuda.memory_allocated, gg.cuda.max_memory_allocated, gg.cuda.memory_summary):
        with pytest.raises(gg.DeviceError):
            function("cpu")
        with pytest.raises(gg.DeviceError):
            function(99)


@pytest.mark.skipif(not STANDIN, reason="the stand-in can play a machine without a GPU")
def test_without_a_gpu():
    try:
        cupy.standin.set_device_count(0)
        gg.cuda.empty_cache()
        with pytest.raises(gg.DeviceError):
            gg.cuda.memory_allocated()
    finally:
        cupy.standin.reset()


# Out of memory ------------------------------------------------------------------------------------------------------


def test_the_error_says_how_much_of_what():
    gc.collect()  # what failed tests hold
    x = gg.tensor(np.ones((16, ROW // 4), np.float32), device="cuda", requires_grad=True)
    y = gg.sin(gg.exp(x))
    with room_for(ROW), pytest.raises(gg.OutOfMemoryError) as found:
        gg.tanh(y)
    text = str(found.value)
    assert text.startswith("tanh: cuda:0 is out of memory: asked for 64.00 KiB, and ")
    assert " of its " in text and "; the memory pool holds " in text and ", and is limited to " in text
    assert "the largest live tensors are " in text and "64.00 KiB float32 (16, 1024) (a parameter)" in text
    assert "64.00 KiB float32 (16, 1024) saved for backward by exp and sin" in text
    assert "64.00 KiB float32 (16, 1024) made by sin" in text
    assert isinstance(found.value, (gg.GpugradError, MemoryError)) and isinstance(
        found.value, cupy.cuda.memory.OutOfMemoryError
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda x, host: array(8),
        lambda x, host: gg.asarray(host, device="cuda"),
        lambda x, host: gg.tensor(host).cuda(),
        lambda x, host: gg.random.normal((8, ROW // 4), device="cuda"),
        lambda x, host: gg.exp(x),
        lambda x, host: F.gelu(x),
        lambda x, host: gg.fuse(lambda x: gg.exp(x) * gg.tanh(x))(x),
        lambda x, host: x.array + x.array,  # CuPy itself
    ],
    ids=["creation", "upload", "transfer", "random", "op", "kernel", "fused", "cupy"],
)
def test_whatever_asks_raises_it(make):
    x, host = array(8) + 0.5, np.ones((8, ROW // 4), np.float32)
    make(x, host)  # what is compiled is compiled
    with room_for(ROW), pytest.raises(gg.OutOfMemoryError, match="asked for 32.00 KiB"):
        make(x, host)
    make(x, host)


@pytest.mark.parametrize(
    "name, make",
    [
        ("ones", lambda: gg.ones((8, ROW // 4), device="cuda")),
        ("arange", lambda: gg.arange(ROW, device="cuda")),
        ("full_like", lambda: gg.full_like(np.ones((8, ROW // 4)), 2.0, device="cuda")),
        ("to_device", lambda: gg.asarray(np.ones((8, ROW // 4)), device="cuda")),
        ("to_device", lambda: gg.tensor([1.0] * ROW, device="cuda")),
    ],
    ids=["ones", "arange", "full_like", "asarray", "tensor"],
)
def test_functions_that_create_name_themselves(name, make):
    gg.cuda.empty_cache()
    with room_for(512), pytest.raises(gg.OutOfMemoryError, match=f"^{name}: cuda:0 is out of memory") as found:
        make()
    assert found.value.op == name


def test_with_an_allocator_of_the_user_ops_explain_too():
    x = array()
    pool = cupy.cuda.MemoryPool()
    pool.set_limit(ROW // 2)
    with (
        cupy.cuda.using_allocator(pool.malloc),
        pytest.raises(gg.OutOfMemoryError, match=r"^exp: cuda:0 .* asked for 4.00 KiB"),
    ):
        gg.exp(x)


def test_memory_that_cuda_itself_lacks():
    error = cupy.cuda.runtime.CUDARuntimeError(2)  # to load a kernel, for instance
    found = explain("exp", error, (array().array,), {})
    assert isinstance(found, gg.OutOfMemoryError) and str(found).startswith(
        "exp: cuda:0 is out of memory: asked for more, and "
    )
    other = cupy.cuda.runtime.CUDARuntimeError(101)
    assert explain("exp", other, (), {}) is other


def test_memory_that_streams_use_is_taken_back_first():
    """CuPy frees and collects before it gives up; what is held for another stream it knows nothing of."""
    side = gg.cuda.Stream()
    x = array(4)
    gg.cuda.record_stream(x, side)
    with room_for(0):
        del x
        y = array(4)
        with pytest.raises(gg.OutOfMemoryError):
            array(1)
    assert y.shape[0] == 4


# What is left after it ----------------------------------------------------------------------------------------------


def model():
    gg.manual_seed(0)
    return nn.Sequential(nn.Linear(32, 96), nn.GELU(), nn.LayerNorm(96), nn.Linear(96, 8)).to("cuda")


def batch(size):
    x = np.linspace(-1, 1, size * 32, dtype=np.float32).reshape(size, 32)
    return gg.asarray(x, device="cuda"), gg.asarray(np.arange(size) % 8, device="cuda")


def gradients(m):
    return [None if p.grad is None else p.grad.cpu().numpy() for p in m.parameters()]


def assert_same(found, expected):
    for x, y in zip(found, expected, strict=True):
        assert (x is None) == (y is None)
        if x is not None:
            np.testing.assert_array_equal(x, y)


def rooms(most, least=0, count=4):
    """Room for more and more, so that it runs out in one place after the other."""
    return [int(least + (most - least) * i / count) // 512 * 512 for i in range(count)]


def peak_of(function):
    gg.cuda.reset_peak_memory_stats()
    before = gg.cuda.memory_allocated()
    function()
    return gg.cuda.max_memory_allocated() - before


@pytest.mark.parametrize("accumulating", [False, True])
def test_forward_and_backward(accumulating):
    m = model()
    x, labels = batch(32)
    small = batch(8)

    def loss_of(x, labels):
        return F.cross_entropy(m(x), labels)

    loss_of(*small).backward()  # libraries make themselves at home
    if not accumulating:
        m.zero_grad()
    before = gradients(m)
    kept = [p.grad for p in m.parameters()]
    forward, most = peak_of(lambda: loss_of(x, labels)), peak_of(lambda: loss_of(x, labels).backward())
    expected = gradients(m)
    failed = set()
    for room in rooms(forward, count=2) + rooms(most, forward):
        for p, grad in zip(m.parameters(), kept, strict=True):
            p.grad = grad
        loss = None
        with room_for(room):
            try:
                loss = loss_of(x, labels)
                loss.backward()
            except gg.OutOfMemoryError:
                failed.add("forward" if loss is None else "backward")
            else:
                continue
        assert_same(gradients(m), before)
        if loss is not None:  # the graph can be differentiated as a whole, or says that it cannot
            try:
                loss.backward()
                assert_same(gradients(m), expected)
            except gg.GraphError as error:
                assert "was already differentiated" in str(error)  # noqa: PT017
                assert_same(gradients(m), before)
    assert failed == {"forward", "backward"}
    m.zero_grad()
    loss_of(*small).backward()  # a smaller batch then works
    assert all(g is not None for g in gradients(m))


def test_an_error_that_is_over_holds_no_memory():
    """No cycles of references: a smaller batch finds the memory free, before any garbage is collected."""
    m = model()
    o = optim.Adam(m.parameters())

    def step(size):
        x, labels = batch(size)
        F.cross_entropy(m(x), labels).backward()
        o.step()
        o.zero_grad()

    step(32)
    failures = 0
    gc.collect()
    gc.disable()
    try:
        before = gg.cuda.memory_allocated()
        for room in rooms(peak_of(lambda: step(32))):
            try:
                with room_for(room):
                    step(32)
            except gg.OutOfMemoryError:
                failures += 1
            o.zero_grad()
            assert gg.cuda.memory_allocated() == before
        assert failures
        step(8)
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "make",
    [
        lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9),
        lambda ps: optim.Adam(ps, lr=0.1, amsgrad=True),
        lambda ps: optim.Adam([{"params": ps[:2]}, {"params": ps[2:], "lr": 0.2}], lr=0.1),
    ],
    ids=["SGD", "Adam", "groups"],
)
@pytest.mark.parametrize("steps", [0, 2], ids=["first step", "third step"])
def test_optimizer_steps(make, steps):
    def trained(fail):
        m = model()
        o = make(list(m.parameters()))
        F.cross_entropy(m(batch(16)[0]), batch(16)[1]).backward()
        for _ in range(steps):
            o.step()
        failures = 0
        for room in rooms(fail):
            state = snapshot(m, o)
            try:
                with room_for(room):
                    o.step()
                break
            except gg.OutOfMemoryError:
                failures += 1
                assert_equal_states(snapshot(m, o), state)
        else:
            o.step()
        assert failures or not fail
        return snapshot(m, o)

    probe = model()
    most = peak_of(lambda: None) + 12 * sum(p.nbytes for p in probe.parameters())
    assert_equal_states(trained(most), trained(0))


@pytest.mark.parametrize("steps", [0, 1], ids=["first step", "second step"])
def test_a_step_of_complex_parameters(steps):
    """They are updated in place, as pairs of real numbers: only the first step takes memory, for the state."""
    ps = [gg.tensor(np.ones(n, dtype), device="cuda", requires_grad=True) for n, dtype in ((8, "float32"), (4096, "complex64"))]
    o = optim.Adam(ps, lr=0.1)
    for p in ps:
        p.grad = gg.ones(p.shape, dtype=p.dtype, device="cuda")
    for _ in range(steps):
        o.step()
    failures = 0
    for room in rooms(20 * ps[1].nbytes, count=20):
        before = [p.detach().cpu().numpy() for p in ps]
        try:
            with room_for(room):
                o.step()
            break
        except gg.OutOfMemoryError as error:
            failures += 1
            assert error.op  # noqa: PT017
            for p, expected in zip(ps, before, strict=True):
                np.testing.assert_array_equal(p.detach().cpu().numpy(), expected)
    assert bool(failures) == (steps == 0)
    assert {state["step"] for state in o.state_dict()["state"].values()} == {steps + 1}
    for p in ps:
        np.testing.assert_allclose(p.detach().cpu().numpy(), 1 - 0.1 * (steps + 1), rtol=1e-4)


def test_loading_a_state():
    m = model()
    o = optim.Adam([{"params": [p], "lr": 0.1} for p in m.parameters()])
    F.cross_entropy(m(batch(8)[0]), batch(8)[1]).backward()
    o.step()
    saved = o.state_dict()
    for group in saved["param_groups"]:
        group["lr"] = 0.5
    o.step()
    failures = 0
    for room in rooms(12 * sum(p.nbytes for p in m.parameters())):
        before = snapshot(m, o)
        try:
            with room_for(room):
                o.load_state_dict(saved)
            break
        except gg.OutOfMemoryError:
            failures += 1
            assert_equal_states(snapshot(m, o), before)
            assert {group["lr"] for group in o.param_groups} == {0.1}
    assert failures and {group["lr"] for group in o.param_groups} == {0.5}
    assert {state["step"] for state in o.state_dict()["state"].values()} == {1}


def snapshot(m, o):
    def numbers(x):
        return x.cpu().numpy() if isinstance(x, gg.Tensor) else x

    state = o.state_dict()["state"]
    return [numbers(p.detach()) for p in m.parameters()], {i: {k: numbers(v) for k, v in s.items()} for i, s in state.items()}


def assert_equal_states(found, expected):
    assert_same(found[0], expected[0])
    assert found[1].keys() == expected[1].keys()
    for i, state in expected[1].items():
        assert found[1][i].keys() == state.keys()
        for name, value in state.items():
            np.testing.assert_array_equal(found[1][i][name], value)
