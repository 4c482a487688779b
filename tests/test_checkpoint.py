"""gpugrad.checkpoint: the same gradients, less memory."""

import gc
import tracemalloc
import weakref
from collections import namedtuple

import numpy as np
import pytest
from tensors import leaf

import gpugrad as gg
from gpugrad.errors import GraphError, InplaceError
from gpugrad.testing import assert_close, check_grads

Pair = namedtuple("Pair", "first second")


@pytest.fixture
def x():
    return leaf([0.5, -1.0, 2.0])


@pytest.fixture
def w():
    return leaf([1.0, 2.0, 3.0])


def block(x):
    return gg.tanh(gg.sin(x) * x)


def both(function, *inputs):
    """The gradients of a function with and without a checkpoint."""
    plain = gg.gradients(gg.sum(function(*inputs)), list(inputs))
    checked = gg.gradients(gg.sum(gg.checkpoint(function)(*inputs)), list(inputs))
    return plain, checked


def test_the_same_result_and_gradient(x):
    assert_close(gg.checkpoint(block)(x).detach(), block(x).detach())
    plain, checked = both(block, x)
    assert_close(checked, plain, rtol=0, atol=0)


def test_the_same_gradients_of_the_second_and_third_order(x):
    def orders(f):
        y, found = gg.sum(f(x)), []
        for _ in range(3):
            (g,) = gg.gradients(y, [x], create_graph=True)
            found.append(g.detach())
            y = gg.sum(g)
        return found

    assert_close(orders(gg.checkpoint(block)), orders(block))


def test_against_finite_differences(x):
    check_grads(gg.checkpoint(block), x.detach(), order=2)


def test_backward_through_a_chain_of_checkpoints(x):
    y, z = x, leaf(x.detach())
    other = z
    for _ in range(5):
        y, other = gg.checkpoint(block)(y), block(other)
    gg.sum(y).backward()
    gg.sum(other).backward()
    assert_close(x.grad, z.grad, rtol=0, atol=0)


def test_captured_parameters_get_their_gradients(x, w):
    layer = gg.checkpoint(lambda x: gg.tanh(x * w))
    gg.sum(layer(layer(x))).backward()
    x2, w2 = leaf(x.detach()), leaf(w.detach())
    gg.sum(gg.tanh(gg.tanh(x2 * w2) * w2)).backward()
    assert_close((x.grad, w.grad), (x2.grad, w2.grad))


def test_captured_parameters_alone(w):
    """As in a model's first layer, whose input does not record."""
    gg.sum(gg.checkpoint(lambda x: gg.exp(x * w))(gg.ones(3, dtype=gg.float64))).backward()
    assert_close(w.grad, np.exp([1.0, 2.0, 3.0]))


def test_a_captured_result_is_differentiated_further(x, w):
    scaled = w * 2
    gg.sum(gg.checkpoint(lambda x: x * scaled)(x)).backward()
    assert_close((x.grad, w.grad), (2 * w.detach(), 2 * x.detach()))


def test_captured_parameters_in_the_second_order(x, w):
    def penalty(f):
        (g,) = gg.gradients(gg.sum(f(x)), [x], create_graph=True)
        return gg.gradients(gg.sum(g * g), [x, w])

    f = lambda x: gg.tanh(x * w)
    assert_close(penalty(gg.checkpoint(f)), penalty(f))


def test_inside_the_transforms(x):
    f = lambda x: gg.sum(block(x))
    c = lambda x: gg.sum(gg.checkpoint(block)(x))
    array = x.detach().numpy()
    assert_close(gg.grad(c)(array), gg.grad(f)(array))
    assert_close(gg.hessian(c)(array), gg.hessian(f)(array))
    assert_close(gg.jvp(c, (array,), (array,)), gg.jvp(f, (array,), (array,)))
    assert_close(gg.jacobian(gg.checkpoint(block))(array), gg.jacobian(block)(array))
    assert_close(gg.grad(gg.checkpoint(f))(array), gg.grad(f)(array))


def test_a_transform_inside(x, w):
    def f(x):
        return gg.grad(lambda y: gg.sum(gg.sin(y) * w))(x) * x

    plain, checked = both(f, x)
    assert_close(checked, plain)


def test_random_numbers_are_drawn_again(x):
    masks = []

    def dropout(x):
        mask = gg.random.bernoulli((3,), 0.5)
        masks.append(mask.tolist())
        return gg.where(mask, x * x, 0.0)

    gg.manual_seed(0)
    before = gg.random.default_generator.get_state()
    for _ in range(5):
        y = gg.checkpoint(dropout)(x)
        between = gg.random.uniform((4,)).tolist()
        state = gg.random.default_generator.get_state()
        (g,) = gg.gradients(gg.sum(y), [x])
        first, again = masks[-2:]
        assert first == again
        assert_close(g, np.where(first, 2 * x.detach().numpy(), 0.0))
        assert gg.random.default_generator.get_state() == state  # as if nothing had been drawn again
    assert before != state and between != gg.random.uniform((4,)).tolist()
    assert len({tuple(m) for m in masks}) > 1


def test_random_numbers_of_a_generator_of_ones_own(x):
    generator = gg.random.Generator(3)
    drawn = []

    def noisy(x):
        drawn.append(generator.normal((3,), dtype=gg.float64).tolist())
        return x * gg.asarray(np.array(drawn[-1]))

    gg.sum(gg.checkpoint(noisy)(x)).backward()
    assert drawn[0] == drawn[1]
    assert_close(x.grad, np.array(drawn[0]))


def test_nested_checkpoints(x, w):
    calls = []

    @gg.checkpoint
    def inner(x):
        calls.append("inner")
        return gg.where(gg.random.bernoulli((3,), 0.5), gg.sin(x * w), x)

    @gg.checkpoint
    def outer(x):
        calls.append("outer")
        return inner(inner(x)) * gg.random.uniform((3,), dtype=gg.float64)

    gg.manual_seed(1)
    y = outer(x)
    assert calls == ["outer", "inner", "inner"]
    gg.sum(y).backward()
    assert calls.count("outer") == 2 and calls.count("inner") == 6

    gg.manual_seed(1)
    x2, w2 = leaf(x.detach()), leaf(w.detach())
    z = x2
    for _ in range(2):
        z = gg.where(gg.random.bernoulli((3,), 0.5), gg.sin(z * w2), z)
    z = z * gg.random.uniform((3,), dtype=gg.float64)
    assert_close(y.detach(), z.detach())
    gg.sum(z).backward()
    assert_close((x.grad, w.grad), (x2.grad, w2.grad))


def test_keyword_arguments(x, w):
    gg.sum(gg.checkpoint(lambda x, *, scale, power=1: (x * scale) ** power)(x, scale=w, power=2)).backward()
    assert_close((x.grad, w.grad), (2 * x.detach() * w.detach() ** 2, 2 * w.detach() * x.detach() ** 2))


def test_trees_in_and_out(x, w):
    @gg.checkpoint
    def f(tree, *rest):
        return {"sum": tree["a"] + tree["b"][0], "pair": Pair(tree["a"] * rest[0], "text"), "none": None}

    out = f({"a": x, "b": [w]}, 3.0)
    assert type(out["pair"]) is Pair and out["pair"].second == "text" and out["none"] is None
    gg.sum(out["sum"] * out["pair"].first).backward()
    # (x + w) * 3 x
    assert_close((x.grad, w.grad), (6 * x.detach() + 3 * w.detach(), 3 * x.detach()))


def test_some_results_are_not_used(x):
    first, _ = gg.checkpoint(lambda x: (x * 2, x * 3))(x)
    gg.sum(first).backward()
    assert_close(x.grad, np.full(3, 2.0))


def test_results_that_do_not_record(x):
    largest, y = gg.checkpoint(lambda x: (gg.argmax(x), x * 2))(x)
    assert not largest.requires_grad and int(largest) == 2 and y.requires_grad
    gg.sum(y).backward()
    assert_close(x.grad, np.full(3, 2.0))


def test_an_argument_as_a_result(x):
    same, doubled = gg.checkpoint(lambda x: (x, x * 2))(x)
    gg.sum(same * doubled).backward()
    assert_close(x.grad, 4 * x.detach())


def test_a_captured_tensor_as_a_result(x, w):
    a, b = gg.checkpoint(lambda x: (x * 2, w))(x)
    gg.sum(a * b).backward()
    assert_close((x.grad, w.grad), (2 * w.detach(), 2 * x.detach()))


def test_what_does_not_record_is_just_called():
    calls = []
    out = gg.checkpoint(lambda x: calls.append(1) or x * 2)(gg.ones(3))
    assert not out.requires_grad and calls == [1]
    array = gg.checkpoint(lambda x: x * 2)(np.ones(3))
    assert type(array) is np.ndarray


def test_under_no_grad_it_is_just_called(x):
    with gg.no_grad():
        assert not gg.checkpoint(block)(x).requires_grad


def test_complex_numbers():
    z = gg.tensor(np.array([1 + 2j, -0.5j]), requires_grad=True)
    f = lambda z: z**3 * gg.conj(z)
    loss = lambda f: gg.sum(gg.abs(f(z)) ** 2)
    assert_close(gg.gradients(loss(gg.checkpoint(f)), [z]), gg.gradients(loss(f), [z]))


def test_a_second_backward_wants_the_graph_retained(x):
    y = gg.sum(gg.checkpoint(block)(x))
    y.backward(retain_graph=True)
    y.backward()
    assert_close(x.grad, 2 * gg.grad(lambda x: gg.sum(block(x)))(x.detach()))
    with pytest.raises(GraphError, match="already differentiated"):
        y.backward()


# Memory -------------------------------------------------------------------------------------------------------------


def test_what_is_computed_inside_is_not_kept(x):
    gc.collect()
    gc.disable()
    try:
        inside = []

        def f(x):
            y = gg.sin(x)
            inside.append(weakref.ref(y.array))
            return gg.exp(y) * 2

        out = gg.checkpoint(f)(x)
        assert inside[0]() is None
        gg.sum(out).backward(retain_graph=True)
        assert [r() for r in inside] == [None, None]
        node = weakref.ref(out.node.source)
        del out
        assert node() is None  # no cycle either
    finally:
        gc.enable()


def peak(run):
    gc.collect()
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_smaller():
    x = leaf(np.ones(20_000))

    def deep(x):
        for _ in range(10):
            x = gg.sin(x)  # keeps its argument
        return x

    def train(layer):
        y = x
        for _ in range(10):
            y = layer(y)
        gg.sum(y).backward()
        x.grad = None

    train(deep)  # warm
    plain, checked = peak(lambda: train(deep)), peak(lambda: train(gg.checkpoint(deep)))
    assert plain > 100 * x.nbytes
    assert checked < 0.35 * plain  # 10 inputs of blocks + 10 arrays of one block, against 100


# Bad use ------------------------------------------------------------------------------------------------------------


def test_a_captured_parameter_that_an_optimizer_changed_is_refused(x, w):
    optimizer = gg.optim.SGD([w], lr=0.1)
    y = gg.sum(gg.checkpoint(lambda x: x * w**2)(x))
    w.grad = gg.ones(3, dtype=gg.float64)
    optimizer.step()
    with pytest.raises(InplaceError, match=r"checkpoint: a parameter of shape \(3,\) was changed since"):
        y.backward()
    assert x.grad is None


def test_a_parameter_that_was_an_argument_keeps_its_values(x, w):
    optimizer = gg.optim.SGD([w], lr=0.1)
    before = w.detach().numpy().copy()
    y = gg.sum(gg.checkpoint(lambda x, v: x * v**2)(x, w))
    w.grad = gg.ones(3, dtype=gg.float64)
    optimizer.step()
    y.backward()
    assert_close(x.grad, before**2)


def test_a_parameter_that_was_changed_by_hand_is_refused(x, w):
    y = gg.sum(gg.checkpoint(lambda x: x * w**2)(x))
    with gg.no_grad():
        w -= 0.1
    with pytest.raises(InplaceError, match=r"checkpoint: a parameter of shape \(3,\) was changed since .*<lambda> ran"):
        y.backward()


def test_a_parameter_that_was_changed_by_index_is_refused(x, w):
    y = gg.sum(gg.checkpoint(lambda x: x * w**2)(x))
    with gg.no_grad():
        w[0] = 5.0
    with pytest.raises(InplaceError, match="was changed since"):
        y.backward()


def test_an_argument_that_was_changed_by_hand_keeps_its_old_value(x):
    y = gg.sum(gg.checkpoint(lambda x: x**2)(x))
    old = x.detach()
    with gg.no_grad():
        x -= 10.0
    y.backward()
    assert_close(x.grad, 2 * old)


def test_a_function_that_returns_something_else_the_second_time_is_refused(x):
    calls = []

    def fickle(x):
        calls.append(1)
        return [x * 2] * len(calls)

    y = gg.sum(gg.checkpoint(fickle)(x)[0])
    with pytest.raises(GraphError, match=r"fickle returned 1 results, and 2 when computed again"):
        y.backward()


@pytest.mark.parametrize("second", [lambda x: x.detach(), lambda x: x[:2], lambda x: 5.0])
def test_a_result_that_is_something_else_the_second_time_is_refused(x, second):
    calls = []

    def fickle(x):
        calls.append(1)
        return x * 2 if len(calls) == 1 else second(x)

    y = gg.sum(gg.checkpoint(fickle)(x))
    with pytest.raises(GraphError, match=r"result 0 of .*fickle had shape \(3,\), and was something else when computed again"):
        y.backward()
    assert x.grad is None


def test_an_error_when_computing_again_puts_the_random_state_back(x):
    calls = []

    def failing(x):
        calls.append(1)
        gg.random.uniform((3,))
        if len(calls) == 2:
            raise ZeroDivisionError
        return x * 2

    y = gg.sum(gg.checkpoint(failing)(x))
    state = gg.random.default_generator.get_state()
    with pytest.raises(ZeroDivisionError):
        y.backward()
    assert gg.random.default_generator.get_state() == state


def test_the_name_is_kept():
    assert gg.checkpoint(block).__name__ == "block"


def test_on_every_library(backend):
    x = gg.asarray(backend.asarray(np.array([0.5, -1.0]))).requires_grad_()
    gg.sum(gg.checkpoint(block)(x)).backward()
    assert backend.is_array(x.grad.array)
    np.testing.assert_allclose(
        backend.to_numpy(x.grad.array), gg.grad(lambda x: gg.sum(block(x)))(np.array([0.5, -1.0])), rtol=1e-12
    )
