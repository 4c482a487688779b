"""gpugrad.nn.state: what load_state_dict says and does; more is in test_module.py."""

import re

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import DTypeError, FileFormatError


def many(n, width=2):
    return nn.ModuleList([nn.Linear(2, width, bias=False) for _ in range(n)])


def refused(model, state, **options):
    with pytest.raises(FileFormatError) as caught:
        model.load_state_dict(state, **options)
    return str(caught.value).removeprefix(f"load_state_dict: the state does not fit {type(model).__name__}: ")


def test_thousands_of_keys_are_counted():
    names = ", ".join(f"{i}.weight" for i in range(8))
    assert refused(many(2000), {}) == f"missing 2000 keys ({names}, ...)"
    assert refused(many(0), many(2000).state_dict()) == f"unexpected 2000 keys ({names}, ...)"
    text = refused(many(20), many(20, width=3).state_dict())
    assert text.startswith("0.weight has shape (3, 2), expected (2, 2); 1.weight ") and text.endswith(
        "; and 12 more that do not fit"
    )


def test_keys_that_begin_otherwise():
    model, state = nn.Linear(2, 1), nn.Linear(2, 1).state_dict()
    assert refused(model, {f"module.{name}": x for name, x in state.items()}).endswith(
        "; the keys of the state begin with 'module.': take that off, or put it there, in the state"
    )
    assert refused(nn.Sequential(model), state).endswith(
        "; the keys of the model begin with '0.': take that off, or put it there, in the state"
    )
    assert "begin" not in refused(model, {"other.weight": np.ones(1)})


@pytest.mark.parametrize("given", ["weights.safetensors", [np.ones(2)], None])
def test_what_is_no_dict(given):
    text = f"load_state_dict: Linear got {type(given).__name__}, expected a dict of arrays, as gg.load(path) gives"
    with pytest.raises(DTypeError, match=f"^{re.escape(text)}$"):
        nn.Linear(2, 1).load_state_dict(given)
    with pytest.raises(DTypeError, match=r"expected a dict of arrays, as model.state_dict\(\) gives$"):
        nn.Linear(2, 1).load_state_dict(nn.Linear(2, 1))


def test_assigning_takes_the_arrays_over():
    model = nn.Linear(2, 1)
    weight = model.weight
    state = {"weight": np.array([[1.0, 2.0]]), "bias": gg.asarray(np.array([3.0]))}
    assert model.load_state_dict(state, assign=True) == ([], [])
    assert model.weight is weight and model.weight.array is state["weight"] and model.bias.array is state["bias"].array
    assert model.weight.dtype == gg.float64 and model.weight.requires_grad
    model(np.ones((1, 2))).sum().backward()
    assert model.weight.grad.dtype == gg.float64 and model.weight.grad.tolist() == [[1, 1]]
    assert refused(model, {"weight": np.ones((1, 2), np.int64), "bias": np.ones(1)}, assign=True) == (
        "weight has dtype int64, expected a floating-point one"
    )


def test_an_optimizer_follows_an_assignment():
    model = nn.Linear(2, 1)
    optimizer = gg.optim.SGD(model.parameters(), lr=1.0)
    for _ in range(2):
        model.load_state_dict({"weight": np.ones((1, 2), np.float32), "bias": np.ones(1, np.float32)}, assign=True)
        model.weight.grad, model.bias.grad = gg.ones((1, 2)), gg.ones(1)
        optimizer.step()
        assert model.weight.tolist() == [[0, 0]] and model.bias.tolist() == [0]


def test_a_destination():
    found = {"kept": 1}
    assert nn.Linear(2, 1).state_dict(destination=found, prefix="net.") is found
    assert list(found) == ["kept", "net.weight", "net.bias"]
