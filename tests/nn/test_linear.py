"""gpugrad.nn.linear: Linear, Identity, Flatten, Unflatten."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.testing import assert_close, check_grads


def test_linear_is_a_product_and_a_sum():
    layer = nn.Linear(3, 2)
    x = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32)
    assert_close(layer(x).detach(), x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy(), atol=1e-6)
    assert layer.weight.shape == (2, 3) and layer.bias.shape == (2,)


def test_linear_without_bias_has_no_such_key():
    layer = nn.Linear(3, 2, bias=False)
    assert layer.bias is None
    assert list(layer.state_dict()) == ["weight"]
    assert layer(np.zeros((1, 3), np.float32)).tolist() == [[0, 0]]


def test_linear_starts_as_in_pytorch():
    gg.manual_seed(0)
    layer = nn.Linear(100, 400)
    for parameter in layer.parameters():
        values = parameter.detach().numpy()
        assert np.abs(values).max() <= 0.1  # 1 / sqrt(100)
        assert abs(values.std() - 0.1 / np.sqrt(3)) < 0.003
        assert abs(values.mean()) < 0.01
    gg.manual_seed(0)
    assert np.array_equal(nn.Linear(100, 400).bias.detach().numpy(), layer.bias.detach().numpy())


def test_linear_dtype():
    assert {p.dtype for p in nn.Linear(2, 2, dtype=gg.float64).parameters()} == {gg.float64}


def test_linear_of_nothing():
    assert nn.Linear(0, 2)(np.ones((3, 0), np.float32)).tolist() == [[0, 0]] * 3
    assert nn.Linear(2, 0)(np.ones((3, 2), np.float32)).shape == (3, 0)


def test_linear_gradients():
    layer = nn.Linear(3, 2, dtype=gg.float64)
    x = np.random.default_rng(0).normal(size=(4, 3))

    def function(weight, bias, x):
        return gg.tanh(nn.functional.linear(x, weight, bias)).sum()

    check_grads(function, layer.weight.detach().numpy(), layer.bias.detach().numpy(), x)
    gg.tanh(layer(x)).sum().backward()
    expected = gg.grad(function, (0, 1))(layer.weight.detach(), layer.bias.detach(), x)
    assert_close((layer.weight.grad, layer.bias.grad), expected)


def test_linear_with_sizes_that_do_not_fit():
    with pytest.raises(ShapeError, match=r"^Linear 3 -> 2: input \(5, 4\), expected last dimension 3 for weight \(2, 3\)$"):
        nn.Linear(3, 2)(np.ones((5, 4), np.float32))
    with pytest.raises(ShapeError, match=r"^Linear: in_features -1 and out_features 2, expected no negative sizes$"):
        nn.Linear(-1, 2)


def test_identity():
    x = object()
    assert nn.Identity(3, size=4)(x) is x


@pytest.mark.parametrize(
    ("arguments", "shape", "expected"),
    [
        ((), (2, 3, 4), (2, 12)),
        ((0,), (2, 3, 4), (24,)),
        ((1, 2), (2, 3, 4, 5), (2, 12, 5)),
        ((), (0, 3, 4), (0, 12)),
        ((0, -2), (2, 3, 4), (6, 4)),
    ],
)
def test_flatten(arguments, shape, expected):
    assert nn.Flatten(*arguments)(gg.ones(shape)).shape == expected


def test_flatten_passes_a_matrix_on():
    x = gg.ones((2, 3))
    assert nn.Flatten()(x) is x


def test_flatten_of_axes_that_are_not_there():
    with pytest.raises(
        ShapeError, match=r"Flatten\(start_dim=1, end_dim=-1\): axis 1 is out of range for an array of 1 dimensions"
    ):
        nn.Flatten()(gg.ones(3))
    with pytest.raises(
        ShapeError,
        match=r"Flatten\(start_dim=2, end_dim=1\): start_dim 2 comes after end_dim 1 for an input of shape \(2, 3, 4\)",
    ):
        nn.Flatten(2, 1)(gg.ones((2, 3, 4)))


def test_lists_are_no_input():
    with pytest.raises(
        DTypeError, match="^Linear 2 -> 3: the input is list, expected a Tensor or an array; convert it with gg.asarray$"
    ):
        nn.Linear(2, 3)([[1.0, 2.0]])


@pytest.mark.parametrize(
    ("arguments", "shape", "expected"),
    [
        ((1, (2, 6)), (5, 12), (5, 2, 6)),
        ((-1, [3, -1]), (5, 12), (5, 3, 4)),
        ((0, (-1,)), (4,), (4,)),
        ((1, (0, 3)), (2, 0), (2, 0, 3)),
    ],
)
def test_unflatten(arguments, shape, expected):
    layer = nn.Unflatten(*arguments)
    assert layer(gg.ones(shape)).shape == expected
    assert layer(np.ones(shape)).shape == expected


def test_unflatten_what_does_not_fit():
    with pytest.raises(
        OptionError, match=r"^Unflatten: unflattened_size is \(-1, -1\), expected sizes, of which one may be -1$"
    ):
        nn.Unflatten(1, (-1, -1))
    with pytest.raises(DTypeError, match=r"^Unflatten: got dim 1 and unflattened_size \(2.0, 3\), expected integers$"):
        nn.Unflatten(1, (2.0, 3))
    text = r"^Unflatten\(dim=1, unflattened_size=\(5, -1\)\): input \(2, 12\), expected axis 1 to have the size of \(5, -1\)$"
    with pytest.raises(ShapeError, match=text):
        nn.Unflatten(1, (5, -1))(gg.ones((2, 12)))
