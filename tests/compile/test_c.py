"""The C kernels: every form of loop, over sizes around the lengths of blocks, lanes and parts."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import numpy
import pytest

import gpugrad as gg
from gpugrad.compile import cpu, runtime
from gpugrad.compile.c import BLOCK, LANES, PART, SHORT, SHORT_WRITTEN, SIDE_BY_SIDE
from gpugrad.compile.compiled import Compiled

pytestmark = pytest.mark.usefixtures("kernels")


@pytest.fixture(params=[1, 4])
def threads(request: pytest.FixtureRequest) -> Any:
    """Kernels on one thread and on several."""
    before = runtime.get_num_threads()
    runtime.set_num_threads(request.param)
    yield request.param
    runtime.set_num_threads(before)


@pytest.fixture(autouse=True)
def guarded(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Results start as garbage, between guards that must not be written to."""
    blocks: list[tuple[Any, int]] = []

    def empty(shape: Any, dtype: Any) -> Any:
        dtype = numpy.dtype(dtype)
        size = int(numpy.prod(shape)) * dtype.itemsize
        memory = numpy.full(size + 256, 0xA5, numpy.uint8)
        blocks.append((memory, size))
        return memory[128 : 128 + size].view(dtype).reshape(shape)

    monkeypatch.setattr(cpu, "empty", empty)
    yield
    assert blocks
    for memory, size in blocks:
        assert (memory[:128] == 0xA5).all(), "written before an array"
        assert (memory[128 + size :] == 0xA5).all(), "written behind an array"


def array(*shape: int) -> Any:
    return numpy.random.default_rng(0).random(shape, "float32")


def check(function: Callable[..., Any], *shapes: tuple[int, ...]) -> str:
    """Hold the kernels to NumPy in float64, for every shape of the argument; return their source."""
    compiled = Compiled(function, "kernel", strict=True)
    for shape in shapes:
        x = array(*shape)
        found, expected = compiled(x), function(x.astype("float64"))
        for a, b in zip(*((v if isinstance(v, tuple) else (v,)) for v in (found, expected)), strict=True):
            assert a.shape == b.shape
            numpy.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6, err_msg=str(shape))
    sources = [program.source for variants in compiled.programs.values() for _, program in variants]
    assert len(sources) == 1, "one program for all sizes"
    return sources[0]


LENGTHS = (2, 3, 17, 127, 128, 129)


def test_maps(threads: int) -> None:
    check(lambda x: (gg.exp(x), x + 1), *((n,) for n in (*LENGTHS, 100_003)))
    check(lambda x: x + x[:1], (3, 5), (200, 700), (2, 100_003))
    check(lambda x: gg.permute_dims(x, (2, 0, 1)) * 2, (3, 5, 7), (30, 50, 70))


def test_rows(threads: int) -> None:
    rows = [(2, 3), (3, BLOCK - 1), (2, BLOCK), (2, 2 * BLOCK + 1), (400, 500)]
    check(lambda x: gg.exp(x - gg.max(x, axis=1, keepdims=True)) / gg.sum(gg.exp(x), axis=1, keepdims=True), *rows)
    check(lambda x: (gg.sum(x, axis=1), gg.min(x, axis=1), gg.mean(x, axis=1), gg.prod(x, axis=1)), *rows)


SHORT_ROWS = list(
    itertools.product((2, 40, LANES - 1, LANES + 1, 1000), (3, SHORT_WRITTEN, SHORT_WRITTEN + 1, SHORT, SHORT + 1))
)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the libraries that are built, in order."""
    names: list[str] = []
    monkeypatch.setattr(cpu.build, "load", lambda source, name, load=cpu.build.load: names.append(name) or load(source, name))
    return names


def test_short_rows(threads: int, built: list[str]) -> None:
    """They are computed side by side, on the way of columns."""
    check(lambda x: gg.exp(x - gg.max(x, axis=1, keepdims=True)) / gg.sum(gg.exp(x), axis=1, keepdims=True), *SHORT_ROWS)
    check(lambda x: (gg.sum(x, axis=1), gg.min(x, axis=1), gg.mean(x, axis=1), gg.prod(x * 2, axis=1)), *SHORT_ROWS)
    check(
        lambda x: (x - gg.mean(x, axis=-1, keepdims=True)) / gg.sqrt(gg.var(x, axis=-1, keepdims=True) + 1),
        (9, 30, 10),
        (2, 3, 5),
    )
    check(lambda x: gg.sum(x, axis=(2, 3)), (20, 30, 3, 4), (2, 3, 5, 7))
    check(lambda x: gg.permute_dims(x, (1, 2, 0)) * gg.sum(x, axis=0)[..., None], (10, 20, 30))
    assert built.count("kernel_short") == 4  # the last one sums up columns


@pytest.mark.parametrize("dtype", ["float16", "float64", "int32", "uint8", "int64", "bool"])
def test_short_rows_of_other_dtypes(dtype: str) -> None:
    x = (array(200, 9) * 3).astype(dtype)
    if x.dtype.kind == "f":
        x[3, 4], x[5, 6], x[7, 1] = numpy.nan, numpy.inf, -numpy.inf

    def function(x: Any) -> Any:
        return (
            gg.sum(x, axis=1),
            gg.max(x, axis=1),
            gg.min(x, axis=1),
            gg.any(x, axis=1),
            gg.all(x, axis=1),
            gg.argmax(x, axis=1),
        )

    if dtype == "bool":

        def function(x: Any) -> Any:
            return gg.any(x, axis=1), gg.all(x, axis=1)

    for given in (x, x[::-1], numpy.asfortranarray(x), x[:, ::2]):
        for a, b in zip(Compiled(function, strict=True)(given), function(given), strict=True):
            assert a.dtype == b.dtype
            numpy.testing.assert_allclose(a, b, rtol=4e-3 if dtype == "float16" else 1e-12)


def test_short_rows_are_compiled_where_there_are_many(built: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = Compiled(lambda x: x - gg.max(x, axis=1, keepdims=True), "kernel", strict=True)
    for shape, names in (
        ((400, 100), ["kernel"]), ((9, 10), []), ((400, 10), ["kernel_short"]), ((SIDE_BY_SIDE, 10), []), ((9, 99), []),
    ):  # fmt: skip
        x = array(*shape)
        numpy.testing.assert_array_equal(compiled(x), x - x.max(1, keepdims=True))
        assert built == names
        built.clear()
    load = cpu.build.load
    monkeypatch.setattr(cpu.build, "load", lambda source, name: None if "short" in name else load(source, name))
    x = array(500, 10)
    compiled = Compiled(lambda x: x + gg.max(x, axis=1, keepdims=True), "kernel", strict=True)
    numpy.testing.assert_array_equal(compiled(x), x + x.max(1, keepdims=True))


def test_short_rows_are_side_by_side_along_one_axis(built: list[str]) -> None:
    """Few along the last kept axis, which a broadcast operand keeps from being merged with the others, are computed one by one."""
    compiled = Compiled(lambda x, y: gg.sum(x * y, axis=2), "kernel", strict=True)
    for shape, names in (((100, 2, 10), ["kernel"]), ((3, 100, 10), ["kernel_short"])):
        x, y = array(*shape), array(*shape[1:])
        numpy.testing.assert_allclose(compiled(x, y), (x * y).sum(2), rtol=1e-6)
        assert built == names
        built.clear()


def test_rows_of_several_axes(threads: int) -> None:
    shapes = [(2, 3, 4, 5), (9, 2, 70, 90), (3, 4, 2, 5000)]
    source = check(lambda x: x - gg.mean(x, axis=(1, 3), keepdims=True) * gg.max(x, axis=(1, 3), keepdims=True), *shapes)
    assert "r0" in source
    check(lambda x: gg.tanh(x) / gg.sqrt(gg.sum(gg.tanh(x) ** 2, axis=(1, 3), keepdims=True)), *shapes)


def test_columns(threads: int) -> None:
    shapes = [(5, n) for n in LENGTHS] + [(500, LANES - 1), (BLOCK + 3, 4), (300, 3 * LANES + 5)]
    check(lambda x: (x - gg.mean(x, axis=0)) / gg.sqrt(gg.var(x, axis=0) + 1), *shapes)
    check(lambda x: (gg.sum(x, axis=0), gg.max(x, axis=0), gg.sum(x * gg.exp(gg.max(x, axis=0) * 2), axis=0)), *shapes)
    check(lambda x: gg.sum(x, axis=(0, 2)), (3, 4, 5, 6), (20, 9, 30, 140))
    check(lambda x: x - gg.sum(x, axis=1, keepdims=True), (3, 4, 5), (7, 30, 200))


def test_full_reductions(threads: int) -> None:
    lengths = [(n,) for n in (2, 100, PART - 1, PART, PART + 1, 5 * PART + 7)]
    check(lambda x: (gg.sum(x), gg.max(x), gg.mean(x) + gg.min(x), gg.all(x > 0)), *lengths)
    check(lambda x: gg.std(x), *lengths)
    check(lambda x: gg.sum(x * x[:1]), (3, 4), (40, PART), (400, 300))


def test_full_reductions_do_not_depend_on_the_threads() -> None:
    f = Compiled(lambda x: (gg.sum(gg.exp(x)), gg.sum(gg.exp(x), axis=0), gg.sum(gg.exp(x), axis=1)), strict=True)
    x = array(900, 1100)
    before = runtime.get_num_threads()
    results = []
    for n in (1, 2, 3, 7):
        runtime.set_num_threads(n)
        results.append(f(x))
    runtime.set_num_threads(before)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            numpy.testing.assert_array_equal(a, b)


def test_long_sums_are_accurate() -> None:
    x = array(1_000_003) + 1
    exact = float(x.sum(dtype="float64"))
    total = float(Compiled(gg.sum, strict=True)(x))
    assert abs(total / exact - 1) < 2e-7


def test_contiguous_axes_run_as_one_loop() -> None:
    source = check(lambda x: gg.exp(x) * 2, (3, 4, 5))
    assert source.count("for (") == 1
    source = check(lambda x: gg.sum(x, axis=(2, 3)), (3, 4, 5, 6))
    assert len(re.findall(r"int64_t r\d", source)) == 0


def test_what_a_row_alone_decides_is_computed_once_per_row() -> None:
    source = check(lambda x: x * gg.exp(gg.sum(x, axis=1, keepdims=True) * 0.001), (3, 4), (5, 6))
    before, _, last = source.rpartition("#pragma omp simd")
    assert "gg_exp" in before
    assert "gg_exp" not in last


def test_costly_values_of_a_row_are_kept() -> None:
    source = check(lambda x: gg.exp(x) / gg.sum(gg.exp(x), axis=1, keepdims=True), (3, 4), (5, 2 * BLOCK))
    assert source.count("gg_exp") == 1
    assert "scratch" in source.split("{", 1)[1]


def test_sizes_divide_as_whole_products() -> None:
    """A place on axes of s0*s1 elements: the product is one divisor."""

    def function(x: Any) -> Any:
        flat = gg.reshape(x, (-1,))
        return x[:, None, :, None] - flat[None, :, None, None] * flat

    check(function, (3, 4), (5, 7))


@pytest.mark.parametrize("dtype", ["float16", "float64", "int32", "uint8", "int64"])
def test_other_dtypes(dtype: str) -> None:
    x = (array(70, 300) * 10).astype(dtype)

    def function(x: Any) -> Any:
        return (
            x + 1,
            gg.max(x, axis=0),
            gg.sum(x, axis=1),
            gg.min(x),
            x - gg.max(x, axis=1, keepdims=True),
            gg.sum(x, dtype=gg.float64),
        )

    found, expected = Compiled(function, strict=True)(x), function(x)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        numpy.testing.assert_allclose(a, b, rtol=4e-3 if dtype == "float16" else 1e-12)


def test_strided_arguments() -> None:
    f = Compiled(lambda x, y: (x * y, gg.sum(x * y, axis=1), gg.sum(x - y, axis=0), gg.max(x)), strict=True)
    x, y = array(300, 40).T, array(80, 600)[::-2, 1::2]
    for a, b in zip(f(x, y), (x * y, (x * y).sum(1), (x - y).sum(0), x.max()), strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4)


def test_a_value_of_a_pass_with_vectors_is_not_taken_from_a_buffer() -> None:
    """Only the rest of such a pass is a loop element by element: what it keeps would be a part of the row."""

    def f(x: Any, w: Any) -> Any:
        d = x / w / w / w
        return d - gg.sum(d, axis=1, keepdims=True)

    rng = numpy.random.default_rng(0)
    x, w = rng.uniform(0.5, 1, (3, 75)), rng.uniform(1, 2, 75)
    numpy.testing.assert_allclose(Compiled(f, strict=True)(x, w), f(x, w), rtol=1e-12)
