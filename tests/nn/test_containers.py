"""gpugrad.nn.containers."""

from collections import OrderedDict

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import DTypeError, IndexingError


def names(module):
    return [name for name, _ in module.named_parameters()]


def test_sequential_applies_in_order():
    class Add(nn.Module):
        def forward(self, x):
            return x + 1

    class Double(nn.Module):
        def forward(self, x):
            return x * 2

    assert nn.Sequential(Add(), Double())(gg.ones(1)).tolist() == [4.0]
    assert nn.Sequential(Double(), Add())(gg.ones(1)).tolist() == [3.0]
    x = gg.ones(1)
    assert nn.Sequential()(x) is x


def test_sequential_from_a_dict_takes_its_names():
    model = nn.Sequential(OrderedDict(first=nn.Linear(2, 3), act=nn.ReLU(), last=nn.Linear(3, 1)))
    assert names(model) == ["first.weight", "first.bias", "last.weight", "last.bias"]
    assert model.last is model[2]


def test_indexing():
    a, b, c = nn.ReLU(), nn.Linear(2, 2), nn.Tanh()
    model = nn.Sequential(a, b, c)
    assert model[0] is a and model[-1] is c and len(model) == 3 and list(model) == [a, b, c]
    tail = model[1:]
    assert isinstance(tail, nn.Sequential) and list(tail) == [b, c]
    assert names(tail) == ["1.weight", "1.bias"]  # PyTorch's names
    assert tail.append(nn.Linear(2, 2)) is tail
    assert names(tail) == ["1.weight", "1.bias", "3.weight", "3.bias"] and len(tail) == 3
    model[0] = c
    assert list(model) == [c, b, c]
    del model[1]
    assert list(model) == [c, c]
    model.insert(1, b).extend([a])
    assert list(model) == [c, b, c, a]
    assert [name for name, _ in model.named_modules(remove_duplicate=False)] == ["", "0", "1", "2", "3"]
    del model[1:3]
    assert list(model) == [c, a]


@pytest.mark.parametrize("index", [2, -3])
def test_an_index_out_of_range(index):
    with pytest.raises(IndexingError, match=f"Sequential: index {index} is out of range for 2 modules"):
        nn.Sequential(nn.ReLU(), nn.ReLU())[index]


def test_what_is_no_module_is_refused():
    for make in (lambda: nn.Sequential(gg.exp), lambda: nn.Sequential({"a": gg.exp}), lambda: nn.ModuleList([gg.exp])):
        with pytest.raises(DTypeError, match=r"(Sequential|ModuleList): got function, expected a Module such as nn.ReLU\(\)"):
            make()
    with pytest.raises(DTypeError, match="ModuleDict: got int, expected a Module"):
        nn.ModuleDict({"a": 1})


def test_module_list():
    layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    assert names(layers) == [f"{i}.{name}" for i in range(3) for name in ("weight", "bias")]
    assert isinstance(layers[1:], nn.ModuleList) and names(layers[1:])[0] == "0.weight"
    assert len(layers.append(nn.ReLU())) == 4
    with pytest.raises(NotImplementedError, match="ModuleList defines no forward"):
        layers(np.ones(2))


def test_module_dict():
    a, b = nn.Linear(2, 2), nn.ReLU()
    modules = nn.ModuleDict({"a": a})
    modules["b"] = b
    assert names(modules) == ["a.weight", "a.bias"]
    assert list(modules) == list(modules.keys()) == ["a", "b"]
    assert list(modules.values()) == [a, b] and list(modules.items()) == [("a", a), ("b", b)]
    assert "a" in modules and "c" not in modules and len(modules) == 2 and modules["b"] is b
    assert modules.pop("a") is a
    del modules["b"]
    assert len(modules) == 0
    with pytest.raises(KeyError):
        modules["a"]
    with pytest.raises(ValueError, match="ModuleDict: 'keys' is taken by another attribute"):
        modules["keys"] = a
    with pytest.raises(ValueError, match=r"ModuleDict: 'x.y' cannot name a Module; expected a string without dots"):
        modules["x.y"] = a


def test_lists_as_lists():
    a, b, c = nn.ReLU(), nn.Tanh(), nn.Linear(1, 1)
    found = nn.ModuleList([a])
    found += [b]
    assert [*found, c] == [a, b, c] and list(found) == [a, b]
    assert found.pop(0) is a and list(found) == [b] and list(found._modules) == ["0"]
    both = nn.Sequential(a, b) + nn.Sequential(c)
    assert isinstance(both, nn.Sequential) and list(both) == [a, b, c]
    with pytest.raises(IndexingError, match="ModuleList: index 3 is out of range for 1 modules"):
        found.pop(3)


def test_dicts_as_dicts():
    a, b = nn.ReLU(), nn.Tanh()
    found = nn.ModuleDict([("x", a)])
    found.update([("y", b)])
    found.update(nn.ModuleDict({"x": b}))
    assert found["x"] is b and list(found) == ["x", "y"]
    found.clear()
    assert len(found) == 0
