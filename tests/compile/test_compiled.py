"""Compiled functions: what is compiled once for all sizes, what is traced anew, and when the definition runs."""

from __future__ import annotations

import math
import threading
from collections import namedtuple
from typing import Any

import numpy
import pytest

import gpugrad as gg
from gpugrad.compile import build
from gpugrad.compile.compiled import Compiled, target_of
from gpugrad.errors import TracingError

pytestmark = pytest.mark.usefixtures("kernels")

Pair = namedtuple("Pair", ["first", "second"])


def array(*shape: int, dtype: str = "float32") -> Any:
    return numpy.random.default_rng(len(shape)).standard_normal(shape).astype(dtype)


def programs(compiled: Compiled) -> int:
    return sum(map(len, compiled.programs.values()))


class Counting:
    """A function that counts its runs: on Symbols, one per trace, and on arrays."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self.traces = 0
        self.runs = 0

    def __call__(self, *args: Any, **options: Any) -> Any:
        if any(type(x) is numpy.ndarray for x in args):
            self.runs += 1
        else:
            self.traces += 1
        return self.function(*args, **options)


def compiled(function: Any, **options: Any) -> tuple[Compiled, Counting]:
    counting = Counting(function)
    return Compiled(counting, "function", strict=True, **options), counting


# Shapes -------------------------------------------------------------------------------------------------------------


def test_new_sizes_compile_nothing() -> None:
    f, counting = compiled(lambda x, w: (x - gg.mean(x, axis=-1, keepdims=True)) * w)
    for batch, features in ((4, 8), (5, 8), (1000, 8), (7, 130), (2, 3)):
        x, w = array(batch, features), array(features)
        numpy.testing.assert_allclose(f(x, w), (x - x.mean(-1, keepdims=True)) * w, rtol=1e-5, atol=1e-6)
    assert (counting.traces, counting.runs, programs(f)) == (1, 0, 1)


def test_axes_of_one_element_and_equal_axes_are_patterns() -> None:
    f, counting = compiled(lambda x, y: x + y)
    for shapes, traces in (
        (((3, 4), (3, 4)), 1),
        (((5, 6), (5, 6)), 1),
        (((3, 1), (3, 4)), 2),
        (((1, 7), (9, 7)), 3),
        (((4, 4), (4, 4)), 4),
    ):
        x, y = array(*shapes[0]), array(*shapes[1])
        numpy.testing.assert_array_equal(f(x, y), x + y)
        assert counting.traces == traces
    assert counting.runs == 0


def test_a_branch_on_a_size_is_traced_once_per_side() -> None:
    f, counting = compiled(lambda x: gg.exp(x) if x.shape[0] > 100 else x + 1)
    for n in (10, 50, 101, 200, 20, 100, 1000):
        x = array(n)
        numpy.testing.assert_allclose(f(x), numpy.exp(x) if n > 100 else x + 1, rtol=1e-6)
    assert counting.traces == 2


def test_a_loop_over_an_axis_is_traced_for_each_size() -> None:
    def total(x: Any) -> Any:
        out = x[0]
        for i in range(1, x.shape[0]):
            out = out + x[i] * i
        return out

    f, counting = compiled(total)
    for n in (3, 4, 3, 4, 5):
        x = array(n, 6)
        numpy.testing.assert_allclose(f(x), total(x), rtol=1e-5, atol=1e-6)
    assert counting.traces == 3


def test_sizes_in_arithmetic_follow_the_call() -> None:
    f, counting = compiled(lambda x: x * (1 / x.shape[0]) + x.size - x.shape[1] ** 1)
    for shape in ((3, 4), (5, 7), (50, 2)):
        x = array(*shape)
        numpy.testing.assert_allclose(f(x), x / shape[0] + x.size - shape[1], rtol=1e-6)
    assert counting.traces == 1


def test_a_square_root_of_a_size_by_python_fixes_it() -> None:
    f, counting = compiled(lambda x: x / math.sqrt(x.shape[-1]))
    for n in (4, 9, 4):
        x = array(3, n)
        numpy.testing.assert_allclose(f(x), x / math.sqrt(n), rtol=1e-6)
    assert counting.traces == 2
    g, counting = compiled(lambda x: x / x.shape[-1] ** 0.5)
    for n in (4, 9, 16):
        x = array(3, n)
        numpy.testing.assert_allclose(g(x), x / math.sqrt(n), rtol=1e-6)
    assert counting.traces == 1


def test_slices_and_reshapes_follow_the_sizes() -> None:
    f, counting = compiled(lambda x: (x[1:], x[:-2], gg.reshape(x, (-1, 2)), gg.flip(x, axis=1)[:, ::-1], x[-1]))
    for shape in ((5, 4), (9, 6), (4, 2)):
        x = array(*shape)
        for found, expected in zip(f(x), (x[1:], x[:-2], x.reshape(-1, 2), x, x[-1]), strict=True):
            numpy.testing.assert_array_equal(found, expected)
    x = array(3, 4)
    assert f(x)[1].shape == (1, 4)
    assert counting.traces > 1


@pytest.mark.parametrize(
    "view",
    [lambda x: x.T, lambda x: x[:, ::2], lambda x: x[::-1], lambda x: x[1:, 1:], lambda x: numpy.broadcast_to(x[:1], x.shape)],
)
def test_views_are_read_in_place(view: Any) -> None:
    f, counting = compiled(lambda x: (gg.exp(x) + x, gg.sum(x, axis=0), gg.max(x, axis=1)))
    for shape in ((6, 8), (7, 130)):
        x = view(array(*shape))
        for found, expected in zip(f(x), (numpy.exp(x) + x, x.sum(0), x.max(1)), strict=True):
            numpy.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
            assert found.flags.c_contiguous
    assert (counting.traces, counting.runs) == (1, 0)


def test_zero_dimensional_arrays_and_scalars_of_numpy() -> None:
    f, counting = compiled(lambda x, y: x * y)
    x = array(3)
    assert f(x, numpy.array(2.0, "float32")).dtype == numpy.float32
    assert f(x, numpy.float64(2)).dtype == numpy.float64
    assert f(numpy.float32(3), numpy.array(2.0, "float32")) == 6
    assert counting.runs == 0


# Numbers ------------------------------------------------------------------------------------------------------------


def test_floats_are_arguments_of_the_kernel() -> None:
    f, counting = compiled(lambda x, a, b=1.0: x * a + b)
    x = array(5)
    for a, b in ((0.5, 1.0), (2.0, -3.0), (math.inf, 0.0), (math.nan, 0.5)):
        numpy.testing.assert_array_equal(f(x, a, b=b), x * a + b)
    assert counting.traces == 1


def test_a_float_keeps_the_dtype_of_the_array() -> None:
    f, _ = compiled(lambda x, a: x * a)
    for dtype in ("float16", "float32", "float64"):
        assert f(array(3, dtype=dtype), 0.1).dtype == dtype
    assert f(numpy.arange(3), 0.1).dtype == numpy.float64
    numpy.testing.assert_array_equal(f(array(3), 0.1), array(3) * 0.1)


def test_a_branch_on_a_float_is_traced_once_per_side() -> None:
    f, counting = compiled(lambda x, a: x * a if a > 1 else x - a)
    x = array(5)
    for a in (2.0, 0.5, 3.0, -1.0, 1.5, math.nan):
        numpy.testing.assert_array_equal(f(x, a), x * a if a > 1 else x - a)
    assert counting.traces == 2


def test_a_float_that_python_computes_with_is_fixed() -> None:
    f, counting = compiled(lambda x, a: x * math.copysign(2.0, a))
    x = array(5)
    for a in (0.0, -0.0, math.nan, 1.0, -0.0, math.nan):
        numpy.testing.assert_array_equal(f(x, a), x * math.copysign(2.0, a))
    assert counting.traces == 4


def test_a_function_that_needs_ever_new_programs_runs_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpugrad.compile.compiled._VARIANTS", 2)
    f, counting = compiled(lambda x, a: x * math.exp(a))
    x = array(5)
    for a in (0.0, 1.0, 2.0, 3.0, 1.0, 0.0):
        numpy.testing.assert_array_equal(f(x, a), x * math.exp(a))
    assert (counting.traces, counting.runs) == (2, 2)


def test_other_arguments_are_part_of_the_program() -> None:
    f, counting = compiled(lambda x, n, kind="sum", axes=(0,): getattr(gg, kind)(x, axis=axes) * n)
    x = numpy.arange(6, dtype="int32").reshape(2, 3)
    assert f(x, 2).tolist() == [6, 10, 14]
    assert f(x, 2, kind="max", axes=(1,)).tolist() == [4, 10]
    assert f(x, True).dtype == numpy.sum(x).dtype
    assert f(x, 2).tolist() == [6, 10, 14]
    assert counting.traces == 3


def test_functions_dtypes_and_slices_are_part_of_the_program() -> None:
    f, counting = compiled(lambda x, g, dtype, part: gg.astype(g(x), dtype)[part])
    x = array(6)
    for _ in range(2):
        for g, part in ((gg.exp, slice(1, 4)), (gg.exp, slice(2, None)), (gg.abs, slice(1, 4))):
            found = f(x, g, gg.float64, part)
            numpy.testing.assert_allclose(found, g(x)[part], rtol=1e-6)
            assert found.dtype == numpy.float64
    assert (counting.traces, counting.runs) == (3, 0)


@pytest.mark.parametrize("make", [lambda: Counting(len), lambda: [1, 2].__len__, lambda: Counting(len).__call__, lambda: {1}])
def test_an_object_that_may_change_runs_the_definition(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    f, counting = compiled(lambda x, given: x + 1)
    for _ in range(3):
        numpy.testing.assert_array_equal(f(array(3), make()), array(3) + 1)
    assert (counting.traces, counting.runs, len(f._calls)) == (0, 3, 0)
    assert [record.name for record in caplog.records] == ["gpugrad"], "said once"
    numpy.testing.assert_array_equal(Compiled(lambda x, given: x + 1)(array(3), make()), array(3) + 1)
    assert len(caplog.records) == 1, "of the library's own functions nothing is said"


def test_the_default_dtype_is_part_of_the_program() -> None:
    f, counting = compiled(lambda x: gg.astype(x + 1, gg.get_default_dtype()))
    x, before = array(3, dtype="float16"), gg.get_default_dtype()
    try:
        for name in ("float32", "float64", "float32"):
            gg.set_default_dtype(name)
            assert f(x).dtype == name
    finally:
        gg.set_default_dtype(before)
    assert counting.traces == 2


def test_unaligned_arrays_run_the_definition() -> None:
    f, counting = compiled(lambda x: gg.exp(x))
    x = numpy.ndarray(4, "float64", bytearray(range(33)), 1)
    assert not x.flags.aligned
    numpy.testing.assert_array_equal(f(x), numpy.exp(x))
    numpy.testing.assert_allclose(f(x.copy()), numpy.exp(x), rtol=1e-12)
    assert (counting.traces, counting.runs) == (1, 1)


def test_equal_constants_of_other_types_or_signs_are_told_apart() -> None:
    f, _ = compiled(lambda x, t: x * t[0])
    x = numpy.arange(3, dtype="int32")
    assert [f(x, (v,)).dtype.name for v in (1, True, 1.0)] == ["int32", "int32", "float64"]
    assert [numpy.signbit(f(x, (v,))).any() for v in (0.0, -0.0)] == [False, True]


# Results ------------------------------------------------------------------------------------------------------------


def test_results_keep_the_structure() -> None:
    f, _ = compiled(lambda x, a: {"a": x + 1, "b": [x * 2, (None, 3)], "c": Pair(x - a, "text"), "n": x.shape[0], "f": a * 2})
    x = array(4)
    out = f(x, 0.5)
    numpy.testing.assert_array_equal(out["a"], x + 1)
    numpy.testing.assert_array_equal(out["b"][0], x * 2)
    assert out["b"][1] == (None, 3)
    assert type(out["c"]) is Pair
    numpy.testing.assert_array_equal(out["c"].first, x - 0.5)
    assert (out["n"], type(out["n"]), out["f"], type(out["f"])) == (4, int, 1.0, float)


@pytest.mark.parametrize(
    "wrap", [lambda x: (y for y in [x]), lambda x: iter([x]), lambda x: lambda: x, lambda x: [slice(x.shape[0])]]
)
def test_results_out_of_sight_are_refused(wrap: Any) -> None:
    f, _ = compiled(lambda x: wrap(x + 1))
    with pytest.raises(TracingError, match="an object of type (generator|list_iterator|function|slice) is returned"):
        f(array(3))


def test_no_results() -> None:
    f, _ = compiled(lambda x: None)
    assert f(array(3)) is None
    g, _ = compiled(lambda x: ())
    assert g(array(3)) == ()


def test_nested_tuples() -> None:
    f, _ = compiled(lambda x: ((x + 1,), x + 2))
    (first,), second = f(array(3))
    numpy.testing.assert_array_equal(first + 1, second)


def test_results_are_arrays_of_their_own() -> None:
    f, _ = compiled(lambda x: (gg.exp(x), gg.exp(x), x * 1, x))
    x = array(3)
    a, b, c, d = f(x)
    assert not any(numpy.shares_memory(p, q) for p, q in ((a, b), (a, x), (c, x)))
    numpy.testing.assert_array_equal(a, b)
    numpy.testing.assert_array_equal(c, x)
    assert d is x, "what the function passes through it returns as it is"


def test_results_are_written_into_arguments() -> None:
    def step(p: Any, g: Any, m: Any, lr: float) -> Any:
        m = 0.9 * m + g
        return p - lr * m, m

    f, counting = compiled(step, into={0: 0, 1: 2})
    p, g, m = array(3, 5), array(5, 3).T, array(3, 5) * 2
    expected = step(p.copy(), g, m.copy(), 0.1)
    out = f(p, g, m, 0.1)
    assert out[0] is p
    assert out[1] is m
    for found, wanted in zip((p, m), expected, strict=True):
        numpy.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-7)
    assert counting.runs == 0


@pytest.mark.parametrize(
    "function", [lambda x, y: x.T + y, lambda x, y: gg.flip(x) + y, lambda x, y: x - gg.mean(x), lambda x, y: gg.matmul(x, y)]
)
def test_what_is_not_elementwise_is_not_written_in_place(function: Any) -> None:
    f, counting = compiled(function, into={0: 0})
    x, y = array(4, 4), array(4, 4)
    expected = function(x, y)
    numpy.testing.assert_allclose(f(x, y), expected, rtol=1e-6)
    assert counting.runs == 1


# The definition -----------------------------------------------------------------------------------------------------


def untraceable(x: Any) -> Any:
    return x[x > 0]


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (lambda x: x * 1j, (array(3),)),
        (lambda x: x + 1, (array(3).astype("complex64"),)),
        (lambda x: x + 1, (array(3).astype(">f4"),)),
        (lambda x: x + 1, (array(0, 3),)),
        (lambda x: x + 1, (2.0,)),
        (lambda x: x + 1, (numpy.ma.masked_array([1.0, 2.0], [True, False]),)),
        (lambda x: x + 1, (numpy.zeros(4, [("a", "i1"), ("b", "f4")])["b"],)),
        (untraceable, (array(3),)),
        (lambda x: gg.unique_values(x), (array(3),)),
        (lambda x, y: x**y, (numpy.arange(3), numpy.arange(3))),
    ],
)
def test_without_a_kernel_the_definition_runs(function: Any, arguments: Any) -> None:
    f = Compiled(function, strict=True)
    expected = function(*arguments)
    for _ in range(2):
        found = f(*arguments)
        assert type(found) is type(expected)
        numpy.testing.assert_array_equal(found, expected)


def test_array_options_and_unhashable_arguments_run_the_definition() -> None:
    f, counting = compiled(lambda x, y=0, n=(): x + y + len(n))
    x = array(3)
    numpy.testing.assert_array_equal(f(x, y=x), x + x)
    numpy.testing.assert_array_equal(f(x, n=[1, 2]), x + 2)
    assert (counting.traces, counting.runs) == (0, 2)


def test_unless_strict_what_cannot_be_traced_runs_as_it_is() -> None:
    counting = Counting(lambda x: x if x.sum() > 0 else -x)
    f = Compiled(counting)
    x = abs(array(3))
    for _ in range(3):
        numpy.testing.assert_array_equal(f(-x), x)
    assert (counting.traces, counting.runs) == (1, 3), "it is tried once"
    with pytest.raises(TracingError):
        Compiled(counting, strict=True)(x)


def test_errors_of_the_function_are_its_own() -> None:
    def wrong(x: Any) -> Any:
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        Compiled(wrong)(array(3))
    with pytest.raises(KeyError, match="a bug"):
        Compiled(wrong, strict=True)(array(3))


def test_numbers_that_do_not_fit_are_numpys_affair() -> None:
    f = Compiled(lambda x: x + 300)
    with pytest.raises(OverflowError, match="300"):
        f(numpy.arange(3, dtype="uint8"))
    with pytest.raises(OverflowError, match="300"):
        Compiled(lambda x: x + 300, strict=True)(numpy.arange(3, dtype="uint8"))


def test_otherwise_runs_in_place_of_the_definition() -> None:
    f = Compiled(untraceable, otherwise=lambda x: "otherwise", strict=True)
    assert f(array(3)) == "otherwise"


@pytest.mark.parametrize("compiler", ["none", "gpugrad-no-such-compiler", "false"])
def test_without_a_compiler_the_definition_runs(compiler: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("GPUGRAD_CC", compiler)
    monkeypatch.setenv("GPUGRAD_CACHE_DIR", str(tmp_path))
    build._forget()
    try:
        f, counting = compiled(lambda x: gg.exp(x) + 0.25)
        x = array(5)
        numpy.testing.assert_array_equal(f(x), numpy.exp(x) + 0.25)
        assert counting.runs == 1
    finally:
        monkeypatch.undo()
        build._forget()


# Nesting, threads ---------------------------------------------------------------------------------------------------


def test_long_programs() -> None:
    def function(x: Any) -> Any:
        for i in range(400):
            x = x[::-1] * 0.5 + i
        return x, gg.sum(x, axis=0)

    f, counting = compiled(function)
    x = array(5, 4)
    for a, b in zip(f(x), function(x), strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-5)
    assert counting.runs == 0


def test_a_compiled_function_within_another_is_part_of_it() -> None:
    inner, counting = compiled(lambda x: gg.exp(x) + 1)
    f, _ = compiled(lambda x: inner(x) * 2)
    for n in (3, 4):
        x = array(n)
        numpy.testing.assert_allclose(f(x), (numpy.exp(x) + 1) * 2, rtol=1e-6)
    assert programs(f) == 1
    assert programs(inner) == 0
    assert counting.runs == 0


def test_threads_share_what_is_compiled() -> None:
    f, counting = compiled(lambda x: gg.sum(gg.exp(x), axis=0))
    x = array(50, 7)
    expected = numpy.exp(x).sum(0)
    right = []

    def work() -> None:
        right.extend(numpy.allclose(f(x), expected, rtol=1e-5) for _ in range(50))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(right) == 200
    assert all(right)
    assert counting.traces == 1


def test_the_target_is_that_of_the_arrays() -> None:
    assert target_of([]) is None
    assert target_of([array(3), numpy.float32(1)]).__name__ == "gpugrad.compile.cpu"
    assert target_of([array(3), object()]) is None


def test_many_shapes_are_forgotten_and_prepared_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpugrad.compile.compiled._REMEMBERED", 4)
    f, counting = compiled(lambda x: x + 1)
    for n in [*range(2, 12), *range(2, 12)]:
        numpy.testing.assert_array_equal(f(array(n)), array(n) + 1)
    assert counting.traces == 1
    assert len(f._calls) <= 4
