"""Graphs: nodes that are shared, constants that are folded, and what is left as it is because of IEEE 754."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy
import pytest

import gpugrad as gg
from gpugrad.compile import namespace  # noqa: F401  (gives Symbols their operators)
from gpugrad.compile.graph import BOOL, FLOAT64, INT64, Graph, Node, describe, number, reachable
from gpugrad.compile.sizes import variable
from gpugrad.compile.symbols import Symbol, Trace, tracing

FLOAT32 = numpy.dtype("float32")
INT32 = numpy.dtype("int32")


def traced(function: Callable[..., Any], dtype: str = "float32") -> tuple[Any, Node]:
    """The results of `function` of a matrix, and the node of the matrix."""
    trace = Trace("function")
    shape = (variable(0, 3, trace), variable(1, 4, trace))
    x = trace.graph.node("input", (), (0, True), dtype=numpy.dtype(dtype), shape=shape)
    with tracing(trace):
        return function(trace.symbol(x)), x


def test_equal_nodes_are_one() -> None:
    (a, b, c), _ = traced(lambda x: (gg.exp(x) + 1, gg.exp(x) + 1, gg.exp(x) + 2))
    assert a.node is b.node
    assert a.node is not c.node
    assert a.node.inputs[0] is c.node.inputs[0]


def test_dead_code_is_left_out() -> None:
    def function(x: Any) -> Any:
        gg.log(x)
        return gg.exp(x)

    out, x = traced(function)
    assert reachable([out.node]) == [x, out.node]


def test_constants_are_told_apart() -> None:
    graph = Graph()
    zeros = [graph.constant(v, FLOAT64) for v in (0.0, -0.0, 0)]
    assert zeros[0] is not zeros[1]
    assert zeros[0] is zeros[2]
    assert math.copysign(1, number(zeros[1])) == -1
    assert graph.constant(math.nan, FLOAT64) is graph.constant(math.nan, FLOAT64)
    assert graph.constant(True, BOOL) is not graph.constant(1, INT64)
    assert graph.constant(1, FLOAT32) is not graph.constant(1, FLOAT64)
    assert len({graph.constant(v, FLOAT64) for v in (math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0)}) == 6


def test_a_constant_must_fit_its_dtype() -> None:
    with pytest.raises(OverflowError):
        Graph().constant(300, numpy.dtype("uint8"))
    with pytest.raises(OverflowError):
        Graph().constant(-1, numpy.dtype("uint64"))


def test_constants_are_folded() -> None:
    graph = Graph()
    a, b = graph.constant(2, FLOAT32), graph.constant(3, FLOAT32)
    six = graph.apply("multiply", (a, b), FLOAT32, ())
    assert (six.op, number(six)) == ("constant", 6)
    many = graph.apply("multiply", (a, b), FLOAT32, (5,))
    assert (many.op, many.inputs) == ("broadcast", (six,))
    assert number(graph.cast(graph.constant(2.75, FLOAT64), INT32)) == 2


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * 1,
        lambda x: 1 * x,
        lambda x: x / 1,
        lambda x: x**1,
        lambda x: x - 0.0,
        lambda x: x + -0.0,
        lambda x: +x,
        lambda x: -(-x),
        lambda x: gg.astype(x, gg.float32),
        lambda x: gg.astype(gg.astype(x, gg.float64), gg.float32),
        lambda x: gg.reshape(gg.reshape(x, (-1,)), x.shape),
        lambda x: gg.permute_dims(gg.permute_dims(x, (1, 0)), (1, 0)),
        lambda x: x[:, :],
        lambda x: gg.sum(gg.expand_dims(x, axis=1), axis=1),
        lambda x: gg.broadcast_to(x, x.shape),
        lambda x: gg.where(x == x, x, x),
    ],
)
def test_what_changes_nothing_is_dropped(function: Callable[[Any], Any]) -> None:
    out, x = traced(function)
    assert out.node is x


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + 0.0,  # 0.0 of -0.0
        lambda x: x - -0.0,
        lambda x: 0.0 + x,
        lambda x: 0.0 - x,  # -x of all but 0.0
        lambda x: x * 0,  # nan of nan and inf
        lambda x: x - x,
        lambda x: x / x,
        lambda x: x**0.5,  # inf of -inf, unlike sqrt
        lambda x: (x + 1e8) - 1e8,
        lambda x: x * 3 / 3,
        lambda x: x / 3,
        lambda x: gg.astype(gg.astype(x, gg.float16), gg.float32),
        lambda x: gg.maximum(x, x + 1),
    ],
)
def test_what_rounding_can_see_is_kept(function: Callable[[Any], Any]) -> None:
    out, x = traced(function)
    ops = [node.op for node in reachable([out.node]) if node.op not in ("input", "constant")]
    assert ops
    assert out.node is not x
    assert out.node.op not in ("constant", "broadcast")


@pytest.mark.parametrize(
    ("function", "op"),
    [
        (lambda x: x / 4, "multiply"),
        (lambda x: x / 0.125, "multiply"),
        (lambda x: x / 3, "divide"),
        (lambda x: x / 0, "divide"),
        (lambda x: x / math.inf, "divide"),
        (lambda x: x / 2.0**127, "divide"),  # the inverse is subnormal
        (lambda x: x**2, "multiply"),
        (lambda x: x * -1, "negative"),
        (lambda x: x**3, "pow"),
    ],
)
def test_cheaper_ops_where_they_are_exact(function: Callable[[Any], Any], op: str) -> None:
    out, _ = traced(function)
    assert out.node.op == op


def test_powers_of_integers_are_products() -> None:
    out, _ = traced(lambda x: x**5, "int32")
    assert {node.op for node in reachable([out.node])} == {"input", "multiply"}
    one, _ = traced(lambda x: x**0, "int32")
    assert one.node.op == "broadcast"
    assert number(one.node.inputs[0]) == 1


def test_integers_drop_a_zero_that_is_added() -> None:
    out, x = traced(lambda x: x + 0, "int32")
    assert out.node is x


def test_reductions_over_axes_of_size_one_are_views() -> None:
    out, x = traced(lambda x: gg.max(gg.expand_dims(x, axis=0), axis=0, keepdims=True))
    assert (out.node.op, out.node.inputs) == ("reshape", (x,))
    (a, b), _ = traced(lambda x: (gg.sum(x, axis=1, keepdims=True), gg.sum(gg.expand_dims(x, axis=1), axis=(1, 2))))
    assert a.node.inputs[0] is b.node, "the same reduction, whatever axes of size 1 stand around it"


def test_a_where_of_a_constant_takes_a_side() -> None:
    graph = Graph()
    a, b = (graph.node("input", (), (i, True), dtype=FLOAT32, shape=(3,)) for i in range(2))
    for condition, chosen in ((True, a), (False, b)):
        assert graph.apply("where", (graph.constant(condition, BOOL), a, b), FLOAT32, (3,)) is chosen


def test_the_text_of_a_graph() -> None:
    def function(x: Symbol) -> Any:
        m = gg.max(x, axis=1, keepdims=True)
        return gg.exp(x - m) * 2.5, x.shape[0] * gg.sum(x)

    out, _ = traced(function)
    assert describe([y.node for y in out], "softmax") == (
        "softmax(x0: float32[s0, s1]):\n"
        "    t0 = max(x0, axis=(1,))  # float32[s0]\n"
        "    t1 = reshape(t0)  # float32[s0, 1]\n"
        "    t2 = subtract(x0, t1)  # float32[s0, s1]\n"
        "    t3 = exp(t2)  # float32[s0, s1]\n"
        "    t4 = multiply(t3, 2.5)  # float32[s0, s1]\n"
        "    t5 = sum(x0, axis=(0, 1))  # float32[]\n"
        "    t6 = cast(s0)  # float32[]\n"
        "    t7 = multiply(t6, t5)  # float32[]\n"
        "    return t4, t7"
    )


def test_the_same_function_writes_the_same_graph() -> None:
    def function(x: Any) -> Any:
        return gg.concat([gg.tanh(x)[:, ::2], x[:, 1::2] ** 3], axis=1)

    texts = {describe([traced(function)[0].node]) for _ in range(3)}
    assert len(texts) == 1
