"""gpugrad.optim.optimizer and flat: groups, buffers, states; with SGD and Adam as the examples."""

import copy

import numpy as np
import pytest
from tensors import leaf

import gpugrad as gg
from gpugrad.errors import DTypeError, GraphError, ShapeError
from gpugrad.optim import SGD, Adam
from gpugrad.testing import assert_close

KINDS = {
    "SGD": lambda ps, **options: SGD(ps, **{"lr": 0.1, "momentum": 0.9, **options}),
    "Adam": lambda ps, **options: Adam(ps, **{"lr": 0.1, **options}),
}


@pytest.fixture(params=KINDS)
def make(request):
    make = KINDS[request.param]
    make.kind = getattr(gg.optim, request.param)
    return make


def set_gradients(parameters, step):
    for i, p in enumerate(parameters):
        p.grad = gg.asarray(np.cos(np.arange(p.size) + step + i).reshape(p.shape)).astype(p.dtype)


def train(optimizer, parameters, steps, start=0):
    for step in range(start, start + steps):
        set_gradients(parameters, step)
        optimizer.step()


def values(parameters):
    return [p.detach().clone() for p in parameters]


# Parameters ---------------------------------------------------------------------------------------------------------


def test_parameters_share_one_buffer_per_dtype(make):
    a, b, c = leaf(np.ones((2, 3))), leaf(np.ones(4)), leaf(np.ones(5), np.float32)
    optimizer = make([a, b, c])
    train(optimizer, [a, b, c], 1)
    assert a.array.base is b.array.base is not None and a.array.base.shape == (10,)
    assert c.array.dtype == np.float32 and not np.shares_memory(a.array, b.array)
    assert (a.shape, b.shape, c.shape) == ((2, 3), (4,), (5,))
    memory = a.array.ctypes.data
    train(optimizer, [a, b, c], 3, start=1)
    assert a.array.ctypes.data == memory  # updated in place


def test_a_step_leaves_memory_that_somebody_holds(make):
    a, b = leaf([1.0, 2.0]), leaf([3.0])
    optimizer = make([a, b])
    train(optimizer, [a, b], 1)
    for hold in (
        lambda: a.array,
        a.detach,
        lambda: a.detach()[:1],
        lambda: gg.expand_dims(b.detach(), 0),
        lambda: a.array[::-1],
    ):
        held = hold()
        before = numpy_of(held).copy()
        memory = a.array.ctypes.data
        train(optimizer, [a, b], 1, start=1)
        assert a.array.ctypes.data != memory  # went to a copy
        assert np.array_equal(numpy_of(held), before)
        del held
        memory = a.array.ctypes.data
        train(optimizer, [a, b], 2, start=2)
        assert a.array.ctypes.data == memory  # and is alone with it


def numpy_of(x):
    return x.detach().numpy() if isinstance(x, gg.Tensor) else x


def test_many_small_parameters_equal_one_at_a_time(make):
    rng = np.random.default_rng(0)
    shapes = [(3,), (2, 2), (), (20_000,), (1,), (0,), (17_000, 2), (5,)]  # small, empty, and larger than a piece
    start = [rng.normal(size=shape) for shape in shapes]
    together, alone = [leaf(x) for x in start], [leaf(x) for x in start]
    train(make(together), together, 3)
    for i, p in enumerate(alone):
        optimizer = make([p])
        for step in range(3):
            p.grad = gg.asarray(np.cos(np.arange(p.size) + step + i).reshape(p.shape))
            optimizer.step()
    assert_close(values(together), values(alone), rtol=0, atol=0)


def test_one_tensor_as_parameters(make):
    p = leaf([1.0, 2.0])
    optimizer = make(p)
    train(optimizer, [p], 1)
    assert p.tolist() != [1.0, 2.0]


def test_parameters_from_a_generator(make):
    ps = [leaf([1.0]), leaf([2.0])]
    optimizer = make(p for p in ps)
    train(optimizer, ps, 1)
    assert [p.item() for p in ps] != [1.0, 2.0]


def test_a_parameter_without_a_gradient_is_left_alone(make):
    a, b, c = leaf([1.0, 2.0]), leaf([3.0]), leaf([4.0])
    optimizer = make([a, b, c], weight_decay=0.1)
    a.grad, c.grad = gg.ones(2, dtype=gg.float64), gg.ones(1, dtype=gg.float64)
    optimizer.step()
    assert b.tolist() == [3.0] and a.tolist() != [1.0, 2.0] and c.tolist() != [4.0]


def test_a_parameter_that_joins_later_counts_its_own_steps(make):
    a, b = leaf([1.0, 2.0]), leaf([3.0])
    optimizer = make([a, b])
    train(optimizer, [a], 3)
    b_alone = leaf([3.0])
    alone = make([b_alone])
    for step in range(3):
        for p in (a, b, b_alone):
            p.grad = gg.asarray(np.sin(np.arange(p.size) + step))
        optimizer.step()
        alone.step()
    assert_close(b.detach(), b_alone.detach(), rtol=0, atol=0)
    assert [s.get("step") for s in optimizer.state_dict()["state"].values()] == {Adam: [6, 3], SGD: [None, None]}[make.kind]


def test_mixed_dtypes(make):
    a, b = leaf([1.0, 2.0]), leaf([1.0, 2.0], np.float32)
    optimizer = make([a, b])
    for step in range(5):
        for p in (a, b):
            p.grad = gg.asarray(np.array([0.5, step])).astype(p.dtype)
        optimizer.step()
    assert b.dtype == gg.float32 and a.dtype == gg.float64
    assert_close(b.detach(), a.detach(), rtol=1e-5)


def test_a_graph_from_before_a_step_has_the_gradients_of_its_time(make):
    p = leaf([1.0, 2.0])
    optimizer = make([p])
    train(optimizer, [p], 1)
    before = p.detach().numpy().copy()
    x = leaf([1.0, 1.0])
    loss, through_view, through_detach = gg.sum(p * p), gg.sum(x * gg.flip(p)), gg.sum(x * p.detach())
    train(optimizer, [p], 1, start=1)
    assert_close(gg.gradients(loss, p), 2 * before)
    assert_close(gg.gradients(through_view, x), before[::-1].copy())
    assert_close(gg.gradients(through_detach, x), before)
    assert not np.array_equal(p.detach().numpy(), before)


def test_a_step_changes_no_array_that_was_taken_before_the_optimizer_was_made(make):
    array = np.ones(3)
    p = gg.asarray(array).requires_grad_()
    train(make([p]), [p], 2)
    assert array.tolist() == [1.0, 1.0, 1.0]


def test_gradients_are_not_changed(make):
    p = leaf([1.0, 2.0])
    optimizer = make([p], weight_decay=0.5)
    p.grad = gg.ones(2, dtype=gg.float64)
    optimizer.step()
    optimizer.step()
    assert p.grad.tolist() == [1.0, 1.0]


# zero_grad and closures ---------------------------------------------------------------------------------------------


def test_zero_grad(make):
    a, b = leaf([1.0, 2.0]), leaf([1.0])
    optimizer = make([a, b])
    a.grad = gg.asarray(np.array([np.nan, np.inf]))
    optimizer.zero_grad(set_to_none=False)
    assert a.grad.tolist() == [0.0, 0.0] and b.grad is None
    optimizer.zero_grad()
    assert a.grad is None


def test_zeros_of_zero_grad_are_new(make):
    a = leaf([1.0, 2.0])
    optimizer = make([a])
    a.grad = kept = gg.ones(2, dtype=gg.float64)
    optimizer.zero_grad(set_to_none=False)
    assert kept.tolist() == [1.0, 1.0]


def test_closure(make):
    p = leaf([1.0, 2.0])
    optimizer = make([p])

    def closure():
        optimizer.zero_grad()
        loss = gg.sum(p * p)
        loss.backward()
        return loss

    with gg.no_grad():  # the closure records all the same
        first = optimizer.step(closure)
    assert first.item() == 5.0 and optimizer.step(closure).item() < 5.0
    assert optimizer.step() is None


# Groups -------------------------------------------------------------------------------------------------------------


def test_groups_have_options_of_their_own():
    a, b = leaf([1.0]), leaf([1.0])
    optimizer = SGD([{"params": [a]}, {"params": b, "lr": 0.01}], lr=0.1)
    a.grad = b.grad = gg.ones(1, dtype=gg.float64)
    optimizer.step()
    assert_close((a.detach(), b.detach()), (np.array([0.9]), np.array([0.99])))
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.01]


def test_options_may_be_changed_between_steps(make):
    a, b = leaf([1.0, 2.0]), leaf([1.0, 2.0])
    optimizer = make([a])
    train(optimizer, [a], 2)
    optimizer.param_groups[0]["lr"] = 0.0
    before = a.tolist()
    train(optimizer, [a], 1)
    assert a.tolist() == before
    other = make([{"params": [b], "lr": 0.0}])
    train(other, [b], 1)
    assert b.tolist() == [1.0, 2.0]


def test_momentum_may_be_switched_on_later():
    p, q = leaf([1.0, 2.0]), leaf([1.0, 2.0])
    optimizer, other = SGD([p], lr=0.1), SGD([q], lr=0.1, momentum=0.9)
    train(optimizer, [p], 1)
    train(other, [q], 1)
    optimizer.param_groups[0]["momentum"] = 0.9
    train(optimizer, [p], 1, start=1)
    # The buffer starts with this step's gradient, as in PyTorch.
    assert_close(p.detach(), np.array([1.0, 2.0]) - 0.1 * np.cos([0.0, 1.0]) - 0.1 * np.cos([1.0, 2.0]))


def test_add_param_group(make):
    a, b = leaf([1.0]), leaf([1.0])
    optimizer = make([a])
    train(optimizer, [a], 1)
    optimizer.add_param_group({"params": [b], "lr": 0.5})
    train(optimizer, [a, b], 1)
    assert len(optimizer.param_groups) == 2 and b.item() != 1.0
    assert optimizer.state_dict()["param_groups"][1]["params"] == [1]


# Parameters that move -----------------------------------------------------------------------------------------------


def test_a_new_array_mid_way_keeps_the_state(make):
    a, b, c, d = leaf([1.0, 2.0]), leaf([3.0]), leaf([1.0, 2.0]), leaf([3.0])
    optimizer, other = make([a, b]), make([c, d])
    train(optimizer, [a, b], 3)
    train(other, [c, d], 3)
    a.array = np.array([10.0, 20.0])
    with gg.no_grad():
        c += np.array([10.0, 20.0]) - c.detach()
    train(optimizer, [a, b], 3, start=3)
    train(other, [c, d], 3, start=3)
    assert_close((a.detach(), b.detach()), (c.detach(), d.detach()))
    assert a.tolist()[0] > 5 and optimizer.state_dict()["state"][0].get("step", 6) == 6


def test_another_dtype_mid_way_keeps_the_state():
    a, b = leaf([1.0, 2.0]), leaf([1.0, 2.0])
    optimizer, other = Adam([a], lr=0.1), Adam([b], lr=0.1)
    train(optimizer, [a], 3)
    train(other, [b], 3)
    a.array = a.array.astype(np.float32)
    a.node = gg.tensor(a.detach(), requires_grad=True).node
    train(optimizer, [a], 3, start=3)
    train(other, [b], 3, start=3)
    assert a.dtype == gg.float32
    assert_close(a.detach(), b.detach(), rtol=1e-5)


# States -------------------------------------------------------------------------------------------------------------


def test_state_dict_round_trip(make):
    ps, qs = [leaf(np.ones((2, 2))), leaf([3.0])], [leaf(np.ones((2, 2))), leaf([3.0])]
    optimizer, other = make(ps), make(qs)
    train(optimizer, ps, 3)
    state = copy.deepcopy(optimizer.state_dict())
    with gg.no_grad():
        for p, q in zip(ps, qs, strict=True):
            q += p.detach() - q.detach()
    other.load_state_dict(state)
    train(optimizer, ps, 3, start=3)
    train(other, qs, 3, start=3)
    assert_close(values(qs), values(ps), rtol=0, atol=0)


def test_state_dict_is_a_copy(make):
    p = leaf([1.0, 2.0])
    optimizer = make([p])
    train(optimizer, [p], 1)
    state = optimizer.state_dict()
    before = {k: v.tolist() for k, v in state["state"][0].items() if k != "step"}
    train(optimizer, [p], 1)
    assert {k: v.tolist() for k, v in state["state"][0].items() if k != "step"} == before
    assert state["state"][0].get("step", 1) == 1


def test_state_dict_names_and_shapes_are_pytorchs():
    p = leaf(np.ones((2, 3)))
    for optimizer, names in ((SGD([p], momentum=0.9), {"momentum_buffer"}), (Adam([p]), {"step", "exp_avg", "exp_avg_sq"})):
        assert optimizer.state_dict()["state"] == {}
        train(optimizer, [p], 1)
        state = optimizer.state_dict()
        assert set(state["state"][0]) == names and all(state["state"][0][n].shape == (2, 3) for n in names - {"step"})
        assert state["param_groups"][0]["params"] == [0]


def test_loading_takes_the_options(make):
    p, q = leaf([1.0]), leaf([1.0])
    optimizer, other = make([p], lr=0.25), make([q])
    other.load_state_dict(optimizer.state_dict())
    assert other.param_groups[0]["lr"] == 0.25 and other.param_groups[0]["params"] == [q]


def test_loading_an_empty_state_starts_afresh_even_from_nan(make):
    p, q = leaf([1.0, 2.0]), leaf([1.0, 2.0])
    optimizer, fresh = make([p]), make([q])
    empty = optimizer.state_dict()
    p.grad = gg.asarray(np.array([np.nan, np.inf]))
    with np.errstate(all="ignore"):
        optimizer.step()
    optimizer.load_state_dict(empty)
    p.array = np.array([1.0, 2.0])
    p.grad = None
    train(optimizer, [p], 2)
    train(fresh, [q], 2)
    assert_close(p.detach(), q.detach(), rtol=0, atol=0)


def test_loaded_states_take_the_dtype_of_the_parameter(make):
    p, q = leaf([1.0, 2.0]), leaf([1.0, 2.0], np.float32)
    optimizer, other = make([p]), make([q])
    train(optimizer, [p], 2)
    other.load_state_dict(optimizer.state_dict())
    state = other.state_dict()["state"][0]
    assert all(x.dtype == gg.float32 for n, x in state.items() if n != "step") and state.get("step", 2) == 2


def wrong_states(state):
    name = next(n for n in state["state"][1] if n != "step")

    def without(name):
        return {k: v for k, v in state["state"][1].items() if k != name}

    changed = lambda entry: {**state, "state": {**state["state"], 1: entry}}
    group = state["param_groups"][0]
    regroup = lambda **options: {**state, "param_groups": [{**group, **options}]}
    return {
        "fewer parameters": (regroup(params=[0]), r"has groups of \[1\] parameters, and this optimizer has \[2\]"),
        "more groups": ({**state, "param_groups": [group, group]}, r"has groups of \[2, 2\] parameters"),
        "shape": (
            changed({**state["state"][1], name: gg.ones(7)}),
            rf"{name} has shape \(7,\) for a parameter of shape \(1,\)",
        ),
        "missing array": (changed({**without(name), "other": 1}), rf"{name} has shape None for a parameter of shape \(1,\)"),
        "missing step": (changed(without("step")), "step is missing") if "step" in state["state"][1] else None,
        "no array": (changed({**state["state"][1], name: "text"}), f"{name} is str"),
        "missing option": ({**state, "param_groups": [{"params": [0, 1]}]}, "lacks the options"),
        "bad option": (regroup(lr=-1.0), "lr is -1.0, expected 0 or more"),
        "no state": ({"param_groups": [group]}, "expected a dict with 'state' and 'param_groups'"),
        "no dict": ([1, 2], "expected a dict with 'state' and 'param_groups'"),
    }


@pytest.mark.parametrize(
    "case",
    [
        "fewer parameters", "more groups", "shape", "missing array", "missing step", "no array", "missing option", "bad option",
        "no state", "no dict",
    ],
)  # fmt: skip
def test_a_state_that_does_not_fit_changes_nothing(make, case):
    ps = [leaf(np.ones((2, 2))), leaf([3.0])]
    optimizer = make(ps)
    train(optimizer, ps, 2)
    before = optimizer.state_dict()
    wrong = wrong_states(make_state(make))[case]
    if wrong is None:
        pytest.skip("this optimizer counts no steps")
    bad, message = wrong
    with pytest.raises((ShapeError, DTypeError, ValueError), match=message):
        optimizer.load_state_dict(bad)
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    assert_close(after["state"], before["state"], rtol=0, atol=0)


def make_state(make):
    ps = [leaf(np.ones((2, 2))), leaf([3.0])]
    optimizer = make(ps, lr=0.7)
    train(optimizer, ps, 5)
    return optimizer.state_dict()


# Bad input ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("params", [[], {}, iter(())], ids=["list", "dict", "iterator"])
def test_no_parameters(make, params):
    with pytest.raises(ValueError, match="got no parameters; does the model have any"):
        make(params)


@pytest.mark.parametrize(
    "bad, got",
    [
        (lambda: gg.ones(3), r"a Tensor of shape \(3,\)"),
        (lambda: leaf([1.0, 2.0]) * 2, r"a Tensor of shape \(2,\)"),
        (lambda: np.ones(3), "ndarray"),
        (lambda: "weight", "str"),
    ],
)
def test_what_is_no_leaf_is_refused(make, bad, got):
    with pytest.raises(GraphError, match=f"parameter 1 is {got}, expected a leaf Tensor that requires a gradient"):
        make([leaf([1.0]), bad()])


def test_duplicates_are_refused(make):
    p = leaf([1.0, 2.0])
    with pytest.raises(GraphError, match=r"parameter 1, of shape \(2,\), was given twice"):
        make([p, p])
    with pytest.raises(GraphError, match=r"parameter 0, of shape \(2,\), was given twice"):
        make([{"params": [p]}, {"params": [p]}])
    optimizer = make([p])
    with pytest.raises(GraphError, match="was given twice"):
        optimizer.add_param_group({"params": p})
    assert len(optimizer.param_groups) == 1


def test_unknown_options_are_refused(make):
    with pytest.raises(ValueError, match=r"unknown options \['rate'\], expected some of"):
        make([{"params": [leaf([1.0])], "rate": 0.1}])


def test_a_group_without_parameters(make):
    with pytest.raises(ValueError, match="a group needs 'params'"):
        make([{"lr": 0.1}])


@pytest.mark.parametrize(
    "gradient, kind, message",
    [
        (np.ones(3), ShapeError, r"step: a gradient has shape \(3,\) and its parameter \(2,\)"),
        (np.ones(2, np.float32), DTypeError, "step: a gradient is ndarray of float32 and its parameter ndarray of float64"),
    ],
)
def test_a_gradient_that_does_not_fit_changes_nothing(make, gradient, kind, message):
    a, b = leaf([5.0]), leaf([1.0, 2.0])
    optimizer = make([a, b])
    a.grad, b.grad = gg.ones(1, dtype=gg.float64), gg.ones(2, dtype=gg.float64)
    b.grad.array = gradient
    with pytest.raises(kind, match=message):
        optimizer.step()
    assert a.tolist() == [5.0] and b.tolist() == [1.0, 2.0] and optimizer.state_dict()["state"] == {}


def test_training_converges(make):
    rng = np.random.default_rng(0)
    x, target = rng.normal(size=(50, 3)), np.array([1.0, -2.0, 0.5])
    w = leaf(np.zeros(3))
    optimizer = make([w], lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        gg.mean((x @ w - x @ target) ** 2).backward()
        optimizer.step()
    assert_close(w.detach(), target, atol=1e-3)


def test_a_model_on_every_library(backend, make):
    def run(asarray):
        ps = [gg.asarray(asarray(np.ones((2, 3)))).requires_grad_(), gg.asarray(asarray(np.arange(4.0))).requires_grad_()]
        optimizer = make(ps, weight_decay=0.01)
        for _ in range(4):
            optimizer.zero_grad()
            gg.sum(gg.sin(ps[0]) * 2).backward()
            gg.sum(ps[1] ** 3).backward()
            optimizer.step()
        return ps, optimizer

    found, optimizer = run(backend.asarray)
    expected, _ = run(np.array)
    for p, q in zip(found, expected, strict=True):
        assert backend.is_array(p.array) and p.device == backend.device
        np.testing.assert_allclose(backend.to_numpy(p.array), q.detach().numpy(), rtol=1e-12)
    state = optimizer.state_dict()
    optimizer.load_state_dict(state)
    assert_close(optimizer.state_dict()["state"], state["state"], rtol=0, atol=0)


# Parameters with names ----------------------------------------------------------------------------------------------


def test_named_parameters(make):
    model, other = gg.nn.Linear(2, 2, dtype=gg.float64), gg.nn.Linear(2, 2, dtype=gg.float64)
    other.load_state_dict(model.state_dict())
    named, plain = make(model.named_parameters()), make(other.parameters())
    for _ in range(2):
        for m, optimizer in ((model, named), (other, plain)):
            set_gradients(list(m.parameters()), 0)
            optimizer.step()
    assert_close(values(model.parameters()), values(other.parameters()), rtol=0, atol=0)
    assert named.param_groups[0]["param_names"] == ["weight", "bias"]
    assert "param_names" not in plain.param_groups[0]
    state = named.state_dict()
    plain.load_state_dict(state)
    named.load_state_dict(plain.state_dict())


def test_named_parameters_in_groups(make):
    model = gg.nn.Linear(2, 2)
    optimizer = make([{"params": model.named_parameters(), "lr": 0.5}])
    assert optimizer.param_groups[0]["params"] == list(model.parameters())
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]


def test_errors_name_the_parameter():
    a, b = leaf([1.0]), leaf([1.0, 2.0])
    with pytest.raises(GraphError, match=r"parameter 1 \('b'\) is a Tensor of shape \(2,\), expected a leaf"):
        SGD([("a", a), ("b", b * 1)])
    with pytest.raises(GraphError, match=r"parameter 1 \('c'\), of shape \(1,\), was given twice"):
        SGD([("a", a), ("c", a)])
    with pytest.raises(GraphError, match="parameter 1 is Tensor, expected a pair of its name and itself, as the others are"):
        SGD([("a", a), b])
    with pytest.raises(GraphError, match="parameter 1 is tuple, expected a leaf Tensor"):
        SGD([a, ("b", b)])
    optimizer = SGD([("a", a), ("b", b)])
    b.node.grad = gg.ones(3)
    with pytest.raises(ShapeError, match=r"step: the gradient of 'b' has shape \(3,\) and its parameter \(2,\)"):
        optimizer.step()


@pytest.mark.parametrize("in_place", ["gradient", "parameter", "leaf", "assigned"])
def test_scalars_that_are_numpy_scalars(make, in_place):
    """NumPy's ops on 0-d arrays return its scalars, which are no ndarrays."""
    p = gg.tensor(1.0, dtype=gg.float64, requires_grad=True)
    if in_place == "leaf":
        p = gg.sum(gg.asarray(np.asarray([0.25, 0.75]))).detach().requires_grad_()
    (p * p).backward()
    if in_place == "gradient":
        p.grad *= 1.0
    if in_place == "parameter":
        with gg.no_grad():
            p *= 1.0
    if in_place == "assigned":
        p.grad = gg.tensor(1.0, dtype=gg.float64) * 2
    other = leaf(1.0)
    other.grad = gg.asarray(np.asarray(2.0))
    for x in (p, other):
        make([x]).step()
    assert_close(p.detach(), other.detach())
    assert p.item() < 1


def test_a_model_is_no_list_of_parameters(make):
    name = make.kind.__name__
    with pytest.raises(DTypeError, match=rf"^{name}: got Linear, expected parameters, such as model.parameters\(\)$"):
        make(gg.nn.Linear(2, 3))
    with pytest.raises(DTypeError, match=f"^{name}: got NoneType, expected parameters"):
        make([{"params": None}])


def test_what_is_printed():
    model = gg.nn.Linear(2, 3)
    optimizer = SGD([{"params": [model.weight]}, {"params": [model.bias], "lr": 0.5}], lr=0.1)
    lines = repr(optimizer).splitlines()
    assert lines[0] == "SGD (" and lines[-1] == ")" and "Parameter Group 1" in lines
    assert [line for line in lines if "lr:" in line] == ["    lr: 0.1", "    lr: 0.5"] and "params" not in repr(optimizer)


def test_a_group_that_was_empty_trains_what_is_put_into_it() -> None:
    first, second = leaf([1.0]), leaf([1.0])
    optimizer = gg.optim.SGD([{"params": [first]}, {"params": []}], lr=0.5)
    for group in ([first], [first, second]):
        for p in group:
            p.grad = gg.ones(1, dtype=gg.float64)
        optimizer.step()
        optimizer.param_groups[1]["params"][:] = [second]
    assert (first.tolist(), second.tolist()) == ([0.0], [0.5])


@pytest.mark.parametrize("make", [gg.optim.SGD, gg.optim.Adam, gg.optim.Muon])
def test_a_group_whose_list_of_parameters_is_edited_trains_what_is_in_it(make) -> None:
    """One replaced, by another shape too, one removed, one appended; the others keep their state."""

    def parameter() -> gg.nn.Parameter:
        p = gg.nn.Parameter(np.ones((2, 2), dtype=np.float32))
        p.grad = gg.ones((2, 2))
        return p

    kept, replaced, new = parameter(), parameter(), gg.nn.Parameter(np.ones((3, 3), dtype=np.float32))
    new.grad = gg.ones((3, 3))
    optimizer = make([replaced, kept], lr=0.1)
    alone = make([lonely := parameter()], lr=0.1)
    members = optimizer.param_groups[0]["params"]
    for edit in (
        lambda: None,
        lambda: members.__setitem__(0, new),
        lambda: members.append(parameter()),
        lambda: members.pop(0),
    ):
        edit()
        before = [p.detach().numpy().copy() for p in members]
        optimizer.step()
        alone.step()
        assert all((p.detach().numpy() != old).all() for p, old in zip(members, before, strict=True))
        np.testing.assert_allclose(kept.detach().numpy(), lonely.detach().numpy(), rtol=1e-6)
    after_one_step = parameter()
    make([after_one_step], lr=0.1).step()
    np.testing.assert_allclose(replaced.detach().numpy(), after_one_step.detach().numpy(), rtol=1e-6)
