"""Hooks on tensors: what the sweep hands to them, and what it does with what they return."""

import numpy as np
import pytest
from tensors import leaf, values

import gpugrad as gg
from gpugrad.errors import GraphError, RuleError


def test_hooks_run_in_order_and_each_sees_what_the_last_returned():
    x = leaf(1.0)
    seen = []
    y = x * 2
    y.register_hook(lambda g: seen.append(float(g)) or g * 10)
    y.register_hook(lambda g: seen.append(float(g)) or None)
    y.register_hook(lambda g: seen.append(float(g)) or g + 1)
    (y * 3).backward()
    assert seen == [3.0, 30.0, 30.0] and float(x.grad) == 62.0


def test_a_hook_can_be_removed():
    x = leaf(1.0)
    handle = x.register_hook(lambda g: g * 10)
    (x * 2).backward()
    handle.remove()
    handle.remove()  # twice is harmless
    (x * 2).backward()
    assert float(x.grad) == 22.0


def test_a_hook_may_remove_itself():
    x = leaf(1.0)
    handles = []
    handles.append(x.register_hook(lambda g: handles[0].remove()))
    x.register_hook(lambda g: g * 2)
    (x * 1).backward()
    (x * 1).backward()
    assert float(x.grad) == 4.0


def test_a_hook_on_a_leaf_replaces_what_is_accumulated():
    x = leaf([1.0, 2.0])
    x.register_hook(lambda g: gg.clip(g, -1.0, 1.0))
    gg.sum(x * 5).backward()
    assert values(x.grad) == [1.0, 1.0]


def test_a_hook_sees_the_gradient_in_the_users_convention():
    z = leaf([1 + 2j, 3 - 1j], np.complex128)
    seen = []
    w = z * (1 + 1j)
    w.register_hook(lambda g: seen.append(values(g)))
    gg.sum(gg.abs(w) ** 2).backward()
    np.testing.assert_allclose(seen[0], 2 * np.array([1 + 2j, 3 - 1j]) * (1 + 1j))


def test_a_hook_may_replace_a_complex_gradient():
    z = leaf([1 + 2j], np.complex128)
    w = z * (1 + 1j)
    w.register_hook(lambda g: gg.asarray(np.array([1j])))
    gg.sum(gg.real(w)).backward()
    np.testing.assert_allclose(z.grad.numpy(), [1j * np.conj(1 + 1j)])


def test_a_hook_sees_gradients_that_record_if_the_sweep_does():
    x = leaf(3.0)
    y = x * x
    seen = []
    y.register_hook(seen.append)
    (g,) = gg.gradients(y * y, [x], create_graph=True)
    assert seen[0].requires_grad and g.requires_grad
    (h,) = gg.gradients(seen[0], [x])  # d/dx 2 x**2
    assert float(h) == 12.0


def test_changing_the_gradient_in_a_hook_without_returning_it_changes_nothing():
    for create_graph in (False, True):
        x, y = leaf([1.0, 2.0]), leaf([1.0, 2.0])

        def hook(g):
            g *= 100
            with gg.no_grad():
                g[0] = 5.0

        x.register_hook(hook)
        (x + y).backward(np.ones(2), create_graph=create_graph)
        assert values(x.grad.detach()) == [1.0, 1.0] and values(y.grad.detach()) == [1.0, 1.0]


def test_a_hook_may_return_a_raw_array():
    x = leaf([1.0, 2.0])
    x.register_hook(lambda g: np.array([5.0, 6.0]))
    gg.sum(x).backward()
    assert values(x.grad) == [5.0, 6.0]


def test_what_a_hook_returns_is_cast():
    x = leaf([1.0, 2.0])
    y = x * 1.0
    y.register_hook(lambda g: gg.astype(g, gg.float32))
    x.register_hook(lambda g: np.array([5.0, 6.0], np.float32))
    gg.sum(y).backward()
    assert x.grad.dtype == gg.float64


@pytest.mark.parametrize(
    "returned, message",
    [
        (lambda g: gg.ones(3), r"a hook returned a gradient of shape \(3,\), expected a gradient of shape \(2,\), or None"),
        (lambda g: 2.0, r"a hook returned float, expected a gradient of shape \(2,\), or None"),
        (lambda g: [1.0, 2.0], r"a hook returned list, expected a gradient of shape \(2,\), or None"),
    ],
    ids=["shape", "number", "list"],
)
def test_a_hook_that_returns_something_else_is_refused(returned, message):
    x = leaf([1.0, 2.0])
    x.register_hook(returned)
    with pytest.raises(RuleError, match=message):
        gg.sum(x).backward()
    assert x.grad is None


def test_a_hook_on_a_constant_is_refused():
    with pytest.raises(GraphError, match="register_hook: this tensor does not record"):
        gg.ones(3).register_hook(print)


def test_a_hook_on_one_of_several_results():
    x = leaf([1.0, 2.0])
    first, second = gg.unstack(x)
    first.register_hook(lambda g: g * 10)
    (first + second).backward()
    assert values(x.grad) == [10.0, 1.0]
