"""gpugrad.nn.parameter_containers: ParameterList, ParameterDict."""

import copy

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import DTypeError, IndexingError, OptionError


def numbers(n):
    return nn.Parameter(np.full(2, float(n)))


def test_a_list_and_its_names():
    first = numbers(0)
    model = nn.Module()
    model.weights = nn.ParameterList([first, gg.ones(3), np.ones((2, 2))])
    assert [name for name, _ in model.named_parameters()] == ["weights.0", "weights.1", "weights.2"]
    assert list(model.state_dict()) == ["weights.0", "weights.1", "weights.2"]
    assert model.weights[0] is first and model.weights[-1].shape == (2, 2)
    assert all(isinstance(x, nn.Parameter) and x.requires_grad for x in model.weights)
    assert isinstance(model.weights[1:], nn.ParameterList) and model.weights[1:][0] is model.weights[1]


def test_changing_a_list():
    a, b, c, d = map(numbers, range(4))
    found = nn.ParameterList([a]).append(b)
    found += [c]
    assert list(found.extend([d])) == [a, b, c, d] or all(x is y for x, y in zip(found, [a, b, c, d], strict=True))
    found[1] = d
    assert found[1] is d and len(found) == 4
    assert found.pop(1) is d and [x is y for x, y in zip(found, [a, c, d], strict=True)] == [True] * 3
    assert list(found.state_dict()) == ["0", "1", "2"]


def test_a_dict_is_a_dict():
    a, b, c = map(numbers, range(3))
    found = nn.ParameterDict({"left": a, "right": b})
    assert list(found) == list(found.keys()) == ["left", "right"] and list(reversed(found)) == ["right", "left"]
    assert list(found.state_dict()) == ["left", "right"] and found["left"] is a and found.left is a
    assert "left" in found and "middle" not in found and found.get("middle") is None
    assert found.setdefault("middle", c) is c and found.setdefault("left", c) is a
    assert [name for name, _ in found.items()] == ["left", "right", "middle"] and [x.shape for x in found.values()] == [
        (2,)
    ] * 3
    assert found.pop("left") is a and len(found) == 2
    assert found.popitem()[1] is c
    merged = found | {"other": gg.ones(4)}
    assert list(merged) == ["right", "other"] and list(found) == ["right"] and merged["right"] is b
    found |= [("more", a)]
    assert found["more"] is a
    made = found.fromkeys(["x", "y"], np.zeros(2))
    assert made["x"] is not made["y"] and made["x"].tolist() == [0, 0]
    del found["more"]
    found.clear()
    assert len(found) == 0
    with pytest.raises(KeyError):
        found.popitem()


def test_what_they_do_not_take():
    with pytest.raises(DTypeError, match="^ParameterList: got str, expected a Parameter, a Tensor or an array$"):
        nn.ParameterList(["x"])
    with pytest.raises(DTypeError, match="^ParameterDict: got list, expected a Parameter, a Tensor or an array$"):
        nn.ParameterDict({"x": [1.0]})
    with pytest.raises(IndexingError, match="ParameterList: index 2 is out of range for 1 parameters"):
        nn.ParameterList([numbers(0)])[2]
    with pytest.raises(OptionError, match="'forward' is taken"):
        nn.ParameterDict({"forward": numbers(0)})
    with pytest.raises(OptionError, match="without dots"):
        nn.ParameterDict({"a.b": numbers(0)})
    with pytest.raises(NotImplementedError, match="ParameterList defines no forward"):
        nn.ParameterList()(1)


def test_copies_and_repr():
    model = nn.ParameterDict({"a": numbers(1)})
    other = copy.deepcopy(model)
    assert other["a"] is not model["a"] and other["a"].tolist() == [1, 1]
    assert repr(model) == "ParameterDict(\n  (a): Parameter of shape (2,) and dtype float64\n)"
    assert repr(nn.ParameterList()) == "ParameterList()"
