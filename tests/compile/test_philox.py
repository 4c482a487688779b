"""Random bits in kernels are those of arrays/random.py, bit for bit, wherever in a kernel they are computed."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import nvrtc
import pytest
from backends import CUPY, WITHOUT_CUPY
from hypothesis import given, settings
from hypothesis import strategies as st

import gpugrad as gg
from gpugrad.arrays import random as raw_random
from gpugrad.arrays.devices import import_cupy
from gpugrad.compile import build, cpu, cuda_source
from gpugrad.compile.compiled import Compiled
from gpugrad.compile.runtime import get_num_threads, set_num_threads
from gpugrad.compile.schedule import Kernel, schedule
from gpugrad.modes import random_states
from gpugrad.ops.random_bits import bernoulli_mask, given_states, random_state

CARRIES = (0, 1, 2**64 - 1, 2**64 - 3, 2**128 - 1, 2**192 - 2, 2**256 - 1)
"""Numbers of first blocks: from the last ones the counter carries into the next word, and at the end starts again at 0."""
STATE = raw_random.state(2**100 + 7, 2**64 - 40)
COUNTS = (1023, 1024, 1025, 2049, 5000)


def integers(state: Any, count: int, width: int) -> Any:
    """The integers at a state, by NumPy's own Philox."""
    words = np.random.Philox(key=state[:2], counter=state[2:]).random_raw(count)
    return words.view(np.uint32)[:count] if width == 32 else words


def kernels_of(function: Callable[..., Any]) -> Compiled:
    """The function compiled, refusing to run as it is; skips the test where there is no C compiler."""
    if build.load("int nothing;", "nothing") is None:
        pytest.skip("there is no C compiler")

    def refused(*args: Any, **options: Any) -> Any:
        raise AssertionError("the function itself ran, not kernels")

    return Compiled(function, strict=True, otherwise=refused)


def mask_of(x: Any, state: Any, width: int) -> Any:
    return bernoulli_mask(x, state, 2.0**width * 0.375, width)


# The header ---------------------------------------------------------------------------------------------------------

_WRAPPERS = """
#include "prelude.h"
#include "philox.h"
void elements(const uint64_t *state, int64_t begin, int64_t end, uint32_t *narrow, uint64_t *wide)
{
    for (int64_t i = begin; i < end; ++i) narrow[i - begin] = gg_philox_u32(state, i);
    for (int64_t i = begin; i < end; ++i) wide[i - begin] = gg_philox_u64(state, i);
}
void stretches(const uint64_t *state, int64_t begin, int64_t end, uint32_t *narrow, uint64_t *wide)
{
    uint64_t a[GG_PHILOX_WORDS_u32], b[GG_PHILOX_WORDS_u64];
    const uint32_t *const x = gg_philox_fill_u32(a, state, begin, end);
    const uint64_t *const y = gg_philox_fill_u64(b, state, begin, end);
    for (int64_t i = begin; i < end; ++i) narrow[i - begin] = x[i - begin];
    for (int64_t i = begin; i < end; ++i) wide[i - begin] = y[i - begin];
}
"""


@pytest.fixture(scope="module", params=["as compiled", "word by word"])
def library(request: pytest.FixtureRequest) -> ctypes.CDLL:
    start = "" if request.param == "as compiled" else "#undef __AVX512F__\n"
    found = build.load(start + _WRAPPERS, "test_philox")
    if found is None:
        pytest.skip("there is no C compiler")
    return found


@pytest.mark.parametrize("function", ["elements", "stretches"])
@pytest.mark.parametrize("offset", CARRIES)
def test_the_header_makes_numpys_words(library: ctypes.CDLL, function: str, offset: int) -> None:
    state = raw_random.state(2**127 + 2**64 + 3, offset)
    for begin, end in ((0, 1), (0, 1024), (1, 1024), (7, 9), (13, 13), (3, 1027), (8, 24)):
        narrow, wide = np.full(1024, 5, np.uint32), np.full(1024, 5, np.uint64)
        getattr(library, function)(
            *(
                ctypes.c_void_p(x.ctypes.data) if isinstance(x, np.ndarray) else ctypes.c_int64(x)
                for x in (state, begin, end, narrow, wide)
            )
        )
        np.testing.assert_array_equal(narrow[: end - begin], integers(state, end, 32)[begin:])
        np.testing.assert_array_equal(wide[: end - begin], integers(state, end, 64)[begin:])
        assert (narrow[end - begin :] == 5).all()


# States -------------------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 2**200), offset=st.sampled_from(CARRIES) | st.integers(0, 2**256 - 1), count=st.integers(0, 70))
def test_a_state_stands_for_its_place_in_the_stream(seed: int, offset: int, count: int) -> None:
    state = raw_random.state(seed, offset)
    words = raw_random.bits(seed, offset, count)
    assert state.shape == (6,)
    assert state.dtype == np.uint64
    np.testing.assert_array_equal(raw_random.below(state, (count,), 2.0**63, 64), words < 2**63)
    np.testing.assert_array_equal(raw_random.below(state, (2 * count,), 2.0**31, 32), words.view(np.uint32) < 2**31)


@pytest.mark.parametrize("words", [0, 1, 4, 5])
def test_what_is_taken_is_passed_over(words: int) -> None:
    one, other = (raw_random.Generator(5, 2**64 - 1) for _ in range(2))
    taken = one.take(words)
    np.testing.assert_array_equal(integers(taken, words, 64), other.bits(words))
    assert one.get_state() == other.get_state()
    np.testing.assert_array_equal(one.bits(3), other.bits(3))


def test_pieces_do_not_show() -> None:
    count = 3 * raw_random._PIECE + 5
    np.testing.assert_array_equal(raw_random.below(STATE, (count,), 2.0**62, 64), integers(STATE, count, 64) < 2**62)


@pytest.mark.parametrize("seed", [-1, 1.5])
def test_seeds_out_of_range(seed: Any) -> None:
    with pytest.raises((ValueError, gg.DTypeError), match="seed must be"):
        raw_random.state(seed, 0)


def test_states_that_are_given_again() -> None:
    def take(words: int) -> Any:
        raise AssertionError("drawn again")

    x = np.ones(3)
    with given_states([1, 2]):
        assert [random_state(x, take, 32), random_state(x, take, 32)] == [1, 2]
    assert random_states.get() is None


# Kernels ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_along_one_axis(count: int, width: int, dtype: str) -> None:
    x = np.random.default_rng(0).normal(size=count).astype(dtype)

    def function(x: Any, state: Any) -> Any:
        return gg.where(mask_of(x, state, width), x, 0)

    np.testing.assert_array_equal(kernels_of(function)(x, STATE), function(x, STATE))


@pytest.mark.parametrize(
    ("rows", "columns", "width"), [(37, 1025, 32), (37, 1025, 64), (37, 6, 32), (37, 1, 32), (1, 4099, 32)]
)
@pytest.mark.parametrize(
    "function",
    [
        lambda x, b, m: gg.where(m, x + b, 0),
        lambda x, b, m: (gg.max(gg.where(m, x, -3), axis=1), m),
        lambda x, b, m: gg.max(gg.where(m, x, -3), axis=1, keepdims=True) - gg.where(m, x, b),
        lambda x, b, m: gg.min(gg.where(m, x, 3), axis=0),
        lambda x, b, m: gg.where(m, gg.min(gg.where(m, x, 3), axis=0), b),
        lambda x, b, m: gg.max(gg.where(m, x, -3)),
        lambda x, b, m: gg.where(gg.permute_dims(m, (1, 0)), 1, gg.permute_dims(x, (1, 0))),
        lambda x, b, m: gg.where(m[:, ::2], x[:, ::2], 7),
        lambda x, b, m: gg.flip(gg.where(m, x, 0), axis=1),
        lambda x, b, m: gg.reshape(gg.where(m, x, 0), (-1,)),
        lambda x, b, m: gg.where(gg.reshape(m, (x.shape[1], x.shape[0])), 1.0, 2.0),
        lambda x, b, m: gg.concat([gg.where(m, x, 0), x * 2], axis=1),
        lambda x, b, m: gg.where(m[:, :1], x, b),
        lambda x, b, m: gg.where(m[0], x, b),
    ],
)  # fmt: skip
def test_in_every_form_of_kernel(function: Callable[..., Any], rows: int, columns: int, width: int) -> None:
    rng = np.random.default_rng(1)
    x, b = rng.normal(size=(rows, columns)), rng.normal(size=columns)

    def with_mask(x: Any, b: Any, state: Any) -> Any:
        return function(x, b, mask_of(x, state, width))

    found, expected = kernels_of(with_mask)(x, b, STATE), with_mask(x, b, STATE)
    for one, other in zip(*(y if isinstance(y, tuple) else (y,) for y in (found, expected)), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@functools.cache
def _narrow() -> Compiled:
    return kernels_of(lambda x, state, threshold: bernoulli_mask(x, state, threshold, 32))


@settings(max_examples=25)
@given(
    shape=st.lists(st.integers(1, 13), min_size=0, max_size=4).map(tuple), offset=st.sampled_from(CARRIES),
    threshold=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_any_shape_offset_and_threshold(shape: tuple[int, ...], offset: int, threshold: int) -> None:
    state, x = raw_random.state(3, offset), np.ones(shape, np.float32)
    found = _narrow()(x, state, float(threshold))
    assert found.shape == shape
    np.testing.assert_array_equal(found.reshape(-1), integers(state, x.size, 32) < threshold)


@pytest.mark.parametrize("threshold", [0.0, 1.0, 2.0**63, 2.0**64 - 2.0**11])
def test_thresholds_of_64_bits(threshold: float) -> None:
    compiled = kernels_of(lambda x, state, threshold: bernoulli_mask(x, state, threshold, 64))
    expected = integers(STATE, 2000, 64) < np.uint64(threshold)
    np.testing.assert_array_equal(compiled(np.ones(2000), STATE, threshold), expected)


def test_the_number_of_threads_does_not_show() -> None:
    x, compiled = np.ones(300_007, np.float32), kernels_of(lambda x, state: mask_of(x, state, 32) * x)
    before = get_num_threads()
    try:
        found = []
        for threads in (1, 2, 3):
            set_num_threads(threads)
            found.append(compiled(x, STATE))
    finally:
        set_num_threads(before)
    np.testing.assert_array_equal(found[0], mask_of(x, STATE, 32))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_neighbours_share_blocks() -> None:
    compiled = kernels_of(lambda x, b, state: gg.where(mask_of(x, state, 32), x, b))
    _, program, _ = compiled.specialized((np.ones((40, 50)), np.ones(50), STATE), {}, cpu)
    assert program.source.count("gg_philox_fill_u32(") == 1
    assert "gg_philox_u32(" not in program.source


def test_kernels_without_random_bits_do_not_include_them() -> None:
    _, program, _ = kernels_of(lambda x: x + 1).specialized((np.ones(5),), {}, cpu)
    assert "philox" not in program.source


# CUDA ---------------------------------------------------------------------------------------------------------------


def _cuda_sources() -> list[str]:
    sources = []
    for dtype, function in (
        ("float16", lambda x, state: gg.where(mask_of(x, state, 32), x, 0)),
        ("float32", lambda x, state: gg.where(mask_of(x, state, 32), x, 0)),
        ("float64", lambda x, state: gg.where(mask_of(x, state, 64), x, 0)),
        ("float32", lambda x, state: gg.sum(gg.where(mask_of(x, state, 32), x, 0), axis=1)),
        ("float32", lambda x, state: gg.sum(gg.where(mask_of(x, state, 64), x, 0), axis=0)),
    ):
        traced, _, _ = kernels_of(function).specialized((np.ones((40, 50), dtype), STATE), {}, cpu)
        steps = cuda_steps(traced.outputs)
        sources.append("\n".join(steps))
    return sources


def cuda_steps(outputs: Any) -> list[str]:
    steps = schedule(outputs)
    stored = {root.number for step in steps if isinstance(step, Kernel) for root in step.roots}
    kernels = [step for step in steps if isinstance(step, Kernel)]
    return [cuda_source.generate(kernel, f"random_{i}", stored, set()).text for i, kernel in enumerate(kernels)]


@pytest.mark.skipif(not nvrtc.available(), reason=nvrtc.MISSING)
@pytest.mark.parametrize("architecture", nvrtc.ARCHITECTURES)
def test_cuda_source_compiles(architecture: str) -> None:
    for source in _cuda_sources():
        assert "gg_philox" in source
        assert nvrtc.compile_cuda(cuda_source.translation_unit(source), architecture)


def test_threads_of_a_gpu_share_blocks() -> None:
    for source in _cuda_sources()[:4]:
        assert "gg_philox_vector(" in source


@pytest.mark.skipif(not CUPY.available, reason=WITHOUT_CUPY)
@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(1,), (33,), (256,), (6, 8), (6, 9), (3, 1, 16)])
def test_the_same_bits_on_a_gpu(shape: tuple[int, ...], dtype: str, width: int) -> None:
    cupy = import_cupy()
    x, state = cupy.asarray(np.ones(shape, dtype)), cupy.asarray(STATE)
    expected = integers(STATE, x.size, width).reshape(shape) < np.float64(2.0**width * 0.375)
    np.testing.assert_array_equal(kernels_of(lambda x, state: mask_of(x, state, width))(x, state).get(), expected)
    np.testing.assert_array_equal(kernels_of(lambda x, state: x * mask_of(x, state, width))(x, state).get(), expected)
    np.testing.assert_array_equal(raw_random.below(state, shape, 2.0**width * 0.375, width).get(), expected)
    if len(shape) > 1:
        reduced = kernels_of(lambda x, state: gg.sum(gg.where(mask_of(x, state, width), x, 0), axis=-1))(x, state)
        np.testing.assert_array_equal(reduced.get(), expected.sum(-1))
