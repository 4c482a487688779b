"""gpugrad.nn.utils.parametrize. Results and gradients of ready ones are in tests/layers/parametrizations.py."""

import copy
import pickle
import re

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.nn.utils import parametrize


class Symmetric(nn.Module):
    def __init__(self):
        super().__init__()
        self.count = 0

    def forward(self, x):
        self.count += 1
        return gg.triu(x) + gg.triu(x, k=1).mT

    def right_inverse(self, x):
        return gg.triu(x)


class Double(nn.Module):
    def forward(self, x):
        return x * 2


class Halves(nn.Module):
    def forward(self, first, second):
        return first + second

    def right_inverse(self, x):
        return x * 0.25, x * 0.75


class Wider(nn.Module):
    def forward(self, x):
        return gg.concat([x, x])


def symmetric():
    layer = nn.Linear(3, 3)
    return parametrize.register_parametrization(layer, "weight", Symmetric()), layer


def test_the_parameter_is_computed():
    layer = nn.Linear(3, 3)
    before = layer.weight
    values = before.detach().numpy().copy()
    assert not parametrize.is_parametrized(layer)
    assert parametrize.register_parametrization(layer, "weight", Symmetric()) is layer
    assert parametrize.is_parametrized(layer) and parametrize.is_parametrized(layer, "weight")
    assert not parametrize.is_parametrized(layer, "bias")
    assert layer.parametrizations.weight.original is before
    upper = np.triu(values)
    assert np.array_equal(layer.weight.detach().numpy(), upper + np.triu(values, 1).T)
    assert list(layer.state_dict()) == ["bias", "parametrizations.weight.original"]
    x = np.ones((2, 3), np.float32)
    layer(x).sum().backward()
    assert before.grad.tolist() == [[2, 4, 4], [0, 2, 4], [0, 0, 2]]


def test_assigning_goes_through_the_inverse():
    _, layer = symmetric()
    values = gg.asarray([[1.0, 2, 3], [2, 4, 5], [3, 5, 6]], dtype=gg.float32)
    layer.weight = values
    assert layer.weight.tolist() == values.tolist()
    assert layer.parametrizations.weight.original.tolist() == [[1, 2, 3], [0, 4, 5], [0, 0, 6]]
    with pytest.raises(ShapeError, match=re.escape("right_inverse: got shape (2, 2) for an original of shape (3, 3)")):
        layer.weight = gg.ones((2, 2))


def test_several_one_after_the_other():
    _, layer = symmetric()
    before = layer.weight.detach().numpy().copy()
    parametrize.register_parametrization(layer, "weight", Double())
    assert np.array_equal(layer.weight.detach().numpy(), 2 * before)
    assert len(layer.parametrizations.weight) == 2


def test_several_originals():
    layer = nn.Linear(2, 2)
    before = layer.weight.detach().numpy().copy()
    parametrize.register_parametrization(layer, "weight", Halves())
    assert list(layer.state_dict()) == ["bias", "parametrizations.weight.original0", "parametrizations.weight.original1"]
    assert len(list(layer.parameters())) == 3 and all(p.requires_grad for p in layer.parameters())
    np.testing.assert_allclose(layer.weight.detach().numpy(), before, rtol=1e-6)
    with pytest.raises(OptionError, match="'weight' has 2 originals; only leave_parametrized=True can be met"):
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    parametrize.remove_parametrizations(layer, "weight")
    np.testing.assert_allclose(layer.weight.detach().numpy(), before, rtol=1e-6)
    assert isinstance(layer.weight, nn.Parameter) and not hasattr(layer, "parametrizations")


def test_buffers_and_frozen_parameters():
    layer = nn.Linear(2, 2).requires_grad_(False)
    layer.register_buffer("scale", gg.ones(2))
    for name in ("weight", "scale"):
        parametrize.register_parametrization(layer, name, Double())
    assert layer.scale.tolist() == [2, 2] and "scale" not in dict(layer.named_buffers())
    assert [name for name, _ in layer.named_buffers()] == ["parametrizations.scale.original"]
    assert not layer.weight.requires_grad
    parametrize.remove_parametrizations(layer, "scale", leave_parametrized=False)
    assert layer.scale.tolist() == [1, 1] and [name for name, _ in layer.named_buffers()] == ["scale"]


def test_removing():
    _, layer = symmetric()
    values, original = layer.weight.detach().numpy().copy(), layer.parametrizations.weight.original
    parametrize.remove_parametrizations(layer, "weight")
    assert layer.weight is original and np.array_equal(original.detach().numpy(), values)
    assert list(layer.state_dict()) == ["bias", "weight"] and layer.weight.requires_grad
    with pytest.raises(OptionError, match="^remove_parametrizations: 'weight' of Linear is not parametrized$"):
        parametrize.remove_parametrizations(layer, "weight")


def test_cached():
    _, layer = symmetric()
    module = layer.parametrizations.weight[0]
    module.count = 0
    with parametrize.cached():
        assert layer.weight is layer.weight and module.count == 1
        with parametrize.cached():
            assert layer.weight is not None and module.count == 1
        layer(np.ones((1, 3), np.float32)).sum().backward()
    assert layer.weight is not layer.weight and module.count == 3
    assert layer.parametrizations.weight.original.grad is not None


def test_copies_and_files(tmp_path):
    _, layer = symmetric()
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert other.weight.tolist() == layer.weight.tolist()
        other.load_state_dict({name: x.numpy() * 0 for name, x in layer.state_dict().items()})
        assert not np.any(other.weight.detach().numpy()) and np.any(layer.weight.detach().numpy())
    assert layer.double().weight.dtype == gg.float64
    assert "(parametrizations): ModuleDict(" in repr(layer)


def test_a_path_through_a_parametrization():
    class Wrong(nn.Module):
        def forward(self, x):
            return x @ x if self.training else gg.ones((2, 5)) @ x

    layer = nn.Linear(3, 3)
    parametrize.register_parametrization(layer, "weight", Wrong())
    layer.eval()
    with pytest.raises(ShapeError, match=r"^model\.0\.parametrizations\['weight'\]\[0\] \(Wrong\): matmul: "):
        nn.Sequential(layer)(np.ones((1, 3), np.float32))


def test_what_cannot_be_parametrized():
    layer = nn.Linear(2, 2)
    before = layer.weight.detach().numpy().copy()
    with pytest.raises(
        OptionError, match="^register_parametrization: Linear has no parameter or buffer 'w'; it has weight, bias$"
    ):
        parametrize.register_parametrization(layer, "w", Double())
    with pytest.raises(DTypeError, match="^register_parametrization: got function, expected a Module$"):
        parametrize.register_parametrization(layer, "weight", lambda x: x)
    with pytest.raises(ShapeError, match=re.escape("the parametrization gave shape (4, 2) and dtype float32, expected (2, 2)")):
        parametrize.register_parametrization(layer, "weight", Wider())
    assert list(layer.state_dict()) == ["weight", "bias"] and np.array_equal(layer.weight.detach().numpy(), before)
    parametrize.register_parametrization(layer, "weight", Wider(), unsafe=True)
    assert layer.weight.shape == (4, 2)


def test_attributes_that_are_not_there():
    _, layer = symmetric()
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'nothing'"):
        _ = layer.nothing

    class Broken(nn.Module):
        @property
        def size(self):
            return self.nothing

    with pytest.raises(AttributeError, match="'nothing'"):
        _ = Broken().size
