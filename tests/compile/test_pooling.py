"""The kernels of max pooling for the CPU, held to the definitions in gpugrad/nn/functional/pooling.py."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.arrays.windows import Window
from gpugrad.compile import build, pooling, runtime
from gpugrad.compile.handwritten import handwritten
from gpugrad.families import TABLES
from gpugrad.nn import functional as F

RNG = np.random.default_rng(0)
SQUARES = Window((2, 2), (2, 2), (0, 0), (1, 1))


@pytest.fixture(autouse=True)
def compiled(kernels: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Kernels run at any size."""
    forget()
    monkeypatch.setattr(pooling, "SMALLEST", 1)
    yield
    forget()


def forget() -> None:
    for cached in (handwritten, pooling._indices_call, pooling._call):
        cached.cache_clear()


def refuse(*operands: Any, **options: Any) -> NoReturn:
    raise AssertionError("there is a kernel for this")


def alone(op: str) -> Any:
    """The kernel of an op, which must not fall back."""
    return functools.partial(pooling.KERNELS[op], refuse)


def drawn(seed: int) -> tuple[tuple[int, ...], Window, bool]:
    """A shape and a window for which there is a kernel: any number of axes, strides, padding and dilation along each."""
    draw = random.Random(seed)
    while True:
        axes, ceil_mode = draw.randint(1, 3), draw.random() < 0.5
        some = lambda least, most: tuple(draw.randint(least, most) for _ in range(axes))
        kernel = some(1, 4)
        window, sizes = (
            Window(kernel, some(1, 4), tuple(draw.randint(0, k // 2) for k in kernel), some(1, 3)),
            some(1, 20 if axes < 3 else 8),
        )
        fits = min(window.counts(sizes, ceil_mode)) > 0 and not window.some_empty(sizes, ceil_mode)
        if fits and np.prod(kernel) > 1 < np.prod(window.counts(sizes, ceil_mode)):
            return (draw.randint(1, 3), draw.randint(1, 3), *sizes), window, ceil_mode


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kernels_compute_what_definitions_say(dtype: str) -> None:
    for seed in range(100):
        shape, window, ceil_mode = drawn(seed)
        # Few different numbers, so that several are the largest, and what is hard to compare.
        x = RNG.choice(
            [-np.inf, -2.0, 0.0, 1.0, 1.0, 5.0, np.inf, np.nan], shape, p=[0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05]
        ).astype(dtype)
        options = {"window": window, "ceil_mode": ceil_mode}
        indices = alone("max_pool_indices")(x, **options)
        expected = TABLES["max_pool_indices"].definition(x, **options)
        assert (indices.dtype, indices.shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(indices, expected, err_msg=str((seed, shape, window, ceil_mode)))
        taken = alone("pool_take")(x, indices, window=window)
        np.testing.assert_array_equal(taken, TABLES["pool_take"].definition(x, indices, window=window))
        g, options = RNG.normal(size=indices.shape).astype(dtype), {"shape": shape[2:], "window": window}
        found, expected = alone("pool_put")(g, indices, **options), TABLES["pool_put"].definition(g, indices, **options)
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        np.testing.assert_allclose(found, expected, rtol=1e-5 if dtype == "float32" else 1e-13, atol=1e-6)


def test_any_number_of_threads_gives_the_same() -> None:
    x = RNG.normal(size=(16, 33, 28, 28))
    indices = TABLES["max_pool_indices"].definition(x, window=SQUARES, ceil_mode=False)
    try:
        for threads in (1, 2, 7):
            runtime.set_num_threads(threads)
            assert np.array_equal(alone("max_pool_indices")(x, window=SQUARES, ceil_mode=False), indices)
            taken = alone("pool_take")(x, indices, window=SQUARES)
            assert np.array_equal(taken, TABLES["pool_take"].definition(x, indices, window=SQUARES))
            put = alone("pool_put")(taken, indices, shape=(28, 28), window=SQUARES)
            assert np.array_equal(put, TABLES["pool_put"].definition(taken, indices, shape=(28, 28), window=SQUARES))
    finally:
        runtime._forget()


def test_inputs_may_be_read_only_and_lie_anyhow() -> None:
    x = np.asfortranarray(RNG.normal(size=(2, 3, 8, 9)))
    x.flags.writeable = False
    indices = alone("max_pool_indices")(x, window=SQUARES, ceil_mode=False)
    assert np.array_equal(indices, TABLES["max_pool_indices"].definition(x, window=SQUARES, ceil_mode=False))
    taken = alone("pool_take")(x, np.asfortranarray(indices), window=SQUARES)
    assert np.array_equal(taken, x.reshape(2, 3, 4, 2, 9)[..., :8].reshape(2, 3, 4, 2, 4, 2).max((3, 5)))
    broadcast = np.broadcast_to(np.float64(2.0), indices.shape)
    put = alone("pool_put")(broadcast, indices, shape=(8, 9), window=SQUARES)
    assert put.sum() == 2 * indices.size and np.count_nonzero(put) == indices.size


def test_indices_that_a_user_has_changed_reach_no_other_memory() -> None:
    x = gg.tensor(RNG.normal(size=(1, 1, 64, 64)), requires_grad=True)
    out, indices = F.max_pool2d(x, 2, return_indices=True)
    indices.array[0, 0, 0, :2] = (2**40, -1)
    out.sum().backward()
    assert x.grad is not None and np.count_nonzero(x.grad.numpy()) == 32 * 32 - 2
    assert np.isnan(alone("pool_take")(x.detach().numpy(), indices.numpy(), window=SQUARES)).sum() == 2


@pytest.mark.parametrize("dtype", ["float16", "int32", "complex64", ">f4"])
def test_other_dtypes_take_the_definition(dtype: str) -> None:
    x, indices = np.ones((1, 1, 4, 4), dtype), np.zeros((1, 1, 2, 2), np.int64)
    other = lambda *operands, **options: "definition"
    assert pooling.max_pool_indices(other, x, window=SQUARES, ceil_mode=False) == "definition"
    assert pooling.pool_take(other, x, indices, window=SQUARES) == "definition"
    assert pooling.pool_put(other, x[..., :2, :2], indices, shape=(4, 4), window=SQUARES) == "definition"


@pytest.mark.parametrize(
    ("shape", "window"),
    [
        ((0, 2, 4, 4), SQUARES),
        ((1, 2, 4, 4), SQUARES._replace(kernel=(1, 1))),  # nothing is compared
        ((1, 1, 40, 41), SQUARES._replace(kernel=(40, 40), stride=(1, 1))),  # long tables
        ((4, 4, 7, 7), SQUARES._replace(kernel=(7, 7))),  # a window in each plane
    ],
)
def test_other_shapes_take_the_definition(shape: tuple[int, ...], window: Window) -> None:
    other = lambda *operands, **options: "definition"
    assert pooling.max_pool_indices(other, np.ones(shape), window=window, ceil_mode=False) == "definition"


def test_without_a_compiler_the_definition_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUGRAD_COMPILE", "0")
    build._forget()
    try:
        x = RNG.normal(size=(2, 3, 8, 8))
        other = lambda *operands, **options: "definition"
        assert pooling.max_pool_indices(other, x, window=SQUARES, ceil_mode=False) == "definition"
        assert pooling.pool_take(other, x, np.zeros((2, 3, 4, 4), np.int64), window=SQUARES) == "definition"
    finally:
        monkeypatch.undo()
        build._forget()
