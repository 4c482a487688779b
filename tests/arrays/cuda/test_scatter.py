"""The kernels of scatter.cu, atomic and sorted, against numpy.add.at in float64; and put where it must be deterministic."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gpugrad as gg
from gpugrad.arrays.devices import import_cupy
from gpugrad.errors import DeterminismError
from gpugrad.nn import functional as F

if not gg.cuda.is_available():
    pytest.skip("CuPy: there is no GPU here; GPUGRAD_TEST_STANDIN=1 runs these on a stand-in", allow_module_level=True)

cupy = import_cupy()
from gpugrad.arrays import cupy as backend  # noqa: E402  (imports CuPy)
from gpugrad.arrays.cuda import modules, scatter  # noqa: E402

try:
    modules.function("scatter.cu", "add_rows_32", np.dtype("float32"))
except modules.CompilationError as error:
    pytest.skip(f"{error} does not compile here: {modules.failures[str(error)]}", allow_module_level=True)

STANDIN = hasattr(cupy, "standin")
DTYPES = [*map(np.dtype, ("float16", "float32", "float64", "complex64", "complex128")), np.dtype(ml_dtypes.bfloat16)]
ALL = slice(None)
ROWS = np.array([0, 2, 2, -1, 0, 1, 9])  # twice, from the end, and out of range, which wraps round


@pytest.fixture(autouse=True, params=[False, True], ids=["atomic", "sorted"])
def deterministic(request: pytest.FixtureRequest) -> Iterator[bool]:
    gg.use_deterministic_algorithms(request.param)
    yield request.param
    gg.use_deterministic_algorithms(False)


def on_gpu(key: Any) -> Any:
    if isinstance(key, tuple):
        return tuple(map(on_gpu, key))
    return cupy.asarray(key) if isinstance(key, np.ndarray) else key


def wrapped(key: Any, shape: tuple[int, ...]) -> Any:
    """The key with its out-of-range index as NumPy takes it, where it is one of rows of `shape`."""
    return (key[0] % shape[0], *key[1:]) if isinstance(key[0], np.ndarray) and key[0].max(initial=0) == 9 else key


def added(values: Any, key: Any, shape: tuple[int, ...]) -> Any:
    out = np.zeros(shape, np.complex128 if values.dtype.kind == "c" else np.float64)
    np.add.at(out, wrapped(key, shape), values.astype(out.dtype))
    return out


def integers(shape: tuple[int, ...], dtype: Any) -> Any:
    """Small integers, of which sums are exact in every dtype."""
    rng = np.random.default_rng(0)
    values = rng.integers(-4, 5, shape)
    return (values + 1j * values[::-1] if dtype.kind == "c" else values).astype(dtype)


def check(values: Any, key: Any, shape: tuple[int, ...]) -> None:
    found = scatter.scatter_add(values, on_gpu(key), shape, False)
    assert found.dtype == values.dtype and found.shape == shape
    expected = added(values.get(), key, shape)
    np.testing.assert_array_equal(found.get().astype(expected.dtype), expected)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ((ROWS,), (4,)),
        ((ROWS,), (4, 5)),  # rows that begin anywhere
        ((ROWS.astype(np.int32),), (4, 2, 8)),  # 16 bytes at a time
        ((abs(ROWS).astype(np.uint8),), (4, 3)),
        ((ROWS[:0],), (4, 5)),
        ((ROWS,), (4, 0)),
        ((np.zeros((2, 0), int),), (0, 3)),
    ],
    ids=str,
)
def test_rows_are_added(key: Any, shape: tuple[int, ...], dtype: Any) -> None:
    check(cupy.asarray(integers(np.zeros(shape)[wrapped(key, shape)].shape, dtype)), key, shape)


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ((ALL, ROWS[:6]), (4, 3, 6)),
        ((0, ROWS[:6]), (2, 3, 5)),
        ((ROWS[:6], 0), (3, 2, 5)),
        ((ROWS[:6], ALL, ROWS[:6]), (3, 4, 5)),  # the axes of the arrays come first
        ((0, ALL, ROWS[:6]), (2, 3, 5)),
        ((ROWS[:6, None], ROWS[None, :6]), (3, 5)),
        ((..., ROWS[:6]), (2, 3, 4)),
        ((slice(1, None, 2), ROWS[:6], slice(0, 2)), (5, 4, 3)),
        ((ROWS[:6], slice(None, None, -1)), (3, 4)),
        ((None, ROWS[:6], None), (3, 4)),
        ((np.array([[True, False, True], [True, True, False]]), ROWS[:4]), (2, 3, 4)),
        ((np.array(2),), (4, 3)),
        ((slice(0, 0), ROWS[:6]), (4, 3)),
        (ROWS[:6], (3, 4)),
    ],
    ids=str,
)
def test_every_kind_of_index_is_one_of_rows(key: Any, shape: tuple[int, ...]) -> None:
    check(cupy.asarray(integers(np.zeros(shape)[key].shape, np.dtype("float32"))), key, shape)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_16_byte_loads_find_every_beginning_and_end(dtype: Any) -> None:
    for start in range(5):
        values = cupy.asarray(integers((75 + start,), dtype))[start:]
        check(values, (np.arange(75) % 7,), (7,))
        check(values.reshape(25, 3), (np.arange(25) % 4,), (4, 3))


def test_an_index_into_nothing_raises_before_any_kernel() -> None:
    """A kernel would read behind the empty list of rows, which ends the process's use of a GPU."""
    for key in ((ROWS,), (np.zeros((2, 3), int), slice(None))):
        values = cupy.asarray(np.ones(np.zeros((10, 4))[key].shape, np.float32))
        with pytest.raises(IndexError, match=r"of an array of shape \(0, 4\)"):
            scatter.scatter_add(values, on_gpu(key), (0, 4), False)


def test_values_of_any_strides_and_values_that_broadcast() -> None:
    check(cupy.asarray(np.array(1 + 2j)), (np.array(2),), (4,))
    values = cupy.asarray(integers((5, 7), np.dtype("float64")))
    for strided in (values.T, values.T[::-1], values.T[:, ::2], cupy.broadcast_to(values[:, 0][None, :], (7, 5))):
        check(strided, (ROWS,), (4, strided.shape[1]))
    found = scatter.scatter_add(cupy.asarray(2.0), on_gpu((ROWS,)), (4, 2), False)
    np.testing.assert_array_equal(found.get(), 2.0 * np.array([[2, 2], [2, 2], [2, 2], [1, 1]]))


@pytest.mark.parametrize("length", [1, 3, 4])
def test_many_rows_for_one_index(length: int) -> None:
    """Several levels of the sum: 2500 rows, of which 2000 neighbours are one row's; and all of them."""
    for index in (
        np.repeat([0, 5, 3, 5, 6], [100, 200, 2000, 199, 1]),
        np.full(2500, 1),
        np.arange(2500) // 64,
        np.arange(2500),
    ):
        shape = (int(index.max()) + 1, length)
        check(cupy.asarray(integers((2500, length), np.dtype("float32"))), (index,), shape)


def test_sums_of_16_bit_numbers_are_rounded_once() -> None:
    for dtype in (np.dtype("float16"), np.dtype(ml_dtypes.bfloat16)):
        ones = cupy.asarray(np.ones((4096, 1), dtype))
        assert float(scatter.scatter_add(ones, cupy.zeros(4096, np.int64), (1, 1), False).get()[0, 0]) == 4096


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d.kind != "c"], ids=str)
def test_places_of_64_bits(dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "NARROW", 3)
    check(cupy.asarray(integers((7, 5), dtype)), (ROWS,), (4, 5))
    check(cupy.asarray(integers((7, 8), dtype)), (ROWS.astype(np.int32),), (4, 8))


@settings(max_examples=25)
@given(st.data())
def test_any_shapes(data: Any) -> None:
    rows, count, length = data.draw(st.tuples(st.integers(1, 9), st.integers(0, 200), st.integers(0, 9)))
    index = np.array(data.draw(st.lists(st.integers(-rows, rows - 1), min_size=count, max_size=count)), int)
    values = integers((count, length), np.dtype(data.draw(st.sampled_from(["float32", "float64"]))))
    check(cupy.asarray(values), (index,), (rows, length))


def test_sorted_sums_have_the_same_bits_in_every_run(deterministic: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    values, index = cupy.asarray(rng.normal(size=(3000, 3)).astype(np.float32)), rng.integers(0, 4, 3000)
    found = []
    for order in ("forward", "backward", "7"):  # of the threads of the stand-in; on a GPU no run is like another
        monkeypatch.setenv("GPUGRAD_STANDIN_ORDER", order)
        found.append(scatter.scatter_add(values, cupy.asarray(index), (4, 3), False).get())
    np.testing.assert_allclose(found[0], added(values.get(), (index,), (4, 3)), rtol=1e-4, atol=1e-4)
    if deterministic:
        assert all(np.array_equal(found[0], again) for again in found)
    elif STANDIN:
        assert not np.array_equal(found[0], found[1])  # so that the lines above can fail


@pytest.mark.skipif(not STANDIN, reason="only the stand-in counts")
def test_nothing_waits_for_the_gpu() -> None:
    table = gg.tensor(np.ones((4, 3)), device="cuda", requires_grad=True)
    rows = cupy.asarray(ROWS[:4])
    with cupy.standin.counting() as seen:
        gg.sum(F.embedding(rows, table, 0, scale_grad_by_freq=True)).backward()
        gg.sum(table[rows, rows[:, None] % 3]).backward()
    assert seen.host_reads == 0, seen.reads


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gradients_use_it(dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend.cupyx, "scatter_add", None)  # CuPy's way would fail
    x = gg.asarray(cupy.asarray(integers((4, 3), dtype))).requires_grad_()
    out = gg.take(x, cupy.asarray(ROWS[:4]), axis=0)
    (g,) = gg.gradients([out], [x], [gg.asarray(cupy.ones((4, 3), dtype))])
    assert g.array.get()[:, 0].astype(np.complex128).tolist() == [1, 0, 2, 1]


def test_what_it_does_not_take() -> None:
    index = cupy.asarray(ROWS[:3])
    assert scatter.scatter_add(cupy.ones(3, np.int64), (index,), (4,), False) is NotImplemented
    assert scatter.scatter_add(cupy.ones(3), (index,), (4,), True) is NotImplemented
    assert scatter.scatter_add(cupy.ones(3), (True, index), (4,), False) is NotImplemented
    assert scatter.put(cupy.ones(3), 0.0, 1) is NotImplemented


def test_without_a_kernel_there_is_no_deterministic_way(deterministic: bool, caplog: pytest.LogCaptureFixture) -> None:
    otherwise = backend.SPELLINGS["scatter_add"]
    values, key = cupy.ones(3), (cupy.asarray(ROWS[:3]),)
    if deterministic:
        with pytest.raises(DeterminismError, match=r"^scatter_add: there is no deterministic way .*; with warn_only=True"):
            otherwise(values, key, (4,), False)
        otherwise(cupy.ones(3, np.int32), key, (4,), False)  # integers add up to the same in any order
        gg.use_deterministic_algorithms(True, warn_only=True)
        assert gg.is_deterministic_algorithms_warn_only_enabled()
    with caplog.at_level(logging.WARNING, "gpugrad"):
        assert otherwise(values, key, (4,), False).get().tolist() == [1, 0, 2, 0]
    assert ("no deterministic way" in caplog.text) == deterministic
    assert gg.are_deterministic_algorithms_enabled() == deterministic


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (np.arange(6.0), (ROWS[:6], np.array([1, 0, 0, 1, 1, 0]))),
        (np.arange(12.0).reshape(6, 2), (ROWS[:6],)),
        (np.array(7.0), (ROWS[:6],)),
        (np.arange(0.0), (ROWS[:0], 1)),
    ],
    ids=str,
)
def test_put_stores_the_last_value(value: Any, key: Any, deterministic: bool) -> None:
    x = np.full((3, 2), -1.0)
    given_x = cupy.asarray(x)
    if not deterministic:  # a GPU stores any of the values
        assert scatter.put(given_x, cupy.asarray(value), on_gpu(key)) is NotImplemented
        return
    found = gg.ops.indexing.put(given_x, cupy.asarray(value), on_gpu(key))
    expected = x.copy()
    for place, v in zip(
        np.arange(6).reshape(3, 2)[key].reshape(-1), np.broadcast_to(value, x[key].shape).reshape(-1), strict=True
    ):
        expected.reshape(-1)[place] = v
    np.testing.assert_array_equal(found.get(), expected)
    np.testing.assert_array_equal(given_x.get(), x)
