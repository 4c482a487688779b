"""Where a fused function has to agree with the function: values, dtypes, errors, and what surrounds a call."""

from __future__ import annotations

import copy
import enum
import gc
import os
import pickle
import signal
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.compile import build, runtime, schedule

pytestmark = pytest.mark.usefixtures("kernels")

A = np.arange(24.0).reshape(4, 6)


@pytest.fixture(autouse=True)
def _environment_read_again():
    yield
    build._forget()
    runtime._forget()


class Number(enum.IntEnum):
    TWO = 2


@gg.fuse
def doubled(x):
    return x * 2


class Scaled:
    def __init__(self) -> None:
        self.scale = 2.0

    @gg.fuse
    def __call__(self, x):
        return x * self.scale


def assert_agrees(function: Any, *args: Any) -> None:
    """The fused function gives what the function gives: values, dtype, shape."""
    expected, found = function(*args), gg.fuse(function)(*args)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    np.testing.assert_array_equal(found, expected)


# Silently wrong results ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [lambda x: [x, x[:, :2]], lambda x: [x[:, :2], x], lambda x: [x, x[0]]])
def test_concat_of_arrays_that_do_not_fit_raises_shape_error(parts):
    with pytest.raises(gg.errors.ShapeError):
        gg.fuse(lambda x: gg.concat(parts(x), axis=0))(A)


def test_where_with_a_decided_condition_broadcasts_and_promotes():
    assert_agrees(lambda x, y, k: gg.where(k > 0, x, y), np.ones((1, 3), np.float32), np.full((2, 3), 2.0), 1.0)


def test_where_between_float_arguments_has_the_default_dtype():
    assert_agrees(lambda x, k: gg.where(x > 3, k, 0), A.astype(np.float32), 1.5)


def test_int64_and_uint64_are_compared_exactly():
    assert_agrees(lambda x, y: x == y, np.array([2**63 - 1]), np.array([2**63], np.uint64))


def test_nextafter_of_float16():
    assert_agrees(gg.nextafter, np.array([1, -2, np.inf], np.float16), np.array([2, 0, 0], np.float16))


@pytest.mark.parametrize("shape", [(2, 3, 4), (3,)])
def test_t_of_arrays_is_numpys(shape):
    assert_agrees(lambda x: x.T + 1, np.ones(shape))


def test_an_attribute_that_changes_is_seen():
    scaled, x = Scaled(), np.ones(3)
    scaled(x)
    scaled.scale = 5.0
    np.testing.assert_array_equal(scaled(x), np.full(3, 5.0))


def test_the_default_dtype_is_seen():
    f, x = gg.fuse(lambda x: gg.ones((3,)) * x), np.ones(3, np.float32)
    f(x)
    before = gg.get_default_dtype()
    gg.set_default_dtype(gg.float64)
    try:
        assert f(x).dtype == np.float64
    finally:
        gg.set_default_dtype(before)


def test_a_product_in_range_is_finite():
    x = np.tile(np.array([1e30, 1e-30], np.float32), 500)
    assert np.isfinite(gg.fuse(lambda x: gg.prod(x))(x))


def test_dropout_has_one_mask_where_the_backward_kernel_fails(tmp_path, monkeypatch):
    compiler = tmp_path / "cc"
    compiler.write_text('#!/bin/sh\ncase "$*" in *backward*) exit 1;; esac\nexec cc "$@"\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("GPUGRAD_CC", str(compiler))
    build._forget()
    runtime._forget()
    x = gg.tensor(np.ones(500), requires_grad=True)
    y = gg.fuse(lambda x: gg.nn.functional.dropout(x, 0.5, training=True))(x)
    gg.sum(y).backward()
    np.testing.assert_array_equal(x.grad.array, y.array)


def test_a_result_that_holds_arrays_out_of_sight_raises():
    @dataclass
    class Box:
        content: Any

    with pytest.raises(gg.errors.TracingError):
        gg.fuse(lambda x: Box(x * 2))(A)


@pytest.mark.parametrize("compiler", ["1", "0"])
def test_in_place_addition_is_refused_with_and_without_a_compiler(compiler, monkeypatch):
    def f(x):
        x += 1
        return x * 2

    monkeypatch.setenv("GPUGRAD_COMPILE", compiler)
    build._forget()
    x = np.zeros(3)
    with pytest.raises(gg.errors.TracingError, match="x = x \\+ y"):
        gg.fuse(f)(x)
    np.testing.assert_array_equal(x, np.zeros(3))


# Time without end ----------------------------------------------------------------------------------------------------


def test_reductions_inside_of_one_another_are_scheduled_in_polynomial_time(monkeypatch):
    walk, walks = schedule.walk, []

    def counted(*args):
        walks.append(args)
        return walk(*args)

    monkeypatch.setattr(schedule, "walk", counted)
    monkeypatch.setenv("GPUGRAD_COMPILE", "0")
    counts = []
    for levels in (6, 12):
        walks.clear()

        def centred(x, levels=levels):
            for _ in range(levels):
                x = x - gg.mean(x, axis=1, keepdims=True)
            return x

        gg.fuse(centred)(A)
        counts.append(len(walks))
    assert counts[1] < 16 * counts[0]  # a power of 4 at most; it doubles and more with every level


# Errors that should not be -------------------------------------------------------------------------------------------


def test_a_dtype_as_an_argument():
    assert gg.fuse(lambda x, dtype: gg.astype(x, dtype))(A, gg.float32).dtype == np.float32


def test_an_enumeration_as_an_argument():
    np.testing.assert_array_equal(gg.fuse(lambda x, e: x * e)(A, Number.TWO), A * 2)


def test_erf_of_a_float_argument():
    assert_agrees(lambda x, k: x * gg.special.erf(k), A, 0.5)


def test_cross_entropy_can_be_fused():
    logits, labels = A / 24, np.array([0, 1, 2, 5])
    expected = gg.nn.functional.cross_entropy(logits, labels)
    np.testing.assert_allclose(gg.fuse(gg.nn.functional.cross_entropy)(logits, labels), expected)


@pytest.mark.parametrize("function", [lambda x: x.sum(0), lambda x: x.reshape(6, 4) + 1, lambda x: np.sum(x, axis=0)])
def test_methods_as_numpys(function):
    assert_agrees(function, A)


def test_copies():
    f = gg.fuse(lambda x: x * 3)
    f(A)
    np.testing.assert_array_equal(copy.deepcopy(f)(A), A * 3)


def test_pickling():
    assert pickle.loads(pickle.dumps(doubled)) is doubled


# The environment -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # a fork of a process with threads is the point
def test_a_fork_while_another_thread_prepares_a_call():
    f = gg.fuse(lambda x: x * 2)
    f(np.ones(3))
    locked, done = threading.Event(), threading.Event()

    def prepare():
        with f._variant((0,))._lock:
            locked.set()
            done.wait(20)

    thread = threading.Thread(target=prepare)
    thread.start()
    locked.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(3)  # ends the process
        f(np.ones(7))
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    done.set()
    thread.join()
    assert status == 0


def test_an_object_with_a_fused_method_is_freed():
    scaled = Scaled()
    scaled(A)
    gone = weakref.ref(scaled)
    del scaled
    gc.collect()
    assert gone() is None


def test_ints_do_not_make_programs_without_end(monkeypatch):
    monkeypatch.setenv("GPUGRAD_COMPILE", "0")
    build._forget()
    f = gg.fuse(lambda x, i: x * i)
    for i in range(2, 102):
        f(A, i)
    assert sum(map(len, f._variant((0, 0)).programs.values())) <= 32


def test_a_relative_path_of_the_compiler(tmp_path: Path, monkeypatch):
    (tmp_path / "mycc").write_text('#!/bin/sh\nexec cc "$@"\n')
    (tmp_path / "mycc").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GPUGRAD_CC", "./mycc")
    build._forget()
    assert build.load("int gpugrad_relative(void) { return 1; }\n", "relative") is not None


def test_source_compiles_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("GPUGRAD_CACHE_DIR", str(tmp_path))
    build._forget()
    gg.fuse(lambda x: gg.exp(x) * 1.25).source("cuda", A)
    assert not list(tmp_path.rglob("*.c"))
