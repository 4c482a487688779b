"""gpugrad.sweep: the backward sweep, seen through backward(), gradients() and hooks."""

import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from own_ops import own_op
from tensors import leaf, values

import gpugrad as gg
from gpugrad.errors import DTypeError, GraphError, RuleError, ShapeError
from gpugrad.sweep import cast, unbroadcast
from gpugrad.testing import assert_close

# What backward computes ---------------------------------------------------------------------------------------------


def test_backward_of_a_scalar():
    x = leaf([1.0, 2.0, 3.0])
    gg.sum(x * x).backward()
    assert values(x.grad) == [2.0, 4.0, 6.0]
    assert x.grad.dtype == gg.float64 and x.grad.requires_grad is False


def test_backward_adds_to_what_is_there():
    x = leaf([1.0, 2.0])
    for _ in range(3):
        gg.sum(x * x).backward()
    assert values(x.grad) == [6.0, 12.0]
    x.grad = None
    gg.sum(x).backward()
    assert values(x.grad) == [1.0, 1.0]


def test_a_shared_subexpression_is_visited_once_with_its_whole_gradient():
    x = leaf(2.0)
    seen = []
    shared = x * x
    shared.register_hook(lambda g: seen.append(float(g)))
    (shared * 3 + shared * 5 + shared).backward()
    assert seen == [9.0] and float(x.grad) == 36.0


def test_diamond():
    x = leaf(0.5)
    left, right = gg.sin(x), gg.cos(x)
    (left * right).backward()
    assert float(x.grad) == pytest.approx(np.cos(1.0))


def test_a_ladder_of_diamonds_costs_one_visit_per_node():
    x = leaf(1.0)
    y = x
    for _ in range(200):  # 2 ** 200 paths
        y = y * 0.5 + y * 0.5
    y.backward()
    assert float(x.grad) == 1.0


@pytest.mark.parametrize(
    "op, expected",
    [
        (lambda x: x * x, 6.0),
        (lambda x: x + x, 2.0),
        (lambda x: x - x, 0.0),
        (lambda x: x / x, 0.0),
        (lambda x: x**x, 27 * (1 + np.log(3))),
    ],
    ids=["mul", "add", "sub", "div", "pow"],
)
def test_the_same_tensor_twice_in_one_op(op, expected):
    x = leaf(3.0)
    op(x).backward()
    assert float(x.grad) == pytest.approx(expected)


def test_backward_with_a_gradient():
    x = leaf([1.0, 2.0, 3.0])
    (x * x).backward(np.array([1.0, 10.0, 100.0]))
    assert values(x.grad) == [2.0, 40.0, 600.0]


@pytest.mark.parametrize("gradient", [[1.0, 10.0], 2.0, np.float32(2.0), gg.tensor([1.0, 10.0])], ids=type)
def test_a_gradient_may_be_a_list_a_number_or_a_tensor_of_another_dtype(gradient):
    x = leaf([1.0, 2.0])
    if isinstance(gradient, np.float32):
        with pytest.raises(ShapeError, match=r"backward: the gradient has shape \(\), expected the output's shape \(2,\)"):
            (x * x).backward(gradient)
        return
    (x * x).backward(gradient)
    assert values(x.grad) == ([4.0, 8.0] if isinstance(gradient, float) else [2.0, 40.0])
    assert x.grad.dtype == gg.float64


def test_backward_of_a_leaf_itself():
    x = leaf(5.0)
    x.backward()
    assert float(x.grad) == 1.0


def test_a_branch_that_is_not_used_gets_nothing():
    x, unused = leaf(1.0), leaf(1.0)
    unused * 2
    (x * 2).backward()
    assert unused.grad is None


def test_a_locally_constant_op_gives_zeros():
    x = leaf([1.5, 2.5])
    gg.sum(gg.floor(x)).backward()
    assert values(x.grad) == [0.0, 0.0]


def test_gradients_take_the_dtype_of_what_they_belong_to():
    x, y = leaf([1.0, 2.0], np.float32), leaf([1.0, 2.0])
    gg.sum(x * y).backward()
    assert x.grad.dtype == gg.float32 and y.grad.dtype == gg.float64


@given(
    st.lists(st.integers(1, 3), min_size=0, max_size=4),
    st.lists(st.booleans(), min_size=4, max_size=4),
    st.integers(0, 4),
)
def test_broadcasting_is_undone(shape, squashed, dropped):
    small = tuple(1 if squash else n for n, squash in zip(shape, squashed, strict=False))[min(dropped, len(shape)) :]
    rng = np.random.default_rng(0)
    x, y = leaf(rng.normal(size=small)), leaf(rng.normal(size=shape))
    gg.sum(x * y).backward()
    assert x.grad.shape == small and y.grad.shape == tuple(shape)
    summed = np.broadcast_to(np.asarray(y.detach().numpy()), shape)
    extra = len(shape) - len(small)
    summed = summed.sum(axis=tuple(range(extra)))
    summed = summed.sum(axis=tuple(i for i, n in enumerate(small) if n != summed.shape[i]), keepdims=True)
    np.testing.assert_allclose(x.grad.numpy(), summed.reshape(small))


def test_unbroadcast_refuses_what_does_not_fit():
    with pytest.raises(RuleError, match=r"returned shape \(2, 3\), which does not reduce to the operand's shape \(4,\)"):
        unbroadcast(np.ones((2, 3)), (4,))
    with pytest.raises(RuleError, match=r"returned shape \(3,\)"):
        unbroadcast(np.ones(3), (2, 3))


def test_cast_takes_the_real_part_for_a_real_operand():
    out = cast(np.array([1 + 2j]), np.dtype("float32"))
    assert out.dtype == np.float32 and out.tolist() == [1.0]


# Freed graphs -------------------------------------------------------------------------------------------------------


def test_a_second_backward_is_refused():
    x = leaf([1.0, 2.0])
    y = gg.sum(x * x)
    y.backward()
    with pytest.raises(GraphError, match=r"already differentiated.*retain_graph=True"):
        y.backward()
    assert values(x.grad) == [2.0, 4.0]


def test_a_second_backward_through_a_shared_part_is_refused():
    x = leaf([1.0, 2.0])
    shared = x * x
    first, second = gg.sum(shared), gg.sum(shared * 2)
    first.backward()
    with pytest.raises(GraphError, match="already differentiated"):
        second.backward()


def test_a_second_backward_through_unstack_is_refused():
    x = leaf([1.0, 2.0])
    first, _ = gg.unstack(x)
    first.backward()
    with pytest.raises(GraphError, match="already differentiated"):
        first.backward()


def test_retain_graph():
    x = leaf([1.0, 2.0])
    y = gg.sum(gg.exp(x))
    y.backward(retain_graph=True)
    y.backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.exp([1.0, 2.0]))
    with pytest.raises(GraphError, match="already differentiated"):
        y.backward()


# Higher order -------------------------------------------------------------------------------------------------------


def test_create_graph_to_the_third_order():
    x = leaf(2.0)
    y = x**4
    orders = []
    for _ in range(4):
        (y,) = gg.gradients(y, [x], create_graph=True)
        orders.append(float(y.detach()))
    assert orders == [32.0, 48.0, 48.0, 24.0]


def test_backward_with_create_graph_gives_a_gradient_that_records():
    x = leaf([1.0, 2.0])
    gg.sum(x**3).backward(create_graph=True)
    first = x.grad
    assert first.requires_grad
    x.grad = None
    gg.sum(first).backward()
    np.testing.assert_allclose(x.grad.numpy(), [6.0, 12.0])


def test_second_order_through_a_shared_subexpression():
    x = leaf(0.7)
    s = gg.sin(x)
    (g,) = gg.gradients(s * s * s, [x], create_graph=True)
    (h,) = gg.gradients(g, [x])
    assert float(h) == pytest.approx(6 * np.sin(0.7) * np.cos(0.7) ** 2 - 3 * np.sin(0.7) ** 3)


def test_second_order_through_several_results():
    x = leaf([1.0, 2.0, 3.0])
    a, b, c = gg.unstack(x)
    (g,) = gg.gradients(a * b * c, [x], create_graph=True)
    assert values(g.detach()) == [6.0, 3.0, 2.0]
    (h,) = gg.gradients(gg.sum(g * gg.asarray(np.array([1.0, 10.0, 100.0]))), [x])
    assert values(h) == [230.0, 103.0, 12.0]


# All or nothing -----------------------------------------------------------------------------------------------------


def failing():
    @own_op(x=lambda g: (_ for _ in ()).throw(ZeroDivisionError("in the rule")))
    def failing_(x, /):
        return x * 1.0

    return failing_


def test_a_rule_that_raises_changes_no_gradient():
    x, y = leaf(1.0), leaf(1.0)
    gg.add(x, y).backward()
    out = failing()(x) + y * 2
    with pytest.raises(ZeroDivisionError, match="in the rule"):
        out.backward()
    assert float(x.grad) == 1.0 and float(y.grad) == 1.0


def test_an_accumulation_that_raises_changes_no_gradient():
    x, y = leaf([1.0, 2.0]), leaf([1.0, 2.0])
    for bad in (x, y):  # whichever comes last
        x.grad = y.grad = None
        bad.grad = gg.zeros(2, dtype=gg.float64)
        bad.grad.array = np.zeros(3)  # what the setter would refuse
        with pytest.raises(ShapeError):
            gg.sum(x * y).backward()
        other = y if bad is x else x
        assert other.grad is None and bad.grad.array.shape == (3,)


def test_a_hook_that_raises_changes_no_gradient():
    x, y = leaf(1.0), leaf(1.0)

    def hook(g):
        raise ZeroDivisionError("in the hook")

    x.register_hook(hook)
    with pytest.raises(ZeroDivisionError):
        (x * y).backward()
    assert x.grad is None and y.grad is None


# Memory during the sweep --------------------------------------------------------------------------------------------


def test_saved_arrays_are_released_during_the_sweep():
    x = leaf([1.0, 2.0])
    early = x * 1.0
    middle = gg.exp(early)
    late = gg.sin(middle * 1.0)
    saved = weakref.ref(late.node.edges[0][2][0])  # the argument of sin
    alive = []
    early.register_hook(lambda g: alive.append(saved() is not None))
    middle.register_hook(lambda g: alive.append(saved() is not None))
    gg.sum(late).backward()
    assert alive == [False, False]


def test_the_arrays_of_the_node_just_visited_are_released_before_the_next_hook():
    x = leaf([1.0, 2.0])
    y = gg.exp(x)
    z = gg.sin(y * 1.0)
    inner = parents_of(z)
    saved = weakref.ref(z.node.edges[0][2][0])
    alive = []
    inner.hooks = {0: lambda g: alive.append(saved() is not None)}
    del inner
    gg.sum(z).backward()
    assert alive == [False]


def parents_of(x):
    return x.node.edges[0][0]


def test_retain_graph_keeps_the_saved_arrays():
    x = leaf([1.0, 2.0])
    y = gg.sum(gg.sin(x * 1.0))
    y.backward(retain_graph=True)
    assert y.node.edges is not None


# Parameters that an optimizer has changed ---------------------------------------------------------------------------


def test_a_graph_from_before_a_step_differentiates_at_the_values_of_its_time():
    w = leaf([1.0, 2.0])
    optimizer = gg.optim.SGD([w], lr=0.1)
    loss = gg.sum(w * w)
    loss.backward(retain_graph=True)
    optimizer.step()
    w.grad = None
    loss.backward()
    assert values(w.grad) == [2.0, 4.0]


def test_a_graph_from_before_a_step_whose_parameter_is_no_target():
    w = leaf([1.0, 2.0])  # older than x: the sweep would not go down to it
    x = leaf([3.0, 4.0])
    optimizer = gg.optim.SGD([w], lr=0.1)
    optimizer.step()
    y = gg.sum(w * x)
    w.grad = gg.ones(2, dtype=gg.float64)
    optimizer.step()
    assert_close(gg.gradients(y, [x]), [np.asarray([1.0, 2.0])])


# gradients() --------------------------------------------------------------------------------------------------------


def test_gradients_changes_no_grad():
    x = leaf([1.0, 2.0])
    (g,) = gg.gradients(gg.sum(x * x), [x])
    assert values(g) == [2.0, 4.0] and x.grad is None


def test_gradients_with_respect_to_results_and_leaves():
    x = leaf(2.0)
    y = x * x
    z = y * x
    gy, gx = gg.gradients(z, [y, x])
    assert (float(gy), float(gx)) == (2.0, 12.0)


def test_gradients_nest_as_the_inputs_do():
    x, y = leaf(2.0), leaf(3.0)
    out = gg.gradients(x * y, {"x": x, "rest": (y, [x])})
    assert (float(out["x"]), float(out["rest"][0]), float(out["rest"][1][0])) == (3.0, 2.0, 3.0)


def test_gradients_of_several_outputs_are_summed():
    x = leaf([1.0, 2.0])
    (g,) = gg.gradients([gg.sum(x), x * x], [x], [None, np.array([1.0, 10.0])])
    assert values(g) == [3.0, 41.0]


def test_gradients_refuses_unused_inputs_unless_told():
    x, unused = leaf(1.0), leaf(1.0)
    y = x * 2
    with pytest.raises(GraphError, match="not computed from input 1; pass allow_unused=True"):
        gg.gradients(y, [x, unused], retain_graph=True)
    g, nothing = gg.gradients(y, [x, unused], allow_unused=True)
    assert float(g) == 2.0 and nothing is None


def test_gradients_refuses_inputs_that_do_not_record():
    with pytest.raises(GraphError, match="gradients: input 1 does not record"):
        gg.gradients(leaf(1.0) * 2, [leaf(1.0), gg.ones(())])


def test_gradients_wants_one_gradient_per_output():
    x = leaf(1.0)
    with pytest.raises(ShapeError, match="got 2 outputs and 1 gradients"):
        gg.gradients([x * 1, x * 2], [x], [None])


def test_gradients_of_an_output_that_is_an_input():
    x = leaf(1.0)
    (g,) = gg.gradients(x, [x])
    assert float(g) == 1.0


def test_gradients_stops_at_its_targets():
    """What is older than the oldest target is not differentiated, so it may have been freed."""
    x = leaf(1.0)
    y = x * 2
    z = y * 1.0
    y.backward(retain_graph=False)
    (g,) = gg.gradients(z, [y])
    assert float(g) == 1.0


# Bad input ----------------------------------------------------------------------------------------------------------


def test_backward_of_many_elements_wants_a_gradient():
    with pytest.raises(
        GraphError, match=r"backward: the output has shape \(2,\) and dtype float64.*\.sum\(\), or pass gradient="
    ):
        (leaf([1.0, 2.0]) * 2).backward()


def test_backward_of_a_complex_scalar_wants_a_gradient():
    z = leaf(1 + 1j, np.complex128)
    with pytest.raises(GraphError, match=r"dtype complex128; only a real output"):
        (z * z).backward()


@pytest.mark.parametrize("make", [lambda: gg.ones(()), lambda: leaf(1.0).detach() * 2, lambda: gg.sum(gg.argmax(leaf([1.0])))])
def test_backward_of_what_does_not_record(make):
    with pytest.raises(GraphError, match="backward: the output does not record"):
        make().backward()


def test_backward_of_what_was_computed_under_no_grad():
    x = leaf(1.0)
    with gg.no_grad():
        y = x * 2
    with pytest.raises(GraphError, match="under no_grad"):
        y.backward()


def test_backward_with_a_gradient_of_another_shape():
    x = leaf([1.0, 2.0])
    with pytest.raises(ShapeError, match=r"the gradient has shape \(3,\), expected the output's shape \(2,\)"):
        (x * 2).backward(np.ones(3))
    assert x.grad is None


def test_setting_a_gradient_that_does_not_fit():
    x = leaf([1.0, 2.0])
    with pytest.raises(ShapeError, match=r"grad: got shape \(3,\), expected a Tensor of shape \(2,\)"):
        x.grad = gg.ones(3, dtype=gg.float64)
    with pytest.raises(ShapeError, match="grad: got ndarray"):
        x.grad = np.ones(2)
    with pytest.raises(DTypeError, match="grad: got dtype float32, expected that of the tensor, float64"):
        x.grad = gg.ones(2)
    with pytest.raises(GraphError, match="only a leaf"):
        (x * 2).grad = gg.ones(2)


# Complex numbers ----------------------------------------------------------------------------------------------------


def test_the_complex_gradient_descends():
    z = leaf([1 + 2j, -3 + 0.5j], np.complex128)
    target = gg.asarray(np.array([0.5 - 1j, 2 + 2j]))
    before = None
    for _ in range(200):
        z.grad = None
        loss = gg.sum(gg.abs(z * (1 + 1j) - target) ** 2)
        loss.backward()
        assert before is None or loss.item() <= before
        before = loss.item()
        with gg.no_grad():
            z -= 0.05 * z.grad
    assert before < 1e-8


# Computed once by hand with PyTorch 2.x: z = [1+2j, -0.5+0.25j] requires grad, loss.backward(), z.grad.
PYTORCH = [
    (lambda z: gg.sum(gg.real(z * z)), [2 - 4j, -1 - 0.5j]),
    (lambda z: gg.sum(gg.imag(z * z)), [4 + 2j, 0.5 - 1j]),
    (lambda z: gg.sum(gg.abs(z)), [0.4472135954999579 + 0.8944271909999159j, -0.8944271909999159 + 0.4472135954999579j]),
    (
        lambda z: gg.sum(gg.real(gg.exp(z))),
        [-1.1312043837568135 - 2.4717266720048188j, 0.5876750903439226 - 0.15005808662216327j],
    ),
    (lambda z: gg.sum(gg.real(z * gg.conj(z))), [2 + 4j, -1 + 0.5j]),
    (lambda z: gg.real(z[0] / z[1]), [-1.6 + 0.8j, 3.2 + 6.4j]),
]


@pytest.mark.parametrize("loss, expected", PYTORCH)
def test_complex_gradients_equal_pytorchs(loss, expected):
    z = leaf([1 + 2j, -0.5 + 0.25j], np.complex128)
    loss(z).backward()
    np.testing.assert_allclose(z.grad.numpy(), expected, rtol=1e-12)


def test_a_real_leaf_in_a_complex_computation_has_a_real_gradient():
    x = leaf([1.0, 2.0])
    gg.sum(gg.abs(x * (3 + 4j))).backward()
    assert x.grad.dtype == gg.float64
    np.testing.assert_allclose(x.grad.numpy(), [5.0, 5.0])


def test_complex_backward_with_a_gradient():
    z = leaf([1 + 2j], np.complex128)
    (z * (1 + 1j)).backward(np.array([2 - 3j]))
    np.testing.assert_allclose(z.grad.numpy(), [(2 - 3j) * (1 - 1j)])


# Several threads ----------------------------------------------------------------------------------------------------


def test_threads_differentiate_graphs_that_share_nodes():
    x = leaf(np.linspace(0, 1, 50))
    shared = gg.exp(x)
    outputs = [gg.sum(shared * float(i)) for i in range(16)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda y: gg.gradients(y, [x], retain_graph=True)[0].numpy(), outputs))
    for i, g in enumerate(found):
        np.testing.assert_allclose(g, i * np.exp(np.linspace(0, 1, 50)))


# On every library ---------------------------------------------------------------------------------------------------


def test_a_sweep_on_every_library(backend):
    x = gg.asarray(backend.asarray(np.array([[1.0, 2.0], [3.0, 4.0]]))).requires_grad_()
    b = gg.asarray(backend.asarray(np.array([1.0, -1.0]))).requires_grad_()
    y = gg.sum(gg.tanh(x @ x + b) * b)
    y.backward()
    assert backend.is_array(x.grad.array) and backend.is_array(b.grad.array)
    xs, bs = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, -1.0])
    slope = (1 - np.tanh(xs @ xs + bs) ** 2) * bs
    np.testing.assert_allclose(backend.to_numpy(x.grad.array), slope @ xs.T + xs.T @ slope, atol=1e-15)
    np.testing.assert_allclose(
        backend.to_numpy(b.grad.array), slope.sum(axis=0) + np.tanh(xs @ xs + bs).sum(axis=0), atol=1e-15
    )


def test_two_threads_add_to_the_same_leaf():
    x = leaf([1.0])
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=lambda: [(x * 1.0).sum().backward() for _ in range(300)]) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert values(x.grad) == [600.0]
