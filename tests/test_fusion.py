"""gg.fuse: values, gradients of every order, trees, fallbacks and errors, against the function run op by op."""

from __future__ import annotations

import copy
import gc
import logging
import math
import pickle
import shutil
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.compile import build, runtime
from gpugrad.nn import functional as F

pytestmark = pytest.mark.skipif(shutil.which("cc") is None and shutil.which("gcc") is None, reason="no C compiler")


def swiglu(x, y):
    return x * F.sigmoid(x) * y


def standardized(x, weight, bias):
    d = x - gg.mean(x, axis=-1, keepdims=True)
    return d * (1 / gg.sqrt(gg.mean(d * d, axis=-1, keepdims=True) + 1e-5)) * weight + bias


def log_likelihood(x, mu, sigma):
    return gg.sum(-0.5 * ((x - mu) / sigma) ** 2 - gg.log(sigma))


def iterated(x, y):
    a, b = 0 * x, 0 * y
    for _ in range(4):
        a, b = a * a - b * b + x, 2 * a * b + y
    return a * a + b * b


def several(x, y):
    return gg.exp(x) * y, {"columns": gg.sum(x * y, axis=0), "largest": gg.max(x, axis=1)}


def with_product(x, w):
    return gg.tanh(gg.matmul(gg.exp(0.1 * x), w))


def sliced(x):
    return gg.concat([x[1:], x[:-1] * 2], axis=0)[::-1, ::2]


def chosen(x, labels):
    return gg.take_along_axis(F.log_softmax(x, 1), gg.expand_dims(labels, 1), axis=1)[:, 0]


FUNCTIONS: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (swiglu, ((7, 9), (7, 9))),
    (swiglu, ((7, 9), (9,))),
    (standardized, ((6, 11), (11,), (11,))),
    (log_likelihood, ((50,), (), ())),
    (iterated, ((31,), (31,))),
    (several, ((5, 8), (5, 8))),
    (with_product, ((6, 4), (4, 5))),
    (sliced, ((6, 7),)),
]


def draw(shapes: tuple[Any, ...], dtype: str = "float64") -> list[Any]:
    rng = np.random.default_rng(len(shapes))
    return [rng.uniform(0.2, 1.5, shape).astype(dtype) for shape in shapes]


def leaves(tree: Any) -> list[Any]:
    return (
        [x for value in (tree.values() if isinstance(tree, dict) else tree) for x in leaves(value)]
        if isinstance(tree, (dict, tuple))
        else [tree]
    )


def derivatives(function: Callable[..., Any], arrays: list[Any], order: int) -> list[Any]:
    """The results and the gradients of weighted sums of them, again and again."""
    inputs = [gg.tensor(x, requires_grad=True) for x in arrays]
    found = results = leaves(function(*inputs))
    for level in range(order):
        weights = [np.cos(np.arange(x.size)).reshape(x.shape).astype(x.dtype) for x in results]
        loss: Any = sum(gg.sum(x * w) for x, w in zip(results, weights, strict=True))
        loss = loss + 0 * gg.sum(gg.concat([gg.reshape(x, (-1,)) for x in inputs]))  # of linear functions, too
        results = gg.gradients(loss, inputs, create_graph=level < order - 1, allow_unused=True)
        results = [gg.zeros_like(x) if g is None else g * 1 for x, g in zip(inputs, results, strict=True)]
        found = [*found, *results]
        results = [gg.sin(x) for x in results]
    return [x.detach().numpy() for x in found]


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("function, shapes", FUNCTIONS, ids=lambda x: getattr(x, "__name__", ""))
def test_values_and_gradients_are_those_of_the_function(function, shapes, order):
    arrays = draw(shapes)
    found, expected = derivatives(gg.fuse(function), arrays, order), derivatives(function, arrays, order)
    assert len(found) == len(expected)
    for x, y in zip(found, expected, strict=True):
        assert x.shape == y.shape and x.dtype == y.dtype
        np.testing.assert_allclose(x, y, rtol=10.0 ** (order - 10), atol=1e-11)


@pytest.mark.parametrize("dtype, tolerance", [("float16", 4e-3), ("float32", 3e-6), ("float64", 1e-13)])
@pytest.mark.parametrize("function, shapes", [*FUNCTIONS[:4], FUNCTIONS[5]], ids=lambda x: getattr(x, "__name__", ""))
def test_dtypes(function, shapes, dtype, tolerance):
    arrays = draw(shapes, dtype)
    expected = leaves(function(*(x.astype("float64") for x in arrays)))
    for x, y in zip(leaves(gg.fuse(function)(*arrays)), expected, strict=True):
        assert x.dtype == dtype
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * abs(y).max())


def test_integer_arguments_have_no_gradient():
    x = gg.tensor(draw(((5, 4),))[0], requires_grad=True)
    labels = np.array([0, 3, 2, 2, 1])
    gg.sum(gg.fuse(chosen)(x, labels)).backward()
    y = gg.tensor(x.detach().numpy(), requires_grad=True)
    gg.sum(chosen(y, labels)).backward()
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-12)


# What goes in and out -------------------------------------------------------------------------------------------------


def test_arrays_in_arrays_out_tensors_in_tensors_out():
    x = np.ones((3, 4))
    assert type(gg.fuse(swiglu)(x, x)) is np.ndarray
    out = gg.fuse(swiglu)(gg.tensor(x), x)
    assert isinstance(out, gg.Tensor) and not out.requires_grad
    with gg.no_grad():
        assert not gg.fuse(swiglu)(gg.tensor(x, requires_grad=True), x).requires_grad


def test_trees_keywords_and_methods():
    class Model:
        scale = 3

        @gg.fuse
        def __call__(self, batch, *, gain=1.0, names=("x",)):
            return {name: [batch[name] * self.scale * gain] for name in names}

    x = gg.tensor([1.0, 2.0], requires_grad=True)
    out = Model()({"x": x, "y": np.zeros(3)}, gain=2.0)
    assert out["x"][0].tolist() == [6.0, 12.0]
    out["x"][0].sum().backward()
    assert x.grad.tolist() == [6.0, 6.0]


def test_a_method_sees_the_attributes_of_each_call(caplog):
    class Layer(gg.nn.Module):
        gain = 2.0

        @gg.fuse
        def forward(self, x):
            return x * (self.gain if self.training else 1.0)

    layer, x = Layer(), gg.tensor([1.0, 2.0], requires_grad=True)
    for gain, training in ((2.0, True), (5.0, True), (5.0, False)):
        layer.gain = gain
        layer.train(training)
        out = layer(x)
        factor = gain if training else 1.0
        assert out.tolist() == [factor, 2 * factor]
        assert gg.gradients(gg.sum(out), [x])[0].tolist() == [factor, factor]
        assert layer.forward({"x": x}["x"]).tolist() == out.tolist()
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1 and "forward: an argument is an object of type Layer" in said[0]


def test_static_methods_and_methods_of_classes():
    class Model:
        @staticmethod
        @gg.fuse
        def doubled(x):
            return x * 2

        @classmethod
        @gg.fuse
        def named(cls, x):
            return gg.exp(x) * len(cls.__name__)

    x = np.ones(3)
    assert Model.doubled(x).tolist() == Model().doubled(x).tolist() == [2.0, 2.0, 2.0]
    np.testing.assert_allclose(Model.named(x), 5 * np.exp(x))
    assert "exp(" in Model.named.graph(x) and "gg_exp_f64" in Model().named.source("c", x)


def test_many_ints_run_the_function_after_one_line(caplog):
    f, x = gg.fuse(lambda x, step, scale: x * step + scale), np.ones(3)
    for step in range(2, 50):
        assert f(x, step, 0.5).tolist() == [step + 0.5] * 3
    assert sum(map(len, f._variant((0, 0, 0)).programs.values())) == 32
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1 and "'step'" in said[0] and "pass floats or arrays" in said[0]


def test_floats_may_change_and_ints_are_part_of_the_program():
    traced = []

    @gg.fuse
    def f(x, k, n):
        traced.append(n)
        return k * x**n

    x = np.array([1.0, 2.0])
    assert f(x, 0.5, 2).tolist() == [0.5, 2.0]
    assert f(x, 3.0, 2).tolist() == [3.0, 12.0]
    assert traced == [2]
    assert f(x, 3.0, 3).tolist() == [3.0, 24.0]
    assert traced == [2, 3]


def test_a_float_that_decides_is_asked_again():
    @gg.fuse
    def f(x, k):
        return x * 2 if k > 1 else x - 1

    x = np.array([1.0, 2.0])
    assert [f(x, k).tolist() for k in (2.0, 0.5, 3.0, 1.0)] == [[2.0, 4.0], [0.0, 1.0], [2.0, 4.0], [0.0, 1.0]]


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize(
    "function",
    [
        lambda x, k: x**k,
        lambda x, k: k**x,
        lambda x, k: gg.where(k > 1, gg.sqrt(x), x * x),
        lambda x, k: gg.linalg.vector_norm(x, ord=k, keepdims=True),
    ],
)
def test_gradients_of_what_a_float_decides(function, order):
    fused = gg.fuse(function)
    arrays = draw(((5,),))
    for k in (1.5, 2.0, 0.0, 1.0, 0.5):
        found = derivatives(lambda x, k=k: fused(x, k), arrays, order)
        for x, y in zip(found, derivatives(lambda x, k=k: function(x, k), arrays, order), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-11, atol=1e-12)


def test_a_float_that_decides_in_the_gradient_alone_is_asked_again():
    """The gradient of 0**x is 0, which a program for other bases may not keep; and so on."""
    for power, expected in ((lambda x, k: k**x, [0.0, math.log(2) * 4, 0.0]), (lambda x, k: x**k, [0.0, 4.0, 0.0])):
        fused, found = gg.fuse(power), []
        for k in (0.0, 2.0, 0.0):
            x = gg.tensor([2.0], requires_grad=True)
            fused(x, k).backward(gg.ones(1))
            found += x.grad.tolist()
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_gradient_of_a_square_is_a_product():
    """Whether the exponent is a float argument or written in the function."""
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    backward = gg.fuse(lambda x, k: x**k).graph(x, 2.0).partition("_backward")[2]
    assert "multiply" in backward and "pow" not in backward


def test_einsum_takes_sizes_of_its_own_trace():
    """And not those of another function, or of an earlier size, whose operands had the same ones."""

    def product(x, y):
        return gg.einsum("bij,jk->bik", x, y)

    swapped = gg.fuse(lambda y, x: product(x, y))
    calls = []
    fused = gg.fuse(lambda x, y: (calls.append(1), product(x, y))[1])
    rng = np.random.default_rng(0)
    for n in (5, 6, 7):
        x, y = (gg.tensor(rng.normal(size=shape)) for shape in ((n, 30, 40), (40, 50)))
        for out in (fused(x, y), swapped(y, x), product(x, y)):
            np.testing.assert_allclose(out.numpy(), x.numpy() @ y.numpy())
    assert len(calls) == 1


def test_a_new_size_traces_nothing():
    traced = []

    @gg.fuse
    def f(x):
        traced.append(x.shape)
        return x - gg.mean(x, axis=1, keepdims=True)

    for n in (2, 3, 17, 64):
        x = gg.tensor(np.random.default_rng(n).random((n, 2 * n)), requires_grad=True)
        out = f(x)
        np.testing.assert_allclose(out.numpy() if not out.requires_grad else out.detach().numpy().sum(1), 0, atol=1e-12)
        (g,) = gg.gradients(gg.sum(out * out), [x])
        np.testing.assert_allclose(g.numpy(), 2 * out.detach().numpy(), atol=1e-12)
    assert len(traced) == 1


def test_creation_functions_inside():
    f = gg.fuse(lambda x: x * gg.arange(3) + gg.zeros(3) + gg.eye(3) + gg.linspace(0, 1, 3) + gg.full((), 2.0))
    np.testing.assert_allclose(f(np.ones(3)), np.arange(3) + np.eye(3) + np.linspace(0, 1, 3) + 2)


def test_a_fused_function_inside_another_and_inside_a_transform():
    inner = gg.fuse(swiglu)
    outer = gg.fuse(lambda x: gg.sum(inner(x, x)))
    x = draw(((9,),))[0]
    np.testing.assert_allclose(outer(x), np.sum(swiglu(x, x)), rtol=1e-13)
    expected = gg.grad(lambda x: gg.sum(swiglu(x, x)))(x)
    np.testing.assert_allclose(gg.grad(outer)(x), expected, rtol=1e-12)
    np.testing.assert_allclose(gg.fuse(gg.grad(outer))(x), expected, rtol=1e-12)
    _, tangent = gg.jvp(inner, (x, x), (x, x))
    np.testing.assert_allclose(tangent, gg.jvp(swiglu, (x, x), (x, x))[1], rtol=1e-12)


def test_several_gradients_in_one_kernel():
    f = gg.fuse(gg.value_and_grad(lambda x, y: gg.sum(swiglu(x, y)), argnums=(0, 1)))
    x, y = draw(((40,), (40,)))
    value, (gx, gy) = f(x, y)
    expected, (ex, ey) = gg.value_and_grad(lambda x, y: gg.sum(swiglu(x, y)), argnums=(0, 1))(x, y)
    np.testing.assert_allclose(value, expected)
    np.testing.assert_allclose(gx, ex)
    np.testing.assert_allclose(gy, ey)


# Gradients that need care -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2])
def test_a_branch_that_was_not_taken(order):
    """As op by op: the gradient is zero where the fused function's derivative is infinite or nan, but was masked."""
    root = gg.fuse(lambda x: 2 * gg.sqrt(x))

    def gradient(f):
        x = gg.tensor([0.0, -1.0, 4.0], requires_grad=True)
        with np.errstate(invalid="ignore"):
            y = gg.where(x > 0, f(x), 0)
        (g,) = gg.gradients(gg.sum(y), [x], create_graph=True)
        return (g if order == 1 else gg.gradients(gg.sum(g), [x])[0]).tolist()

    assert gradient(root) == gradient(lambda x: 2 * gg.sqrt(x)) == ([0, 0, 0.5] if order == 1 else [0, 0, -0.0625])


def test_a_result_without_a_gradient_does_not_harm_the_other():
    x = gg.tensor([0.0, 1.0], requires_grad=True)
    smooth, _ = gg.fuse(lambda x: (3 * x, gg.sqrt(x)))(x)
    gg.sum(smooth).backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_backward_frees_and_retains():
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    y = gg.sum(gg.fuse(lambda x: x * x)(x))
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4.0, 8.0]
    with pytest.raises(gg.GraphError):
        y.backward()


def test_an_elementwise_chain_keeps_its_arguments_alone():
    """They are there anyway; what lies between is computed again."""
    x = gg.tensor(np.ones(1000), requires_grad=True)
    y = gg.fuse(iterated)(x, x)
    pull = y.node.source.pull
    assert all(saved is x.array or saved is y.array for saved in pull.saved)
    reference = weakref.ref(y.node)
    del y, pull
    gc.collect()
    assert reference() is None


def test_in_place_updates_do_not_reach_the_graph():
    x = gg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 1
    z = gg.fuse(lambda v: v * v)(y)
    y[0] = 10.0
    gg.sum(z).backward()
    assert x.grad.tolist() == [2.0, 4.0, 6.0]


def test_broadcast_and_transposed_arguments():
    x = draw(((6, 5),))[0]
    for view in (x.T, x[::2], x[:, ::-1], np.broadcast_to(x[0], (4, 5)), x[1:5, 1:4]):
        weights = np.ones(view.shape[1])
        found = derivatives(gg.fuse(standardized), [view, weights, weights], 1)
        for a, b in zip(found, derivatives(standardized, [view, weights, weights], 1), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_debug_mode_names_the_line():
    with gg.debug(), pytest.raises(gg.AnomalyError, match="test_fusion.py"):
        gg.fuse(lambda x: gg.log(x))(gg.tensor([0.0, 1.0], requires_grad=True))


def test_debug_mode_finds_the_first_nan_of_a_backward_pass():
    x = gg.tensor([0.0, 1.0], requires_grad=True)
    with (
        gg.debug(),
        pytest.raises(gg.AnomalyError, match=r"root: .* is in one of its gradients; the op was called at .*test_fusion"),
    ):
        gg.sum(gg.fuse(gg.sqrt, name="root")(x)).backward()


def test_threads_may_call_and_differentiate():
    f = gg.fuse(standardized)
    arrays = draw(((8, 6), (6,), (6,)))
    expected = derivatives(standardized, arrays, 1)
    wrong = []

    def work():
        for _ in range(5):
            found = derivatives(f, arrays, 1)
            wrong.extend(i for i, (x, y) in enumerate(zip(found, expected, strict=True)) if not np.allclose(x, y))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# Fallbacks --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def no_compiler(monkeypatch):
    monkeypatch.setenv("GPUGRAD_CC", "none")
    build._forget()
    runtime._forget()
    yield
    monkeypatch.undo()
    build._forget()
    runtime._forget()


def test_without_a_compiler_the_function_runs(no_compiler, caplog):
    caplog.set_level(logging.INFO, logger="gpugrad")
    arrays = draw(((6, 11), (11,), (11,)))
    for x, y in zip(derivatives(gg.fuse(standardized), arrays, 2), derivatives(standardized, arrays, 2), strict=True):
        np.testing.assert_array_equal(x, y)
    assert len([r for r in caplog.records if r.name.startswith("gpugrad")]) == 1


@pytest.mark.parametrize(
    "function, arguments",
    [
        (lambda x: x * 1j, (np.ones(3),)),
        (lambda x: gg.real(x * x), (np.ones(3) + 1j,)),
        (lambda x: gg.sum(x), (np.ones((0, 3)),)),
        (lambda x: gg.exp(x), (np.ones((3, 0)),)),
        (lambda x, i: x[i], (np.arange(4.0), np.array([2, 0]))),
    ],
)
def test_what_has_no_kernel_runs_as_it_is(function, arguments):
    found, expected = gg.fuse(function)(*arguments), function(*arguments)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


def test_other_libraries_arrays():
    xp = pytest.importorskip("array_api_strict")
    x = gg.asarray(xp.asarray([1.0, 2.0])).requires_grad_()
    y = gg.fuse(swiglu)(x, x)
    assert type(y.array) is type(xp.asarray(1.0))
    gg.sum(y).backward()
    expected = gg.grad(lambda x: gg.sum(swiglu(x, x)))(np.array([1.0, 2.0]))
    np.testing.assert_allclose(np.asarray(x.grad.array), expected)


# Errors -----------------------------------------------------------------------------------------------------------------


def test_a_program_that_depends_on_elements():
    @gg.fuse
    def f(x):
        if gg.sum(x) > 0:  # this line
            return x
        return -x

    with pytest.raises(
        gg.TracingError, match=r"f: .* at .*test_fusion.py:\d+ in f: if gg.sum\(x\) > 0:  # this line.*gg.where"
    ):
        f(np.ones(3))


@pytest.mark.parametrize(
    "function",
    [lambda x: x[0].item(), lambda x: float(x[0]), lambda x: np.asarray(x), lambda x: x.tolist(), lambda x: int(x[0])],
)
@pytest.mark.parametrize("make", [np.asarray, gg.asarray])
def test_elements_are_not_there_yet(function, make):
    with pytest.raises(gg.TracingError, match="test_fusion.py"):
        gg.fuse(function)(make([1.0, 2.0]))


@pytest.mark.parametrize("captured", [np.ones(3), gg.tensor([1.0, 2.0, 3.0], requires_grad=True)])
def test_an_array_that_is_no_argument(captured):
    with pytest.raises(gg.TracingError, match=r"\(3,\)\) at .*test_fusion.py.*as an argument"):
        gg.fuse(lambda x: x * captured)(gg.tensor([1.0, 2.0, 3.0], requires_grad=True))


def test_a_loop_without_an_end():
    def endless(x):
        while True:
            x = x * 1.0001

    with pytest.raises(gg.TracingError, match="more than 50,000 ops were traced, at .*test_fusion.py"):
        gg.fuse(endless)(np.ones(3))


def test_recursion_without_an_end():
    def endless(x):
        return endless(x + 1)

    with pytest.raises(gg.TracingError, match="endless: the function calls itself without end"):
        gg.fuse(endless)(np.ones(3))


def test_shapes_that_do_not_fit():
    with pytest.raises(gg.ShapeError, match=r"\(3,\) and \(4,\) do not broadcast, at .*test_fusion.py"):
        gg.fuse(lambda x, y: x + y)(np.ones(3), np.ones(4))


def test_an_error_leaves_the_function_usable():
    @gg.fuse
    def f(x, y):
        return x + y

    with pytest.raises(gg.ShapeError):
        f(np.ones(3), np.ones(4))
    assert f(np.ones(3), np.ones(3)).tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("given", [3, None, "f"])
def test_what_is_no_function(given):
    with pytest.raises(TypeError, match=f"fuse: got {given!r}, expected a function"):
        gg.fuse(given)


@pytest.mark.parametrize("kind", [staticmethod, classmethod])
def test_the_order_of_decorators(kind):
    with pytest.raises(TypeError, match=f"write @{kind.__name__} above @gg.fuse"):
        gg.fuse(kind(swiglu))


# Copies -----------------------------------------------------------------------------------------------------------------


fused_swiglu = gg.fuse(swiglu, name="other")


def test_pickling_by_the_function_inside():
    x = np.ones(3)
    loaded = pickle.loads(pickle.dumps(fused_swiglu))
    assert isinstance(loaded, gg.fuse) and loaded._name == "other"
    np.testing.assert_array_equal(loaded(x, x), fused_swiglu(x, x))
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(gg.fuse(lambda x: x))


def test_a_module_with_a_fused_function_is_copied():
    class Layer(gg.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = gg.nn.Parameter(np.full(3, 2.0))
            self.product = gg.fuse(lambda x, w: x * w)

        def forward(self, x):
            return self.product(x, self.weight)

    layer, x = Layer(), np.ones(3)
    layer(x)
    twin = copy.deepcopy(layer)
    assert twin.product is not layer.product and copy.copy(layer.product) is not layer.product
    assert twin(x).tolist() == layer(x).tolist() == [2.0, 2.0, 2.0]


# To look at -------------------------------------------------------------------------------------------------------------


def test_the_graph_and_the_sources_are_readable():
    x = np.ones((3, 4))
    f = gg.fuse(swiglu)
    graph = f.graph(x, x)
    assert graph.startswith("swiglu(x0: float64[s0, s1], x1: float64[s0, s1]):") and "exp(" in graph and "return" in graph
    source = f.source("c", x, x)
    assert source.count("void swiglu") == 1 and "gg_exp_f64" in source
    assert "__global__" in f.source("cuda", x, x)
    with_gradient = f.graph(gg.tensor(x, requires_grad=True), x)
    assert "swiglu_backward(" in with_gradient
    assert "swiglu_backward" in f.source("c", gg.tensor(x, requires_grad=True), x)
    with pytest.raises(ValueError, match="'c' or 'cuda'"):
        f.source("fortran", x, x)


def test_looking_runs_nothing():
    ran = []

    @gg.fuse
    def f(x):
        ran.append(type(x))
        return F.dropout(x, 0.5)

    gg.random.manual_seed(3)
    f.graph(np.ones(8)), f.source("c", gg.tensor(np.ones(8), requires_grad=True))
    assert ran and np.ndarray not in ran and not f._variant((0,)).programs
    drawn = gg.random.uniform((4,)).tolist()
    gg.random.manual_seed(3)
    assert gg.random.uniform((4,)).tolist() == drawn


def test_the_method_of_an_object_has_no_source():
    class Model:
        @gg.fuse
        def double(self, x):
            return x * 2

    with pytest.raises(gg.TracingError, match="double has no kernels for these arguments"):
        Model().double.source("c", np.ones(3))
    assert Model.double.__name__ == Model().double.__name__ == "double"
    assert repr(gg.fuse(swiglu)) == f"<gg.fuse of {__name__}.swiglu>"
