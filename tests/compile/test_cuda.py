"""Kernels on CuPy arrays compute what the functions compute in float64.

Runs where there is a GPU, and with GPUGRAD_TEST_STANDIN=1 on the stand-in for CuPy, where every thread of a kernel runs on the CPU.
"""

from __future__ import annotations

import importlib
import types
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from backends import CUPY, WITHOUT_CUPY
from hypothesis import given, settings
from hypothesis import strategies as st

import gpugrad as gg
from gpugrad.arrays.devices import import_cupy
from gpugrad.compile import layout
from gpugrad.compile.compiled import Compiled
from gpugrad.errors import UntraceableError

if not CUPY.available:
    pytest.skip(WITHOUT_CUPY, allow_module_level=True)

cupy = import_cupy()
cuda = importlib.import_module("gpugrad.compile.cuda")  # it imports CuPy
launches = importlib.import_module("gpugrad.compile.launches")
modules = importlib.import_module("gpugrad.arrays.cuda.modules")
softmax_module = importlib.import_module("gpugrad.nn.functional.softmax")  # hidden behind the functions of the same names
dropout_module = importlib.import_module("gpugrad.nn.functional.dropout")
loss_module = importlib.import_module("gpugrad.nn.functional.loss")

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
TOLERANCES = {"float16": 2e-3, "bfloat16": 2e-2, "float32": 5e-6, "float64": 1e-12}
SIZES = (1, 2, 3, 31, 32, 33, 127, 128, 129, 255, 257, 1023, 1024, 1025)
RNG = np.random.default_rng(7)


def random(*shape: int, dtype: Any = "float32") -> Any:
    return RNG.standard_normal(shape).astype(dtype)


def as_tuple(x: Any) -> tuple[Any, ...]:
    return x if isinstance(x, tuple) else (x,)


def kernels_of(function: Callable[..., Any], **settings: Any) -> Compiled:
    """The function compiled, refusing to run as it is."""

    def refused(*args: Any, **options: Any) -> Any:
        raise AssertionError("the function itself ran, not kernels")

    return Compiled(function, strict=True, otherwise=refused, **settings)


def wide(x: Any) -> Any:
    """A floating-point array in float64, as NumPy's; all else as it is."""
    return x.astype("float64") if hasattr(x, "dtype") and (x.dtype.kind == "f" or x.dtype == BFLOAT16) else x


def assert_runs(
    function: Callable[..., Any], *args: Any, tolerance: float | None = None, exact: bool = False, **options: Any
) -> Compiled:
    """The function has kernels, and on the GPU they give for NumPy arguments what the function gives in float64."""
    compiled = kernels_of(function)
    assert_agrees(compiled, function, [cupy.asarray(x) if hasattr(x, "dtype") else x for x in args], tolerance, exact, options)
    return compiled


def assert_agrees(
    compiled: Compiled,
    function: Callable[..., Any],
    on_gpu: list[Any],
    tolerance: float | None = None,
    exact: bool = False,
    options: Any = None,
) -> None:
    """Kernels of arguments on the GPU give what the function gives in float64, in new arrays."""
    before = [x.get() if hasattr(x, "get") else x for x in on_gpu]
    got = as_tuple(compiled(*on_gpu, **(options or {})))
    expected = as_tuple(function(*map(wide, before), **(options or {})))
    assert len(got) == len(expected)
    for x, y in zip(got, expected, strict=True):
        assert type(x) is cupy.ndarray
        assert x.shape == y.shape
        if exact or x.dtype.kind in "biu":
            np.testing.assert_array_equal(x.get(), y)
            continue
        limit = tolerance or TOLERANCES[x.dtype.name]
        np.testing.assert_allclose(wide(x.get()), wide(np.asarray(y)), rtol=limit, atol=limit)
    for x, y in zip(on_gpu, before, strict=True):
        if hasattr(x, "get"):
            np.testing.assert_array_equal(x.get(), y, err_msg="an argument was written")


# Functions ----------------------------------------------------------------------------------------------------------


def gelu(x: Any) -> Any:
    return 0.5 * x * (1 + gg.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))


def bias(x: Any, b: Any) -> Any:
    return gg.maximum(x + b, 0) * x


def outer(x: Any, y: Any) -> Any:
    return x[:, None] * gg.exp(y)


def transposed(x: Any) -> Any:
    return gg.permute_dims(x, (1, 0)) * 2 + 1


def softmax(x: Any) -> Any:
    return softmax_module._softmax.definition(x, -1)


def logsumexp(x: Any) -> Any:
    top = gg.max(x, axis=-1, keepdims=True)
    return gg.log(gg.sum(gg.exp(x - top), axis=-1)) + top[..., 0]


def layer_norm(x: Any, w: Any, b: Any) -> Any:
    centred = x - gg.mean(x, axis=-1, keepdims=True)
    return centred / gg.sqrt(gg.mean(centred * centred, axis=-1, keepdims=True) + 1e-5) * w + b


def batch_norm(x: Any) -> Any:
    centred = x - gg.mean(x, axis=0)
    return centred / gg.sqrt(gg.mean(centred * centred, axis=0) + 1e-5)


def channel_norm(x: Any) -> Any:
    centred = x - gg.mean(x, axis=(0, 2), keepdims=True)
    return centred / gg.sqrt(gg.mean(centred * centred, axis=(0, 2), keepdims=True) + 1e-5)


def cross_entropy(x: Any, target: Any) -> Any:
    return loss_module._cross_entropy.definition(x, target, ignore_index=-100, reduction="mean", label_smoothing=0.1)


def several(x: Any) -> Any:
    return gg.max(x, axis=0), gg.exp(x), gg.min(x, axis=1), gg.mean(x), gg.sum(x, axis=(0, 1), keepdims=True)


# Forms --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", BFLOAT16, "float32", "float64"], ids=str)
@pytest.mark.parametrize("size", SIZES)
def test_flat_maps(size: int, dtype: Any) -> None:
    assert_runs(lambda x, y: gg.exp(x) * y + 0.5, random(size, dtype=dtype), random(size, dtype=dtype))


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (5, 1), (1, 5), (3, 4, 5)])
def test_maps_of_any_rank(shape: tuple[int, ...]) -> None:
    assert_runs(gelu, random(*shape))


@pytest.mark.parametrize("columns", [1, 3, 4, 8, 33])
def test_broadcasting(columns: int) -> None:
    x = random(7, columns)
    assert_runs(bias, x, random(columns))
    assert_runs(bias, x, random(7, 1))
    assert_runs(lambda x, k: x * k - 1, x, 2.5)
    assert_runs(lambda x, k: x * k - 1, x, random())
    assert_runs(outer, random(7), random(columns))
    assert_runs(transposed, x)
    assert_runs(lambda x, y: x + y, random(2, 1, columns), random(5, 1))


def test_one_program_serves_all_sizes() -> None:
    compiled = kernels_of(layer_norm)
    for rows, columns in [(2, 3), (5, 8), (7, 1030), (300, 64), (3, 9000)]:
        args = [cupy.asarray(x) for x in (random(rows, columns), random(columns), random(columns))]
        assert_agrees(compiled, layer_norm, args)
    assert sum(map(len, compiled.programs.values())) == 1


@pytest.mark.parametrize("columns", [8, 64, 67])
@pytest.mark.parametrize("start", [0, 1, 2, 3])
def test_strided_and_misaligned_inputs(start: int, columns: int) -> None:
    whole = cupy.asarray(random(12, 140))
    flat = cupy.asarray(random(600))
    for view in (
        whole[:, start : start + columns],
        whole[::-2, start : start + columns],
        whole[:6, start : start + 2 * columns : 2],
    ):
        assert_agrees(kernels_of(softmax), softmax, [view])
        assert_agrees(kernels_of(batch_norm), batch_norm, [view], tolerance=1e-5)
        assert_agrees(kernels_of(gelu), gelu, [view])
        assert_agrees(kernels_of(bias), bias, [view, flat[start : start + columns]])
    view = flat[start : start + 8 * columns].reshape(8, columns)
    for function in (gelu, softmax, logsumexp):
        assert_agrees(kernels_of(function), function, [view])
    assert_agrees(kernels_of(gelu), gelu, [flat[start : start + 301]])
    assert_agrees(kernels_of(gg.sum), gg.sum, [flat[start : start + 301]], tolerance=1e-4)
    assert_agrees(kernels_of(transposed), transposed, [whole.T])


@pytest.mark.parametrize("dtype", ["float16", BFLOAT16, "float32", "float64"], ids=str)
@pytest.mark.parametrize("columns", SIZES)
def test_rows(columns: int, dtype: Any) -> None:
    x = random(5, columns, dtype=dtype)
    assert_runs(softmax, x)
    assert_runs(logsumexp, x)
    assert_runs(lambda x: (gg.max(x, axis=1), gg.min(x, axis=-1, keepdims=True)), x, exact=True)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 31, 127, 128, 129, 1100])
def test_any_number_of_rows(rows: int) -> None:
    assert_runs(softmax, random(rows, 5))
    assert_runs(layer_norm, random(rows, 40), random(40), random(40))


@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("columns", [1, 3, 8, 31, 65])
def test_columns(rows: int, columns: int) -> None:
    x = random(rows, columns)
    assert_runs(batch_norm, x, tolerance=2e-5)
    assert_runs(lambda x: (gg.sum(x, axis=0), gg.max(x, axis=0)), x, tolerance=1e-4)


def test_columns_within_further_axes() -> None:
    x = random(3, 17, 5)
    assert_runs(lambda x: x - gg.mean(x, axis=1, keepdims=True), x)
    assert_runs(lambda x: gg.sum(x, axis=(0, 1)), x, tolerance=1e-5)
    assert_runs(channel_norm, x)
    assert_runs(channel_norm, random(4, 3, 64))


@pytest.mark.parametrize("shape", [(1,), (33,), (1000,), (8191,), (8192,), (8193,), (50_001,), (7, 3001), (90, 100)])
def test_full_reductions(shape: tuple[int, ...]) -> None:
    x = random(*shape)
    assert_runs(gg.sum, x, tolerance=2e-4)
    assert_runs(lambda x: (gg.max(x), gg.sum(x * x), gg.mean(x)), x, tolerance=2e-5)
    assert_runs(lambda x: x / gg.sqrt(gg.sum(x * x)), x)
    assert_runs(lambda x: gg.sum(gg.permute_dims(x, tuple(reversed(range(x.ndim)))) + 1), x, tolerance=2e-4)


@pytest.mark.parametrize(("rows", "columns"), [(2, 20_000), (9000, 3), (5000, 40), (1, 9001)])
def test_split_reductions(rows: int, columns: int) -> None:
    x = random(rows, columns)
    assert_runs(lambda x: gg.sum(x, axis=0) + 1, x, tolerance=1e-4)
    assert_runs(lambda x: (gg.sum(x, axis=1), gg.max(x, axis=1)), x, tolerance=2e-4)
    assert launches.launch("row", 2, 1, 20_000, 4, True).parts > 1
    assert launches.launch("column", 1, 3, 9000, 1, True).parts > 1


def test_cross_entropy() -> None:
    target = RNG.integers(0, 10, 65)
    target[::7] = -100
    assert_runs(cross_entropy, random(65, 10), target)


def test_several_results() -> None:
    assert_runs(several, random(65, 33), tolerance=1e-4)
    assert_runs(several, random(2, 2), tolerance=1e-4)


def test_calls_between_kernels() -> None:
    assert_runs(lambda x, y: gg.exp(gg.matmul(x, y) * 0.1), random(6, 7), random(7, 5))


# Dtypes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
@pytest.mark.parametrize("shape", [(5,), (3, 33), (70, 5)])
def test_integers_and_booleans(dtype: str, shape: tuple[int, ...]) -> None:
    x = RNG.integers(0, 2 if dtype == "bool" else 100, shape).astype(dtype)
    assert_runs(lambda x: (gg.any(x, axis=0), gg.all(x), gg.any(x, axis=-1)), x, exact=True)
    assert_runs(
        lambda x: (gg.sum(x), gg.sum(x, axis=0), gg.sum(x, axis=-1), gg.prod(x % 3 + 1 if x.dtype != bool else x)),
        x,
        exact=True,
    )
    if dtype != "bool":
        assert_runs(lambda x: (gg.max(x, axis=0), gg.min(x, axis=-1), gg.max(x), x // 7 + x % 5), x, exact=True)


def test_results_of_narrower_dtypes() -> None:
    x = random(67, 12)
    assert_runs(lambda x: (x > 0, gg.exp(x)), x)
    assert_runs(lambda x: gg.astype(x, "float16"), x)
    assert_runs(lambda x: gg.astype(x > 0, "int8"), x, exact=True)
    assert_runs(lambda x, y: x + y, random(67, 12, dtype="float16"), x)


def test_bfloat16_is_rounded_when_stored() -> None:
    ones = np.ones(10_000, BFLOAT16)
    assert_agrees(kernels_of(gg.sum), gg.sum, [cupy.asarray(ones)], tolerance=4e-3)  # summed in bfloat16 it would be 256


@pytest.mark.parametrize("shape", [(5, 40), (40, 5), (20_000,)])
def test_nan_and_infinity_propagate(shape: tuple[int, ...]) -> None:
    x = random(*shape)
    x.flat[7] = np.nan
    x.flat[-1] = np.inf
    functions = [
        gg.max,
        gg.min,
        lambda x: gg.max(x, axis=0),
        lambda x: gg.min(x, axis=-1),
        lambda x: (gg.isnan(x), gg.isinf(x)),
    ]
    for function in functions:
        assert_runs(function, x, exact=True)


@pytest.mark.parametrize(
    "name", ["exp", "log", "expm1", "log1p", "sin", "cos", "tan", "tanh", "sqrt", "abs", "floor", "ceil", "round", "sign"]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_functions(name: str, dtype: str) -> None:
    function = getattr(gg, name)
    assert_runs(lambda x: function(x), np.abs(random(50, dtype=dtype)) + 0.25)


@pytest.mark.parametrize(
    "name", ["logaddexp", "hypot", "atan2", "pow", "remainder", "floor_divide", "maximum", "minimum", "copysign"]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_functions_of_two(name: str, dtype: str) -> None:
    function = getattr(gg, name)
    x, y = np.abs(random(50, dtype=dtype)) + 0.5, random(50, dtype=dtype) + 3
    assert_runs(lambda x, y: function(x, y), x, y)


# The rest -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [5, 64, 1031])
@pytest.mark.parametrize("start", [0, 1])
def test_results_in_place(size: int, start: int) -> None:
    def momentum(p: Any, v: Any, g: Any, rate: float) -> Any:
        new = 0.9 * v + g
        return p - rate * new, new

    compiled = kernels_of(momentum, into={0: 0, 1: 1})
    p, v, g = (cupy.asarray(random(size + 1))[start : start + size] for _ in range(3))
    expected = momentum(p.get().astype("f8"), v.get().astype("f8"), g.get().astype("f8"), 0.25)
    results = compiled(p, v, g, 0.25)
    assert results[0] is p
    assert results[1] is v
    np.testing.assert_allclose(p.get(), expected[0], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(v.get(), expected[1], rtol=1e-6, atol=1e-6)


def test_results_that_swap_places() -> None:
    x, y = random(13), random(13)
    p, q = cupy.asarray(x), cupy.asarray(y)
    kernels_of(lambda p, q: (2 * p, 3 * q), into={0: 1, 1: 0})(p, q)
    np.testing.assert_array_equal(q.get(), 2 * x)
    np.testing.assert_array_equal(p.get(), 3 * y)


@pytest.mark.parametrize("columns", [12, 13])
def test_slices(columns: int) -> None:
    x = random(9, columns)
    assert_runs(lambda x: x[:, :4] * 2, x, exact=True)
    assert_runs(lambda x: x[:, 4:8] + x[:, 0:4], x)
    assert_runs(lambda x: x[1:, :] - x[:-1, :], x)
    assert_runs(lambda x: x[2, :] * x[3, :], x)
    assert_runs(lambda x: softmax(x[:, :8]), x)
    assert_runs(lambda x: gg.sum(x[::2, 1:], axis=0), x, tolerance=1e-5)


@pytest.mark.skipif(gg.cuda.device_count() < 2, reason="needs two GPUs")
def test_kernels_run_where_their_arguments_are() -> None:
    compiled = kernels_of(several)
    before = cupy.cuda.Device().id
    for device in (1, 0, 1):
        with cupy.cuda.Device(device):
            x = cupy.asarray(random(20, 5))
        assert {y.device.id for y in compiled(x)} == {device}
        assert_agrees(compiled, several, [x], tolerance=1e-5)
    assert cupy.cuda.Device().id == before


def test_gathered_elements() -> None:
    table, rows = random(20, 8), RNG.integers(0, 20, 33)
    assert_runs(lambda t, i: gg.take(t, i, axis=0) * 2, table, rows)
    assert_runs(lambda t, i: gg.take_along_axis(t, i, axis=1), table, RNG.integers(0, 8, (20, 3)))


@pytest.mark.parametrize("shape", [(1,), (37,), (1024,), (7, 8), (7, 10), (3, 16, 2), (70, 40)])
@pytest.mark.parametrize(("threshold", "width"), [(3 * 2.0**30, 32), (2.0**62, 64)])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_random_bits_are_those_of_the_generator(shape: tuple[int, ...], threshold: float, width: int, dtype: str) -> None:
    state = np.array([3, 5, 2**64 - 2, 2**64 - 1, 7, 0], "uint64")  # counters carry

    def dropped(x: Any, state: Any) -> Any:
        return dropout_module._dropout.definition(x, state, threshold, width, 2.0)

    x = np.abs(random(*shape, dtype=dtype)) + np.asarray(1, dtype)
    assert_runs(dropped, x, state, exact=True)
    assert_runs(lambda x, state: gg.sum(dropped(x, state), axis=-1), x, state, tolerance=4e-3 if dtype == "float16" else 1e-5)
    assert_runs(lambda x, state: gg.sum(dropped(x, state), axis=0), x, state, tolerance=4e-3 if dtype == "float16" else 1e-5)
    assert_runs(lambda x, state: dropped(gg.permute_dims(x, tuple(range(x.ndim))[::-1]), state), x, state, exact=True)


@pytest.mark.parametrize("columns", [8, 16, 64, 67])
@pytest.mark.parametrize("width", [32, 64])
def test_random_bits_of_a_part_of_each_row(columns: int, width: int) -> None:
    state = np.array([3, 5, 7, 11, 7, 0], "uint64")

    def beginnings(x: Any, state: Any) -> Any:
        return dropout_module._dropout.definition(x, state, 2.0 ** (width - 1), width, 2.0)[:, :columns]

    def pieces(x: Any, state: Any) -> Any:
        return gg.concat([beginnings(x, state), x], axis=1)

    x = np.abs(random(6, 80)) + np.float32(1)
    assert_runs(beginnings, x, state, exact=True)
    assert_runs(pieces, x, state, exact=True)


def test_wide_places_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "NARROW", 0)
    for function in (gelu, softmax, several, channel_norm):
        assert_runs(function, random(*((3, 40, 5) if function is channel_norm else (12, 33))), tolerance=1e-5)


def test_long_arrays_have_wide_places() -> None:
    compiled = kernels_of(gelu)
    compiled(cupy.asarray(random(3)))
    ((_, program),) = next(iter(compiled.programs.values()))
    (x,) = program.outputs
    assert not cuda._wide([x], (2**30,), {})
    assert cuda._wide([x], (2**30 + 1,), {})
    assert cuda._wide([x], (3,), {x.number: (-(2**30),)})


def test_long_loops_over_short_arrays_have_wide_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "NARROW", 1000)
    chosen: list[bool] = []
    module = cuda.Library._module
    monkeypatch.setattr(cuda.Library, "_module", lambda library, wide: (chosen.append(wide), module(library, wide))[1])
    for function, sizes, wide in (
        (lambda x, y: gg.sum(gg.abs(x - y)), (40, 40), True),  # one loop of 1600
        (lambda x, y: gg.sum(gg.abs(x - y), axis=1), (40, 40), True),  # 40 of 40
        (lambda x, y: gg.sum(gg.abs(x - y)), (20, 20), False),
    ):
        chosen.clear()
        assert_runs(function, random(sizes[0], 1), random(1, sizes[1]), tolerance=1e-5)
        assert (True in chosen) is wide


@given(
    shape=st.lists(st.integers(1, 40), min_size=1, max_size=3).map(tuple),
    data=st.data(),
    dtype=st.sampled_from(["float16", "float32", "float64"]),
)
@settings(max_examples=30)
def test_reductions_over_any_axes(shape: tuple[int, ...], data: st.DataObject, dtype: str) -> None:
    axes = tuple(data.draw(st.sets(st.sampled_from(range(len(shape))), min_size=1)))
    x = np.random.default_rng(len(shape)).standard_normal(shape).astype(dtype)
    assert_runs(lambda x: gg.sum(x, axis=axes), x, tolerance=2e-2 if dtype == "float16" else 1e-4)
    assert_runs(lambda x: x - gg.max(x, axis=axes, keepdims=True), x)


def test_what_programs_ask_of_arrays() -> None:
    assert layout.strides(cupy.zeros((3, 4), "float32")[:, ::2]) == (4, 2)
    with pytest.raises(UntraceableError, match="lie between"):
        layout.strides(types.SimpleNamespace(itemsize=4, strides=(6,)))  # no CuPy array that can be made here is like that
    assert type(cuda.uploaded(np.ones(3))) is cupy.ndarray
    view = cupy.zeros((3, 4))
    assert cuda.as_contiguous(view) is view
    assert layout.contiguous(cuda.as_contiguous(view.T))


def test_what_has_no_kernels_is_refused() -> None:
    assert not cuda.supported(np.dtype("complex64"))
    assert cuda.supported(BFLOAT16)
    with pytest.raises(AssertionError, match="the function itself ran"):
        kernels_of(gelu)(cupy.asarray(random(3).astype("complex64")))
    with pytest.raises(ValueError, match="no kernels"):
        launches.launch("spiral", 1, 1, 1, 1, False)
