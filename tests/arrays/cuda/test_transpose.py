"""The kernels of transpose.cu against numpy.ascontiguousarray."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gpugrad as gg
from gpugrad.arrays.devices import import_cupy
from gpugrad.families import REGISTRY

if not gg.cuda.is_available():
    pytest.skip("CuPy: there is no GPU here; GPUGRAD_TEST_STANDIN=1 runs these on a stand-in", allow_module_level=True)

cupy = import_cupy()
from gpugrad.arrays.cuda import modules, transpose  # noqa: E402  (imports CuPy)

try:
    modules.function("transpose.cu", "transpose_tiles", BYTES=4, GROUP=1)
except modules.CompilationError as error:
    pytest.skip(f"{error} does not compile here: {modules.failures[str(error)]}", allow_module_level=True)

STANDIN = hasattr(cupy, "standin")
DTYPES = ["uint8", "int16", "float32", "complex64", "complex128"]  # of 1, 2, 4, 8 and 16 bytes

# Shapes, permutations and what takes them, with sizes that are no multiples of a tile or of a group.
LAYOUTS = [
    ((70, 45), (1, 0)),
    ((64, 132), (1, 0)),  # in groups of 2 and 4 elements
    ((3, 33, 130), (0, 2, 1)),
    ((40, 5, 50), (2, 1, 0)),  # the batch between the two axes
    ((2, 17, 3, 40), (2, 3, 0, 1)),
    ((2, 3, 40, 36), (1, 0, 3, 2)),  # a batch of two axes
    ((300, 3, 3), (0, 2, 1)),  # small matrices
    ((5, 31, 32), (0, 2, 1)),
    ((3, 2500), (1, 0)),  # narrow ones
    ((2500, 3), (1, 0)),
    ((2, 7, 900), (0, 2, 1)),
]


def values(shape: tuple[int, ...], dtype: str = "float32") -> Any:
    return np.random.default_rng(0).integers(0, 100, shape).astype(dtype)


def check(x: Any, expected: Any) -> None:
    """A copy by our kernel, equal and contiguous."""
    found = transpose.copy(x)
    assert found is not NotImplemented and found.flags.c_contiguous and found.dtype == x.dtype
    np.testing.assert_array_equal(found.get(), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "axes"), LAYOUTS, ids=str)
def test_batches_of_matrices(shape: tuple[int, ...], axes: tuple[int, ...], dtype: str) -> None:
    x = values(shape, dtype)
    check(cupy.asarray(x).transpose(axes), x.transpose(axes))


@pytest.mark.parametrize("key", [np.s_[1:, 1:], np.s_[:64, :64], np.s_[:64, 2:66], np.s_[::2, :64], np.s_[:20, 3:9]], ids=str)
@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_parts_of_a_matrix(key: Any, dtype: str) -> None:
    x = values((132, 70), dtype)
    check(cupy.asarray(x)[key].T, x[key].T)


@pytest.mark.parametrize("dtype", DTYPES)
def test_places_of_64_bits(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "NARROW", 3)
    for shape, axes in LAYOUTS[1:2] + LAYOUTS[6:7]:
        x = values(shape, dtype)
        check(cupy.asarray(x).transpose(axes), x.transpose(axes))


@pytest.mark.parametrize("order", ["backward", "3"])
def test_threads_in_any_order(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUGRAD_STANDIN_ORDER", order)  # of the stand-in; a barrier that is missing would show
    for shape, axes in LAYOUTS:
        x = values(shape)
        check(cupy.asarray(x).transpose(axes), x.transpose(axes))


def test_the_second_panel_of_a_block_waits_for_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "blocks", lambda count, per_block: 1)
    for shape, axes in LAYOUTS:
        x = values(shape)
        check(cupy.asarray(x).transpose(axes), x.transpose(axes))


@settings(max_examples=40)
@given(st.data())
def test_any_axes(data: Any) -> None:
    shape = data.draw(st.lists(st.integers(0, 9), min_size=1, max_size=5))
    x = values(tuple(shape))
    steps = tuple(slice(None, None, data.draw(st.sampled_from([1, 1, 1, 2, -1]))) for _ in shape)
    axes = data.draw(st.permutations(range(len(shape))))
    given_x, permuted = cupy.asarray(x)[steps].transpose(axes), x[steps].transpose(axes)
    found = transpose.contiguous(given_x)
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found.get(), permuted)
    np.testing.assert_array_equal(REGISTRY["copy"](given_x).get(), permuted)


def test_a_contiguous_array_is_returned_as_it_is() -> None:
    x = cupy.ones((3, 4))
    assert transpose.contiguous(x) is x
    assert transpose.copy(x) is NotImplemented


def test_what_cupy_copies() -> None:
    x = cupy.ones((4, 5, 6, 7))
    assert transpose.copy(x.transpose(0, 2, 1, 3)) is NotImplemented  # rows stay rows
    assert transpose.copy(x[:, ::-1, 0, 0].T) is NotImplemented
    assert transpose.copy(cupy.broadcast_to(x[0, 0, 0], (3, 7)).T) is NotImplemented
    assert transpose.copy(x.view("float32")[..., ::2].T) is NotImplemented  # no axis is contiguous
    assert (
        transpose.copy(cupy.ones((3, 5), "float32")[:, 1:].T[:2].T.view("complex64").T) is NotImplemented
    )  # steps of 20 bytes


RESHAPES = [(-1,), (12, 10), (10, 12), (2, 3, 4, 5), (5, 4, 3, 2), (4, 6, 5), (6, 20), (120,), (1, 5, 1, 24), (8, 15)]


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))), ids=str)
def test_reshape_copies_where_numpy_does(axes: tuple[int, ...]) -> None:
    x = values((4, 5, 6))
    given_x = cupy.asarray(x)
    for shape in RESHAPES:
        expected = x.transpose(axes).reshape(shape)
        copied = not np.shares_memory(x, expected)
        found = transpose.reshape(given_x.transpose(axes), shape)
        if not copied:
            assert found is NotImplemented
        elif found is not NotImplemented:
            np.testing.assert_array_equal(found.get(), expected)
        np.testing.assert_array_equal(gg.reshape(given_x.transpose(axes), shape).get(), expected)


def test_reshape_with_copy() -> None:
    x = values((40, 30))
    given_x = cupy.asarray(x).T
    assert transpose.reshape(given_x, (30, 2, 20), copy=False) is NotImplemented
    assert transpose.reshape(given_x, (30, 2, 20)) is NotImplemented  # a view
    np.testing.assert_array_equal(transpose.reshape(given_x, (30, 2, 20), copy=True).get(), x.T.reshape(30, 2, 20))
    with pytest.raises(gg.ShapeError):
        gg.reshape(given_x, (7, 7))


@pytest.mark.skipif(not STANDIN, reason="only the stand-in counts launches")
def test_a_transposed_reshape_is_one_kernel() -> None:
    x = gg.asarray(cupy.ones((30, 40)))
    with cupy.standin.counting() as seen:
        gg.reshape(gg.matrix_transpose(x), (-1,))
    assert (seen.kernel_launches, seen.host_reads) == (1, 0)


def test_where_the_kernel_does_not_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*arguments: Any, **options: Any) -> Any:
        raise modules.CompilationError("transpose.cu")

    monkeypatch.setitem(modules.failures, "transpose.cu", "log")
    monkeypatch.setattr(modules, "function", missing)
    x = values((40, 30))
    np.testing.assert_array_equal(transpose.contiguous(cupy.asarray(x).T).get(), x.T)
