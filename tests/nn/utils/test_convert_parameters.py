"""gpugrad.nn.utils.convert_parameters."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import DTypeError, ShapeError
from gpugrad.nn.utils import parameters_to_vector, vector_to_parameters


def test_there_and_back():
    one, other = nn.Linear(3, 2), nn.Linear(3, 2)
    vector = parameters_to_vector(one.parameters())
    assert vector.tolist() == [*one.weight.detach().numpy().ravel().tolist(), *one.bias.tolist()]
    vector_to_parameters(vector, other.parameters())
    assert other.weight.tolist() == one.weight.tolist() and other.bias.tolist() == one.bias.tolist()
    assert other.weight.requires_grad and other.weight.is_leaf


def test_gradients_go_to_the_parameters():
    layer = nn.Linear(2, 1)
    gg.sum(parameters_to_vector(layer.parameters()) * gg.asarray([1.0, 2.0, 3.0], dtype=gg.float32)).backward()
    assert layer.weight.grad.tolist() == [[1, 2]] and layer.bias.grad.tolist() == [3]


def test_under_an_optimizer():
    layer = nn.Linear(1, 1)
    optimizer = gg.optim.SGD(layer.parameters(), lr=1.0)
    vector_to_parameters(gg.asarray([5.0, 7.0]), layer.parameters())
    layer.weight.grad, layer.bias.grad = gg.ones((1, 1)), gg.ones(1)
    optimizer.step()
    assert parameters_to_vector(layer.parameters()).tolist() == [4, 6]


def test_what_does_not_fit():
    layer = nn.Linear(2, 1)
    before = parameters_to_vector(layer.parameters()).tolist()
    with pytest.raises(
        ShapeError, match=r"^vector_to_parameters: got shape \(4,\), expected a vector of 3 elements, as the parameters have$"
    ):
        vector_to_parameters(np.ones(4), layer.parameters())
    with pytest.raises(ShapeError, match="got list, expected"):
        vector_to_parameters([1.0, 2.0, 3.0], layer.parameters())
    with pytest.raises(ShapeError, match="parameters_to_vector: got no parameters"):
        parameters_to_vector([])
    with pytest.raises(DTypeError, match="parameters_to_vector: got a parameter of type float"):
        parameters_to_vector([1.0])
    assert parameters_to_vector(layer.parameters()).tolist() == before
