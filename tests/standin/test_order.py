"""The stand-in's order of streams: what a GPU may run at the same time is not taken for done."""

import numpy as np
import pytest
from activate import activate

if not activate():
    pytest.skip("there is a GPU: test the real CuPy", allow_module_level=True)

import cupy
from cupy.cuda.order import Unordered

X = np.arange(12.0)


@pytest.fixture(autouse=True)
def afresh():
    yield
    cupy.standin.reset()
    cupy.cuda.Device().synchronize()
    cupy.get_default_memory_pool().free_all_blocks()


@pytest.fixture
def side():
    return cupy.cuda.Stream(non_blocking=True)


def test_reading_on_another_stream(side):
    x = cupy.asarray(X)
    with (
        side,
        pytest.raises(
            Unordered, match=f"memory read on stream {side.ptr} of device 0, which does not wait for its use on stream 0"
        ),
    ):
        x + 1
    side.wait_event(cupy.cuda.get_current_stream().record())
    with side:
        y = x + 1
        z = x + 2  # reads of several streams at once do no harm
    x + 3
    with pytest.raises(Unordered):
        y + z
    side.synchronize()
    y + z


@pytest.mark.parametrize(
    "write", [lambda x: x.fill(2), lambda x: cupy.add(x, 1, out=x), lambda x: x.__setitem__(0, 1), lambda x: x.set(X)]
)
def test_writing_on_another_stream(side, write):
    x = cupy.asarray(X)
    side.wait_event(cupy.cuda.get_current_stream().record())
    with side:
        x + 1
    with pytest.raises(Unordered, match="memory written to"):
        write(x)
    cupy.cuda.get_current_stream().wait_event(side.record())
    write(x)


def test_kernels_write_where_pointers_are_not_to_const(side):
    code = (
        'extern "C" __global__ void twice(const double* x, double* y, int n) { for (int i = 0; i < n; ++i) y[i] = 2 * x[i]; }'
    )
    try:
        kernel = cupy.RawKernel(code, "twice")
        kernel.compile()
    except cupy._kernels.compiler.CompilerMissing:
        pytest.skip("no C++ compiler")
    x, y = cupy.asarray(X), cupy.asarray(X)
    side.wait_event(cupy.cuda.get_current_stream().record())
    with side:
        kernel((1,), (1,), (x, y, np.int32(X.size)))
    x + 1
    with pytest.raises(Unordered):
        y + 1


def test_an_event_orders_what_was_launched_before_it(side):
    x = cupy.asarray(X)
    event = cupy.cuda.get_current_stream().record()
    y = cupy.asarray(X)
    side.wait_event(event)
    with side:
        x + 1
        with pytest.raises(Unordered):
            y + 1


@pytest.mark.parametrize(
    "wait",
    [
        lambda s: s.synchronize(),
        lambda s: s.record().synchronize(),
        lambda s: cupy.cuda.Device().synchronize(),
        lambda s: s.done,
    ],
)
def test_the_host_orders_too(side, wait):
    with side:
        x = cupy.asarray(X)
    with pytest.raises(Unordered):
        x + 1
    wait(side)
    assert ((x + 1).get() == X + 1).all()


def test_a_read_of_the_host_waits_for_its_stream(side):
    with side:
        x, y = cupy.asarray(X), cupy.asarray(X)
    with pytest.raises(Unordered):
        x + 1
    with side:
        y.get()
    assert ((x + 1).get() == X + 1).all()


def test_streams_that_block_take_turns_with_the_null_stream(side):
    blocking, other = cupy.cuda.Stream(), cupy.cuda.Stream()
    x = cupy.asarray(X)
    with blocking:
        y = x + 1
    y += 1
    with side, pytest.raises(Unordered):  # which does not block
        y + 1
    with other:
        assert ((y + 1).get() == X + 3).all()


def test_freed_memory_is_handed_out_again_on_its_stream(side):
    x = cupy.asarray(X)
    side.wait_event(cupy.cuda.get_current_stream().record())
    with side:
        x + 1
    del x
    with side:
        cupy.asarray(X)  # from another part of the pool
    cupy.zeros(1000)  # too large for it
    with pytest.raises(Unordered, match="memory handed out again on stream 0 of device 0"):
        cupy.asarray(X)
    cupy.asarray(X)


def test_lagging():
    stream = cupy.cuda.get_current_stream()
    cupy.standin.lagging = True
    cupy.asarray(X)
    event = stream.record()
    assert not event.done and not stream.done
    event.synchronize()
    assert event.done and stream.done
    before = stream.launched
    cupy.zeros(3) + 1
    assert stream.launched > before and not stream.done


def test_allocators():
    seen = []
    pool = cupy.get_default_memory_pool()

    def counted(size):
        seen.append(size)
        return pool.malloc(size)

    before = cupy.cuda.get_allocator()
    try:
        cupy.cuda.set_allocator(counted)
        x = cupy.asarray(X)
        with cupy.cuda.using_allocator(cupy.cuda.MemoryPool().malloc):
            cupy.asarray(X)
            with pytest.raises(ValueError, match="inside `using_allocator`"):
                cupy.cuda.set_allocator(counted)
        assert seen == [X.nbytes] and x.data.mem.size == 512
    finally:
        cupy.cuda.set_allocator(before)
