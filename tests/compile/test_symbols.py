"""Symbols: what a traced function can ask of an array, and what it is told where it asks for elements."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy
import pytest

import gpugrad as gg
from gpugrad.compile import symbols
from gpugrad.compile.compiled import Compiled
from gpugrad.compile.sizes import Size, variable
from gpugrad.compile.symbols import Symbol, Trace, check_dtype, current_trace, tracing
from gpugrad.errors import ShapeError, TracingError, UntraceableError

X = numpy.arange(6.0, dtype="float32").reshape(2, 3)
CLOSED_OVER = numpy.ones(3, "float32")


def traced(function: Callable[..., Any], *arguments: float) -> tuple[Any, list[str]]:
    """What `function` of a matrix of 2 rows and of numbers returns, and the guards."""
    trace = Trace("function")
    shape = (variable(0, 2, trace), variable(1, 3, trace))
    x = trace.symbol(trace.graph.node("input", (), (0, True), dtype=numpy.dtype("float32"), shape=shape))
    with tracing(trace):
        numbers = [
            trace.symbol(trace.graph.node("scalar", (), (i,), dtype=numpy.dtype("float64"), shape=()), v, number=True)
            for i, v in enumerate(arguments)
        ]
        return function(x, *numbers), list(trace.guards.conditions)


def endless(x: Any) -> Any:
    while True:
        x = x + 1


def recursive(x: Any) -> Any:
    return recursive(x)


def written(x: Any) -> Any:
    x[0] = 1
    return x


@pytest.mark.parametrize(
    ("function", "error", "says"),
    [
        (lambda x: x if x.sum() > 0 else -x, TracingError, "the flow of the program depends"),
        (lambda x: x if 3.0 in x else -x, TracingError, "the flow of the program depends"),
        (lambda x: x * float(x[0, 0]), TracingError, "float"),
        (lambda x: x * int(x[0, 0]), TracingError, "int"),
        (lambda x: x * complex(x[0, 0]), TracingError, ""),
        (lambda x: x * [1, 2][x[0, 0]], TracingError, "an index"),
        (lambda x: x * x[0, 0].item(), TracingError, "item"),
        (lambda x: x.tolist(), TracingError, "tolist"),
        (lambda x: numpy.asarray(x), TracingError, "NumPy"),
        (lambda x: numpy.from_dlpack(x), TracingError, "DLPack"),
        (lambda x: x + CLOSED_OVER, TracingError, "an array that is no argument"),
        (lambda x: CLOSED_OVER + x, TracingError, "an array that is no argument"),
        (lambda x: gg.matmul(x.T, CLOSED_OVER), TracingError, "an array that is no argument"),
        (lambda x: gg.matmul(CLOSED_OVER.T, x), TracingError, "an array that is no argument"),
        (lambda x: CLOSED_OVER, TracingError, "does not depend on the arguments"),
        (lambda x: numpy.add(x, 1, out=x), TracingError, "numpy.add"),
        (lambda x: numpy.add.reduce(x), TracingError, "numpy.add"),
        (lambda x: numpy.frexp(x), TracingError, "numpy.frexp"),
        (written, TracingError, "written to"),
        (lambda x: gg.matmul(x, x), ShapeError, "(2, 3) and (2, 3)"),
        (lambda x: x + x.T, ShapeError, "(2, 3) and (3, 2)"),
        (lambda x: gg.reshape(x, (4, 2)), ShapeError, "(2, 3) cannot be reshaped to (4, 2)"),
        (lambda x: gg.broadcast_to(x, (3, 2)), ShapeError, "(2, 3)"),
        (lambda x: gg.squeeze(x, axis=0), ShapeError, "(2, 3)"),
        (lambda x: gg.sum(x, axis=2), ShapeError, "axis 2"),
    ],
)
def test_errors_name_the_line(function: Callable[..., Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error) as caught:
        Compiled(function, "model", strict=True)(X)
    message = str(caught.value)
    assert message.startswith("model: ")
    assert says in message
    assert "test_symbols.py" in message


def test_an_endless_loop_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symbols, "LIMIT", 1000)
    with pytest.raises(
        TracingError, match=r"more than 1,000 ops were traced, at .*test_symbols\.py.*x = x \+ 1.*loop without an end"
    ):
        Compiled(endless, strict=True)(X)


def test_endless_recursion_ends() -> None:
    with pytest.raises(TracingError, match="calls itself without end"):
        Compiled(recursive, strict=True)(X)


def test_after_its_trace_a_symbol_is_of_no_use() -> None:
    out, _ = traced(lambda x: x + 1)
    assert current_trace() is None
    with pytest.raises(TracingError, match="after its trace had ended"):
        _ = out + 1


def test_a_symbol_of_another_trace_is_refused() -> None:
    other, _ = traced(lambda x: x)
    with pytest.raises(TracingError, match="of another trace"):
        traced(lambda x: x + other)


def test_what_is_known_of_an_array() -> None:
    def function(x: Symbol) -> Symbol:
        assert x.dtype == numpy.float32
        assert x.ndim == 2
        assert x.shape == (2, 3)
        assert x.size == 6
        assert isinstance(x.size, Size)
        assert repr(x) == "<traced float32 (s0, s1)>"
        assert x.T.shape == x.mT.shape == (3, 2)
        assert "arguments" in repr(x.device)
        assert x.to_device("cpu") is x
        assert x.__array_namespace__().exp(x).dtype == numpy.float32
        with pytest.raises(TypeError, match="unhashable"):
            hash(x)
        with pytest.raises(TypeError, match="0-d"):
            len(x.sum())
        return x

    traced(function)


def test_iteration_and_length_fix_the_first_axis() -> None:
    rows, guards = traced(lambda x: [row.shape for row in x])
    assert len(rows) == 2
    assert "s0 == 2" in guards
    assert traced(len) == (2, ["s0 == 2"])


@pytest.mark.parametrize(
    ("function", "guard"),
    [
        (lambda x, a: x if a > 1 else -x, "k0 > 1.0"),
        (lambda x, a: x if a < 1 else -x, "not k0 < 1.0"),
        (lambda x, a: x if a else -x, "k0 != 0.0"),
        (lambda x, a: x if a * 2 == 5 else -x, "numpy.multiply(k0, 2.0) == 5.0"),
        (lambda x, a: x if 1 / x.shape[0] < a else -x, "numpy.divide(1.0, s0) < k0"),
        (lambda x, a: math.exp(a), f"float(k0).hex() == '{(2.5).hex()}'"),
        (lambda x, a: f"{float(a)}", f"float(k0).hex() == '{(2.5).hex()}'"),
    ],
)
def test_what_a_number_decides_is_a_guard(function: Callable[..., Any], guard: str) -> None:
    _, guards = traced(function, 2.5)
    assert guards == [guard]


def test_arithmetic_of_numbers_needs_no_guard_but_that_no_divisor_is_zero() -> None:
    out, guards = traced(lambda x, a, b: -a * 2 + b**2 / a - abs(b) + a // 2 + a % 2, 2.5, -3.0)
    assert isinstance(out, Symbol)
    assert out.is_number
    assert out.hint == -2.5 * 2 + 9 / 2.5 - 3 + 2.5 // 2 + 2.5 % 2
    assert guards == ["not k0 == 0.0"]


def test_a_number_is_no_index() -> None:
    with pytest.raises(TypeError, match="'float' object cannot be interpreted as an integer"):
        traced(lambda x, a: range(a), 2.0)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "float32", "float64"])
def test_dtypes_of_kernels(dtype: str) -> None:
    assert check_dtype(numpy.dtype(dtype)) == numpy.dtype(dtype)


@pytest.mark.parametrize("dtype", ["complex64", "complex128", "datetime64[s]", "U3", "object", ">f4", "longdouble"])
def test_dtypes_without_kernels(dtype: str) -> None:
    if numpy.dtype(dtype) == numpy.float64:
        pytest.skip("long double is double here")
    with pytest.raises(UntraceableError, match="not with"):
        check_dtype(numpy.dtype(dtype))
