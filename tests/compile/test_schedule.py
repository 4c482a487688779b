"""What is computed together: the kernels of well-known functions, and their spaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import pytest

import gpugrad as gg
from gpugrad.compile import namespace  # noqa: F401  (gives Symbols their operators)
from gpugrad.compile.graph import Node
from gpugrad.compile.schedule import Kernel, schedule
from gpugrad.compile.sizes import variable
from gpugrad.compile.symbols import Trace, tracing

MAP, ROW, COLUMN, FULL = (False, False), (False, True), (True, False), (True, True)
Step = tuple[bool, ...] | str


def steps(function: Callable[..., Any], *arguments: tuple[tuple[int, ...], str]) -> list[Step]:
    """Of every step which axes a kernel reduces, or the name of a call. Sizes that are equal are taken to stay equal."""
    trace = Trace("function")
    sizes: dict[int, Any] = {}
    with tracing(trace):
        inputs = []
        for i, (shape, dtype) in enumerate(arguments):
            symbols = tuple(n if n == 1 else sizes.setdefault(n, variable(len(sizes), n, trace)) for n in shape)
            node = trace.graph.node("input", (), (i, True), dtype=numpy.dtype(dtype), shape=symbols)
            inputs.append(trace.symbol(node))
        out = function(*inputs)
    nodes: list[Node] = [x.node for x in (out if isinstance(out, tuple) else (out,))]
    found = schedule(nodes)
    assert [s.level for s in found] == sorted(s.level for s in found)
    stored = [root.number for s in found for root in (s.roots if isinstance(s, Kernel) else [s.node])]
    assert len(stored) == len(set(stored)), "each is computed once"
    assert {n.number for n in nodes if n.op != "input"} <= set(stored)
    return [s.space.reduced if isinstance(s, Kernel) else s.node.attributes[0] for s in found]


MATRIX = ((128, 512), "float32")
VECTOR = ((512,), "float32")
IMAGES = ((8, 3, 32, 33), "float32")


def softmax(x: Any, axis: int = 1) -> Any:
    e = gg.exp(x - gg.max(x, axis=axis, keepdims=True))
    return e / gg.sum(e, axis=axis, keepdims=True)


def log_softmax(x: Any) -> Any:
    z = x - gg.max(x, axis=1, keepdims=True)
    return z - gg.log(gg.sum(gg.exp(z), axis=1, keepdims=True))


def standardise(x: Any, axis: Any) -> Any:
    return (x - gg.mean(x, axis=axis, keepdims=True)) / gg.sqrt(gg.var(x, axis=axis, keepdims=True) + 1e-5)


def layer_norm_gradients(x: Any, weight: Any, g: Any) -> Any:
    r = 1 / gg.sqrt(gg.var(x, axis=-1, keepdims=True) + 1e-5)
    h = (x - gg.mean(x, axis=-1, keepdims=True)) * r
    gh = g * weight
    dx = r * (gh - gg.mean(gh, axis=-1, keepdims=True) - h * gg.mean(gh * h, axis=-1, keepdims=True))
    return dx, gg.sum(g * h, axis=0), gg.sum(g, axis=0)


def cross_entropy(x: Any, labels: Any) -> Any:
    return -gg.mean(gg.take_along_axis(log_softmax(x), labels[:, None], axis=1))


def batch_norm_gradients(x: Any, g: Any) -> Any:
    r = 1 / gg.sqrt(gg.var(x, axis=0) + 1e-5)
    h = (x - gg.mean(x, axis=0)) * r
    return r * (g - gg.mean(g, axis=0) - h * gg.mean(g * h, axis=0)), gg.sum(g * h, axis=0), gg.sum(g, axis=0)


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        pytest.param(lambda x: gg.exp(x) * 2 + x, [MATRIX], [MAP], id="elementwise"),
        pytest.param(softmax, [MATRIX], [ROW], id="softmax"),
        pytest.param(lambda x: softmax(x, 0), [MATRIX], [COLUMN], id="softmax of columns"),
        pytest.param(log_softmax, [MATRIX], [ROW], id="log_softmax"),
        pytest.param(
            lambda x, g: g - gg.exp(log_softmax(x)) * gg.sum(g, axis=1, keepdims=True), [MATRIX, MATRIX], [ROW], id="its VJP"
        ),
        pytest.param(lambda x, w: standardise(x, -1) * w, [MATRIX, VECTOR], [ROW], id="layer norm"),
        pytest.param(lambda x: standardise(x, (2, 3)), [IMAGES], [(False, False, True, True)], id="instance norm"),
        pytest.param(lambda x: standardise(x, (0, 2, 3)), [IMAGES], [(True, False, True, True)], id="batch norm of images"),
        pytest.param(lambda x, w: standardise(x, 0) * w, [MATRIX, VECTOR], [COLUMN], id="batch norm"),
        pytest.param(batch_norm_gradients, [MATRIX, MATRIX], [COLUMN], id="batch norm's VJP"),
        pytest.param(layer_norm_gradients, [MATRIX, VECTOR, MATRIX], [ROW, COLUMN], id="layer norm's VJP"),
        pytest.param(cross_entropy, [MATRIX, ((128,), "int64")], [(False, True), (True,)], id="cross entropy"),
        pytest.param(lambda x: x / gg.sqrt(gg.sum(x * x)), [MATRIX], [FULL, MAP], id="x / |x|"),
        pytest.param(lambda x: gg.mean((x - 1) ** 2), [MATRIX], [FULL], id="squared error"),
        pytest.param(gg.var, [MATRIX], [FULL, FULL], id="variance of all"),
        pytest.param(
            lambda x: (gg.sum(x, axis=0), gg.max(x, axis=0), gg.sum(x, axis=1), gg.sum(x)),
            [MATRIX],
            [COLUMN, ROW, FULL],
            id="by space",
        ),
        pytest.param(lambda x: gg.sum(x, axis=0)[:, None] * gg.sum(x, axis=1), [MATRIX], [COLUMN, ROW, MAP], id="outer"),
        pytest.param(lambda x: gg.exp(gg.matmul(gg.tanh(x), x.T)), [MATRIX], [MAP, "matmul", MAP], id="matmul"),
        pytest.param(lambda x: gg.matmul(x, x.T), [MATRIX], ["matmul"], id="a transposed operand is a view"),
        pytest.param(lambda x: gg.cumulative_sum(gg.sum(x, axis=1)), [MATRIX], [ROW, "cumulative_sum"], id="a scan of sums"),
        pytest.param(lambda x: (x.T, gg.matmul(x, x.T)), [MATRIX], [MAP, "matmul"], id="a transposed operand that is a result"),
        pytest.param(lambda x: (x, x + 1), [MATRIX], [MAP], id="an argument is stored already"),
    ],
)
def test_steps(function: Callable[..., Any], arguments: list[Any], expected: list[Step]) -> None:
    assert sorted(map(str, steps(function, *arguments))) == sorted(map(str, expected))


def test_steps_run_in_the_order_of_what_they_need() -> None:
    assert steps(layer_norm_gradients, MATRIX, VECTOR, MATRIX) == [ROW, COLUMN]
    assert steps(lambda x: gg.exp(gg.matmul(gg.tanh(x), x.T)), MATRIX) == [MAP, "matmul", MAP]
    assert steps(lambda x: x / gg.sqrt(gg.sum(x * x)), MATRIX) == [FULL, MAP]


def test_of_a_reduction_inside_a_reduction_the_smaller_is_stored() -> None:
    """sum over all of (x - column means): the column means, 512 numbers, rather than the matrix."""
    trace = Trace("function")
    with tracing(trace):
        shape = (variable(0, 128, trace), variable(1, 512, trace))
        x = trace.symbol(trace.graph.node("input", (), (0, True), dtype=numpy.dtype("float32"), shape=shape))
        out = gg.sum(gg.exp(x - gg.mean(x, axis=0)))
    columns, total = schedule([out.node])
    assert isinstance(columns, Kernel)
    assert isinstance(total, Kernel)
    (means,) = columns.roots
    assert means.shape == (shape[1],)
    assert columns.space.reduced == COLUMN
    assert total.space.reduced == FULL


def test_long_chains_are_cut() -> None:
    """Code is generated by recursion: no kernel goes deeper than DEEPEST from what it has stored."""

    def function(x: Any) -> Any:
        for i in range(500):
            x = gg.sin(x) * 2 + i
        return x

    assert steps(function, MATRIX) == [MAP]
    assert steps(lambda x: gg.sum(function(x), axis=1), MATRIX) == [MAP, ROW]


def test_a_kernel_that_nobody_waits_for_joins_a_later_one() -> None:
    """The sum of g alone needs nothing, but another of the same space has to wait for the rows' statistics."""
    found = steps(lambda x, g: (gg.sum(g * softmax(x), axis=0), gg.sum(g, axis=0)), MATRIX, MATRIX)
    assert found == [ROW, COLUMN]


def test_reductions_inside_of_one_another_are_cut_into_kernels_of_a_few_passes() -> None:
    def centred(x: Any) -> Any:
        for _ in range(40):
            x = x - 0.5 * gg.mean(x, axis=1, keepdims=True)
        return x

    assert steps(centred, ((6, 7), "float32")) == [ROW] * 3  # 16 passes, 16, and 8
