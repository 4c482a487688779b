"""The launcher of compiled kernels and its threads."""

from __future__ import annotations

import ctypes
import functools
import os
import subprocess
import sys
import threading
import time
from array import array
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpugrad
from gpugrad.compile import build, runtime

ROOT = Path(gpugrad.__file__).parent.parent

KERNELS = """
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <time.h>
#define KERNEL(name) void name(char *const *p, const int64_t *n, const double *s, char *scratch, int64_t begin, int64_t end)

static void wait_a_little(void) {
    struct timespec time = {0, 200000};
    nanosleep(&time, 0);
}

KERNEL(scale_and_add) {
    float *out = (float *)p[0];
    const float *x = (const float *)p[1], *y = (const float *)p[2];
    for (int64_t i = begin; i < end; i++) out[i] = x[i] * (float)s[0] + y[i];
}

/* out[i] counts how often item i was processed, starts[i] is the first item of its call. */
KERNEL(count) {
    int64_t *out = (int64_t *)p[0], *starts = (int64_t *)p[1];
    for (int64_t i = begin; i < end; i++) out[i]++, starts[i] = begin;
}

KERNEL(say) {
    double *out = (double *)p[0];
    for (int i = 0; i < 3; i++) out[i] = (double)n[i], out[3 + i] = s[i];
}

/* Which thread processed an item. The items take so long that every thread gets some. */
KERNEL(thread) {
    int64_t *out = (int64_t *)p[0];
    for (int64_t i = begin; i < end; i++) out[i] = (int64_t)(intptr_t)pthread_self(), wait_a_little();
}

/* Whether the scratch memory is aligned and this thread's own: 1 if so. */
KERNEL(scratch) {
    int64_t *out = (int64_t *)p[0];
    for (int64_t i = begin; i < end; i++) {
        int64_t good = (intptr_t)scratch % 64 == 0;
        for (int64_t k = 0; k < n[0]; k++) scratch[k] = (char)(i + k);
        wait_a_little();
        for (int64_t k = 0; k < n[0]; k++) good &= scratch[k] == (char)(i + k);
        out[i] = good;
    }
}

/* Waits for another Python thread to write to p[1]: 1 if it did. */
KERNEL(meet) {
    volatile int64_t *flag = (volatile int64_t *)p[1];
    for (int i = 0; i < 50000 && *flag == 0; i++) wait_a_little();
    *(int64_t *)p[0] = *flag;
}
"""

SHARED = 10**9  # a cost that makes every launch worth sharing


@pytest.fixture(scope="module", autouse=True)
def kernels(tmp_path_factory):
    """The addresses of the kernels by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPUGRAD_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("GPUGRAD_COMPILE", raising=False)
        build._forget()
        runtime._forget()
        library = build.load(KERNELS, "test")
        if library is None or runtime.launcher() is None:
            build._forget()
            pytest.skip("no C compiler here")
        yield lambda name: ctypes.cast(library[name], ctypes.c_void_p).value
        runtime._forget()
        build._forget()


@pytest.fixture(autouse=True)
def two_threads():
    runtime.set_num_threads(2)
    yield
    runtime.set_num_threads(2)


@pytest.fixture
def patience(kernels):
    """Sets for how many nanoseconds an idle thread looks for work."""
    yield lambda nanoseconds: runtime._library.gpugrad_set_patience(ctypes.c_int64(nanoseconds))
    runtime._library.gpugrad_set_patience(ctypes.c_int64(runtime._patience()))
    runtime.set_num_threads(5)
    who_worked(kernels, SHARED)  # those who still look for work do it by the new number


@pytest.mark.parametrize("cost", [0, 30_000, 100_000, SHARED])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_launch(kernels, cost, threads):
    runtime.set_num_threads(threads)
    x, y = np.arange(100_003, dtype="float32"), np.ones(100_003, "float32")
    out = np.zeros_like(x)
    plan = runtime.plan(kernels("scale_and_add"), x.size, cost, 3, 1, 1, grain=64)
    for _ in range(20):
        out[:] = 0
        assert runtime.launcher()(plan, out, x, y, 0.5) is None
        np.testing.assert_array_equal(out, x * np.float32(0.5) + y)


@pytest.mark.parametrize("n, error", [(0, ValueError), (1.5, TypeError), ("2", TypeError), (np.ones(2), TypeError)])
def test_a_number_of_threads_that_is_none_changes_nothing(n, error):
    with pytest.raises(error):
        runtime.set_num_threads(n)
    assert runtime.get_num_threads() == 2
    runtime.set_num_threads(np.int64(3))
    assert runtime.get_num_threads() == 3


def test_the_launcher_is_made_once():
    assert runtime.launcher() is runtime.launcher()
    assert runtime.launcher().__name__ == "launch" and "plan" in runtime.launcher().__doc__


def test_integers_and_scalars_arrive(kernels):
    out = np.zeros(6)
    plan = runtime.plan(kernels("say"), 1, 0, 1, 1, 3, integers=[-1, 2**62, 3])
    runtime.launcher()(plan, out, 0.5, 7, np.float32(-1.0))
    assert out.tolist() == [-1.0, 2.0**62, 3.0, 0.5, 7.0, -1.0]


@pytest.mark.parametrize("arrays, scalars", [(40, 3), (1, 50), (100, 100)])
def test_many_arguments(kernels, arrays, scalars):
    out = np.zeros(6)
    plan = runtime.plan(kernels("say"), 1, 0, arrays, 1, scalars, integers=[1, 2, 3])
    runtime.launcher()(plan, out, *[np.zeros(1)] * (arrays - 1), *range(scalars))
    assert out.tolist() == [1, 2, 3, 0, 1, 2]


@given(
    items=st.integers(0, 3000),
    grain=st.integers(1, 200) | st.integers(1, 2**62),
    threads=st.integers(1, 4),
    cost=st.sampled_from([0, 50_000, 60_000, 200_000, SHARED, 2**62]),
)
def test_each_item_is_processed_once(kernels, items, grain, threads, cost):
    runtime.set_num_threads(threads)
    out, starts = np.zeros(items, "int64"), np.zeros(items, "int64")
    runtime.launcher()(runtime.plan(kernels("count"), items, cost, 2, 2, 0, grain=grain), out, starts)
    assert (out == 1).all() and (starts % min(grain, items + 1) == 0).all() and (starts <= np.arange(items)).all()


@pytest.mark.parametrize("threads, cost, expected", [(1, SHARED, 1), (2, 0, 1), (2, 30_000, 1), (2, SHARED, 2), (3, SHARED, 3)])
def test_how_many_threads_work(kernels, patience, threads, cost, expected):
    patience(0)
    time.sleep(0.05)  # until those who look for work after an earlier test sleep
    runtime.set_num_threads(threads)
    found = who_worked(kernels, cost)
    assert len(found) == expected and threading.get_ident() in found


def who_worked(kernels, cost):
    out = np.zeros(200, "int64")
    runtime.launcher()(runtime.plan(kernels("thread"), out.size, cost, 1, 1, 0), out)
    return set(out.tolist())


@pytest.mark.parametrize("cost, expected", [(5_000, 1), (10_000, 2), (30_000, 2)])
def test_threads_that_look_for_work_get_some_of_less(kernels, patience, cost, expected):
    patience(10**10)
    who_worked(kernels, SHARED)
    time.sleep(0.05)
    assert len(who_worked(kernels, cost)) == expected
    runtime.set_num_threads(3)  # one of them sleeps, or has not been started: nobody is woken for so little
    assert len(who_worked(kernels, cost)) == 1


def test_idle_threads_sleep_in_the_end(kernels, patience):
    patience(10**6)
    who_worked(kernels, SHARED)
    time.sleep(0.3)  # those of OpenBLAS, too
    before = time.process_time()
    time.sleep(0.2)
    assert time.process_time() - before < 0.1


@pytest.mark.parametrize("policy, waits", [("passive", False), (" PASSIVE", False), ("active", True), (None, True)])
def test_openmps_wait_policy(monkeypatch, policy, waits):
    if policy is None:
        monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    else:
        monkeypatch.setenv("OMP_WAIT_POLICY", policy)
    assert (runtime._patience() > 0) is waits


def test_fewer_threads_after_more(kernels):
    for threads in (4, 2, 1, 3):
        runtime.set_num_threads(threads)
        assert len(who_worked(kernels, SHARED)) == threads


@pytest.mark.parametrize("size", [1, 1000, 10_000, 100])
def test_scratch_memory(kernels, size):
    out = np.zeros(100, "int64")
    runtime.launcher()(runtime.plan(kernels("scratch"), out.size, SHARED, 1, 1, 0, size, integers=[size]), out)
    assert out.tolist() == [1] * 100


def test_too_much_scratch_memory(kernels):
    plan = runtime.plan(kernels("scratch"), 1, 0, 1, 1, 0, 2**62, integers=[1])
    with pytest.raises(MemoryError):
        runtime.launcher()(plan, np.zeros(1, "int64"))


@pytest.mark.parametrize("cost", [25_000, SHARED])
def test_other_python_threads_run_meanwhile(kernels, cost):
    met, flag = np.zeros(1, "int64"), np.zeros(1, "int64")
    plan = runtime.plan(kernels("meet"), 1, cost, 2, 1, 0)
    launched = threading.Thread(target=runtime.launcher(), args=(plan, met, flag))
    launched.start()
    flag[0] = 1
    launched.join()
    assert met[0] == 1


def test_launches_from_several_threads_at_once(kernels):
    launch = runtime.launcher()
    plan = runtime.plan(kernels("scale_and_add"), 50_000, SHARED, 3, 1, 1, grain=16)

    def run(number: int) -> bool:
        x, y = np.full(50_000, number, "float32"), np.arange(50_000, dtype="float32")
        good = True
        for _ in range(50):
            out = np.zeros_like(x)
            launch(plan, out, x, y, 2.0)
            good = good and np.array_equal(out, x * 2 + y)
        return good

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(run, range(8)))


def test_a_launch_while_another_one_is_shared(kernels):
    """The one that comes second works alone, and does not wait for the first."""
    met, flag, first = np.zeros(100, "int64"), np.zeros(100, "int64"), np.zeros(100, "int64")
    launch = runtime.launcher()
    waits = threading.Thread(target=launch, args=(runtime.plan(kernels("meet"), 100, SHARED, 2, 1, 0), met, flag))
    waits.start()
    launch(runtime.plan(kernels("count"), 100, SHARED, 2, 2, 0), first, np.zeros(100, "int64"))
    flag[0] = 1
    waits.join()
    assert first.tolist() == [1] * 100 and met[0] == 1


# Arguments that do not fit


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, array, np.ndarray])
def test_what_has_a_buffer_is_an_array(kernels, kind):
    x = {
        bytes: np.arange(4, dtype="float32").tobytes(),
        bytearray: bytearray(np.arange(4, dtype="float32")),
        memoryview: memoryview(np.arange(4, dtype="float32")),
        array: array("f", range(4)),
        np.ndarray: np.broadcast_to(np.arange(4, dtype="float32"), (3, 4)),
    }[kind]
    out = np.zeros(4, "float32")
    runtime.launcher()(runtime.plan(kernels("scale_and_add"), 4, 0, 3, 1, 1), out, x, x, 1.0)
    assert out.tolist() == [0.0, 2.0, 4.0, 6.0]


def test_a_view_starts_at_its_first_element(kernels):
    x, out = np.arange(10, dtype="float32"), np.zeros(10, "float32")
    plan = runtime.plan(kernels("scale_and_add"), 1, 0, 3, 1, 1)
    runtime.launcher()(plan, out[::-2], x[::-1], x[3::3], 1.0)
    assert out[9] == 9.0 + 3.0 and not out[:9].any()


@pytest.mark.parametrize("dtype", ["bool", "int8", "float16", "complex64", "uint64"])
def test_arrays_of_any_dtype(kernels, dtype):
    out = np.zeros(64, dtype)
    x, y = np.ones(16, "float32"), np.ones(16, "float32")
    size = out.nbytes // 4 // 4 * 4
    runtime.launcher()(runtime.plan(kernels("scale_and_add"), min(size, 16), 0, 3, 1, 1), out, x, y, 1.0)
    assert out.view("uint8").any()


def read_only(x):
    x.flags.writeable = False
    return x


WRONG = {
    "nothing": (lambda plan, x: (), TypeError, "a plan first"),
    "no plan": (lambda plan, x: (x, x, x, x, 1.0), TypeError, "bytes"),
    "an empty plan": (lambda plan, x: (b"", x, x, x, 1.0), ValueError, "a plan of 0 bytes"),
    "a cut plan": (lambda plan, x: (plan[:-1], x, x, x, 1.0), ValueError, "a plan of 63 bytes"),
    "too few": (
        lambda plan, x: (plan, x, x, 1.0),
        TypeError,
        "got 4 arguments, the plan expects itself, 3 arrays and 1 numbers",
    ),
    "too many": (lambda plan, x: (plan, x, x, x, 1.0, 1.0), TypeError, "got 6 arguments"),
    "no array": (lambda plan, x: (plan, x, 1, x, 1.0), TypeError, "bytes-like"),
    "None": (lambda plan, x: (plan, x, x, None, 1.0), TypeError, "bytes-like"),
    "no number": (lambda plan, x: (plan, x, x, x, "1"), TypeError, "real number"),
    "an array for a number": (lambda plan, x: (plan, x, x, x, x), TypeError, "scalar|only"),
    "read-only": (lambda plan, x: (plan, read_only(x.copy()), x, x, 1.0), BufferError, "array 0 is written .* read-only"),
    "read-only bytes": (lambda plan, x: (plan, x.tobytes(), x, x, 1.0), BufferError, "not writable"),
}


@pytest.mark.parametrize("arguments, error, message", WRONG.values(), ids=list(WRONG))
def test_wrong_arguments(kernels, arguments, error, message):
    plan, x = runtime.plan(kernels("scale_and_add"), 4, 0, 3, 1, 1), np.ones(4, "float32")
    references = sys.getrefcount(x)
    for _ in range(3):
        with pytest.raises(error, match=message):
            runtime.launcher()(*arguments(plan, x))
    assert sys.getrefcount(x) == references and (x == 1).all()


def test_keywords_are_refused(kernels):
    with pytest.raises(TypeError):
        runtime.launcher()(plan=b"")


def test_buffers_are_released(kernels):
    grows = bytearray(16)
    plan = runtime.plan(kernels("scale_and_add"), 4, 0, 3, 1, 1)
    runtime.launcher()(plan, grows, bytes(16), bytes(16), 1.0)
    with pytest.raises(TypeError):
        runtime.launcher()(plan, grows, bytes(16), None, 1.0)
    grows.append(1)  # a BufferError while it is exported
    assert len(grows) == 17


@pytest.mark.parametrize("word", range(8))
def test_a_plan_that_is_not_valid(kernels, word):
    values = [kernels("scale_and_add"), 4, 0, 3, 1, 1, 0, 1]
    values[word] = {0: 0, 2: 0, 7: 0}.get(word, -1)
    x = np.ones(4, "float32")
    launch = lambda: runtime.launcher()(array("q", values).tobytes(), x, x, x, 1.0)
    if word == 2:  # any cost will do
        assert launch() is None
    else:
        with pytest.raises(ValueError, match="the plan is not valid"):
            launch()


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20), st.integers(0, 2**63 - 1))
def test_a_plan_holds_its_words(integers, items):
    plan = runtime.plan(1, items, 2, 3, 4, 5, 6, 7, integers)
    assert np.frombuffer(plan, "int64").tolist() == [1, items, 2, 3, 4, 5, 6, 7, *integers]


# The number of threads


def test_the_number_of_threads_is_what_was_set():
    runtime.set_num_threads(3)
    assert runtime.get_num_threads() == 3


def test_more_threads_than_there_can_be(monkeypatch):
    told: list[int] = []
    monkeypatch.setattr(runtime, "_library", SimpleNamespace(gpugrad_set_threads=told.append))
    runtime.set_num_threads(2**40)
    assert runtime.get_num_threads() == 2**40 and told == [1024]  # which a C int can hold


@pytest.mark.parametrize("n", [0, -1])
def test_no_threads_at_all(n):
    with pytest.raises(ValueError, match=f"got {n}, expected 1 or more"):
        runtime.set_num_threads(n)
    assert runtime.get_num_threads() == 2


@pytest.mark.parametrize(
    "own, openmp, expected",
    [
        ("3", "5", 3),
        (None, "5", 5),
        (None, "4,2", 4),
        ("many", "5", 5),
        ("0", None, None),
        (None, None, None),
        ("", "-1", None),
    ],
)
def test_the_environment_decides_at_first(monkeypatch, own, openmp, expected):
    for name, value in (("GPUGRAD_NUM_THREADS", own), ("OMP_NUM_THREADS", openmp)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(runtime, "_threads", 0)
    monkeypatch.setattr(runtime, "_default_threads", functools.cache(runtime._default_threads.__wrapped__))  # not asked before
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert runtime.get_num_threads() == (expected or processors)
    monkeypatch.setenv("GPUGRAD_NUM_THREADS", "7")
    assert runtime.get_num_threads() == (expected or processors)


def test_threads_without_a_compiler(tmp_path):
    code = (
        "from gpugrad.compile import runtime as r\n"
        "r.set_num_threads(3); print(r.get_num_threads(), r.launcher(), r.launcher(), r.get_num_threads())"
    )
    environment = {**os.environ, "GPUGRAD_CC": "none", "GPUGRAD_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["3", "None", "None", "3"] and len(done.stderr.splitlines()) == 1


FORK = f"""
import ctypes, os, sys, threading, numpy as np
from gpugrad.compile import build, runtime
library = build.load({KERNELS!r}, "test")
plan = runtime.plan(ctypes.cast(library.thread, ctypes.c_void_p).value, 200, {SHARED}, 1, 1, 0)
def threads():
    out = np.zeros(200, "int64")
    runtime.launcher()(plan, out)
    return len(set(out.tolist()))
runtime.set_num_threads(2)
parent = threads()
going = threading.Thread(target=threads)  # a fork in the middle of a launch
going.start()
child = os.fork()
found = threads() == 2 and threads() == 2 if child == 0 else None
if child == 0:
    sys.exit(0 if found else 1)  # an ordinary exit, with the pool asleep
going.join()
print(parent, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), threads())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_has_threads_of_its_own():
    done = subprocess.run(  # Python 3.12 warns of forks of processes with threads, rightly
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout.split(), done.stderr) == (["2", "0", "2"], "")


def test_the_process_ends_though_threads_sleep_or_work():
    """A daemon thread is in the middle of a launch when the interpreter exits."""
    code = FORK.partition("parent = ")[0] + "threading.Thread(target=threads, daemon=True).start(); print('done')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout.strip(), done.stderr, done.returncode) == ("done", "", 0)


def test_kernels_get_arrays_without_gaps_and_aligned():
    x = np.arange(12.0).reshape(3, 4)
    assert runtime.contiguous(x) is x
    unaligned = np.zeros(x.nbytes + 1, np.uint8)[1:].view(np.float64).reshape(x.shape)
    unaligned[...] = x
    for y in (x.T, x[::-1], x[:, ::2], unaligned):
        found = runtime.contiguous(y)
        assert found.flags.c_contiguous and found.flags.aligned and np.array_equal(found, y)
