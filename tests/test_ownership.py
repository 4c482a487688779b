"""gpugrad.ownership: whose memory a gradient is, and which gradients are added up in place."""

import numpy as np
import pytest
from own_ops import own_op
from tensors import leaf, values

import gpugrad as gg
from gpugrad.families import TABLES

# Whose memory a gradient is -----------------------------------------------------------------------------------------


def test_gradients_of_two_leaves_share_no_memory():
    x1, x2 = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    (x1 + x2).backward(np.ones(2))
    x1.grad.numpy()[:] = 7.0
    assert values(x2.grad) == [1.0, 1.0]


@pytest.mark.parametrize(
    "combine",
    [
        lambda x, y: x + gg.reshape(y, (2, 2)),
        lambda x, y: gg.reshape(x, (4,)) + y,
        lambda x, y: x.T + gg.reshape(y, (2, 2)),
        lambda x, y: gg.concat([gg.reshape(x, (4,)), y]),
    ],
    ids=["reshape y", "reshape x", "transpose", "concat"],
)
def test_gradients_that_are_views_of_one_array_are_separated(combine):
    x, y = leaf(np.ones((2, 2))), leaf(np.ones(4))
    gg.sum(combine(x, y) * 2).backward()
    assert not np.shares_memory(x.grad.numpy(), y.grad.numpy())
    out = combine(x, y)
    x.grad = y.grad = None
    out.backward(np.ones(out.shape))
    assert not np.shares_memory(x.grad.numpy(), y.grad.numpy())


def test_a_gradient_shares_no_memory_with_the_gradient_that_was_passed_in():
    x, seed = leaf([1.0, 2.0]), np.ones(2)
    gg.reshape(x, (2, 1)).backward(seed[:, None])
    x.grad.numpy()[:] = 7.0
    assert seed.tolist() == [1.0, 1.0]
    x.grad = None
    (x + 0).backward(seed)
    x.grad.numpy()[:] = 7.0
    assert seed.tolist() == [1.0, 1.0]


def test_a_gradient_shares_no_memory_with_a_residual():
    x, c = leaf([1.0, 2.0]), gg.tensor([3.0, 4.0], dtype=gg.float64)
    gg.sum(gg.where(gg.asarray(True), x, c)).backward()
    gg.sum(x * c).backward()
    x.grad.numpy()[:] = 0.0
    assert values(c) == [3.0, 4.0]


def test_returned_gradients_share_no_memory():
    x1, x2 = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    a, b = gg.gradients(x1 + x2, [x1, x2], np.ones(2))
    c, d = gg.gradients(x1 * 2, [x1, x1], np.ones(2))
    assert not np.shares_memory(a.numpy(), b.numpy())
    assert not np.shares_memory(c.numpy(), d.numpy())


def test_recorded_gradients_of_two_leaves_are_two_tensors():
    x1, x2 = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    seed = gg.tensor([1.0, 1.0], dtype=gg.float64)
    (x1 + x2).backward(seed, create_graph=True)
    with gg.no_grad():
        x1.grad *= 5
        x1.grad.detach().numpy()[:] = 7.0
    assert values(x2.grad) == [1.0, 1.0] and values(seed) == [1.0, 1.0]


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(
    "loss", [gg.sum, gg.mean, lambda x: x[0, 0], lambda x: gg.sum(gg.sum(x, axis=0))], ids=["sum", "mean", "item", "sums"]
)
def test_gradients_can_be_written_to(loss, create_graph):
    x = leaf(np.ones((3, 4)))
    loss(x).backward(create_graph=create_graph)
    grad = x.grad.detach().numpy()
    assert grad.flags.writeable and 0 not in grad.strides
    grad[1, 1] = 9.0
    assert x.grad.detach().numpy()[1, 2] != 9.0


def test_the_gradient_of_a_scalar_leaf_is_an_array():
    x = leaf(2.0)
    for _ in range(2):
        (x * x).backward()
        assert isinstance(x.grad.array, np.ndarray) and x.grad.array.flags.writeable


@pytest.mark.parametrize("give", [lambda x: x, lambda x: x[:], lambda x: x.T], ids=["array", "view", "transpose"])
def test_a_gradient_is_copied_only_if_somebody_else_holds_it(give):
    made, held = [], []

    def rule(g, x_shape):
        out = np.full(x_shape, 2.0)
        made.append(out.__array_interface__["data"][0])
        if holding:
            held.append(out)
        return give(out)

    @own_op(x=rule)
    def doubled(x, /):
        return x * 2

    w = leaf(np.ones((3, 3)))
    for holding in (False, True, False):
        w.grad = None
        gg.sum(doubled(w)).backward()
        assert (w.grad.array.__array_interface__["data"][0] == made[-1]) is not holding
        assert w.grad.tolist() == [[2.0] * 3] * 3


def test_gradients_share_no_memory_on_any_library(backend):
    x = gg.asarray(backend.asarray(np.ones(3))).requires_grad_()
    y = gg.asarray(backend.asarray(np.ones(3))).requires_grad_()
    (x + y).backward(gg.asarray(backend.asarray(np.ones(3))))
    x.grad.array[...] = 7.0
    assert backend.to_numpy(y.grad.array).tolist() == [1.0, 1.0, 1.0]


def test_a_gradient_in_memory_that_is_lent_by_something_else_is_copied():
    memory = bytearray(np.ones(3).tobytes())
    x = leaf([1.0, 2.0, 3.0])
    x.register_hook(lambda g: gg.asarray(np.asarray(memoryview(memory).cast("d"))))
    x.sum().backward()
    memory[:] = bytes(24)
    assert values(x.grad) == [1.0, 1.0, 1.0]


# Gradients that are added up in place ------------------------------------------------------------------------------


@pytest.fixture
def every_size_large(monkeypatch):
    monkeypatch.setattr("gpugrad.sweep._LARGE", 0)


def test_gradients_of_slices_are_added_into_one_array(monkeypatch):
    made = []
    scatter = TABLES["scatter_add"][np.ndarray]
    monkeypatch.setitem(TABLES["scatter_add"], np.ndarray, lambda *args: made.append(1) or scatter(*args))
    x = leaf(np.arange(12.0).reshape(4, 3))
    parts = [x[0], x[1:3], x[..., 0], x[2, 1], x[:, None, ::-2], x[gg.tensor([True, False, True, False])]]
    gg.gradients([(i + 1) * gg.sum(part * part) for i, part in enumerate(parts)], x)
    assert len(made) == 1


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.usefixtures("every_size_large")
def test_gradients_of_slices_add_up(create_graph):
    keys = [
        0,
        slice(1, 3),
        (..., 0),
        (2, 1),
        (slice(None), None, slice(None, None, -2)),
        np.asarray([True, False, True, False]),
    ]
    keys += [[0, 0, 3], 0]
    numbers = np.arange(12.0).reshape(4, 3)
    x = leaf(numbers)
    y = leaf(1.0)
    parts = [(i + 1) * x[key] ** 3 for i, key in enumerate(keys)]
    total = gg.stack([gg.sum(y * part) for part in parts]).sum() + gg.sum(x**3)
    found = gg.gradients(total, x, create_graph=create_graph)
    count = np.ones_like(numbers)
    for i, key in enumerate(keys):
        np.add.at(count, key, i + 1)
    np.testing.assert_allclose(found.array, 3 * count * numbers**2)
    if create_graph:
        second, mixed = gg.gradients(gg.sum(found), [x, y])
        np.testing.assert_allclose(second.array, 6 * count * numbers)
        np.testing.assert_allclose(mixed.array, np.sum(3 * (count - 1) * numbers**2))


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.usefixtures("every_size_large")
def test_what_others_hold_of_a_gradient_stays(create_graph):
    x = leaf(np.arange(4.0))
    seen = []
    doubled = x * 2
    doubled.register_hook(seen.append)
    same = +doubled  # its rule passes the gradient on, the same array
    seed = np.ones(4)
    found = gg.gradients([same, x[1:], doubled], x, [seed, np.ones(3), seed], create_graph=create_graph)
    assert found.tolist() == [4, 5, 5, 5]
    assert seed.tolist() == [1, 1, 1, 1]
    assert [g.tolist() for g in seen] == [[2, 2, 2, 2]]


@pytest.mark.usefixtures("every_size_large")
def test_what_a_rule_saved_of_a_gradient_stays():
    x = leaf(np.arange(1.0, 5.0))
    first = gg.gradients(gg.sum(x * x * x) + gg.sum(x[1:] * x[:-1]), x, create_graph=True)
    second = gg.gradients(gg.sum(first * first), x)
    a = np.arange(1.0, 5.0)
    g = 3 * a**2 + np.append(a[1:], 0) + np.append(0, a[:-1])
    expected = 2 * (6 * a * g + np.append(0, g[:-1]) + np.append(g[1:], 0))
    np.testing.assert_allclose(first.array, g)
    np.testing.assert_allclose(second.array, expected)


def test_a_read_only_gradient_is_not_added_into():
    x = leaf(np.zeros(3))

    @own_op(x=_read_only)
    def passing(x, /):
        return x * 1

    found = gg.gradients([passing(x), x * 2, x[1:]], x, [np.ones(3), np.ones(3), np.ones(2)])
    assert values(found) == [3, 4, 4]


def _read_only(g):
    out = np.array(g)
    out.flags.writeable = False
    return out
