"""gpugrad.nn.normalization."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import OptionError, ShapeError
from gpugrad.testing import assert_close

X = np.random.default_rng(0).normal(size=(5, 3, 4))


@pytest.mark.parametrize("shape", [4, (4,), (3, 4), [3, 4]])
def test_layer_norm_is_its_function(shape):
    layer = nn.LayerNorm(shape, eps=0.1, dtype=gg.float64)
    axes = (-1,) if layer.normalized_shape == (4,) else (-2, -1)
    expected = (X - X.mean(axis=axes, keepdims=True)) / np.sqrt(X.var(axis=axes, keepdims=True) + 0.1)
    assert_close(layer(X), expected)
    layer.weight.array[...] = 2.0
    layer.bias.array[...] = 1.0
    assert_close(layer(X), 2 * expected + 1)


def test_rms_norm_is_its_function():
    layer = nn.RMSNorm(4, dtype=gg.float64)
    assert_close(layer(X), X / np.sqrt((X**2).mean(axis=-1, keepdims=True) + np.finfo(float).eps))
    assert_close(nn.RMSNorm(4, eps=0.1, elementwise_affine=False)(X), X / np.sqrt((X**2).mean(axis=-1, keepdims=True) + 0.1))


def test_parameters_have_the_names_and_shapes_of_pytorch():
    named = {name: (p.shape, p.dtype, p.tolist()) for name, p in nn.LayerNorm(2).named_parameters()}
    assert named == {"weight": ((2,), gg.float32, [1.0, 1.0]), "bias": ((2,), gg.float32, [0.0, 0.0])}
    assert [name for name, _ in nn.LayerNorm((2, 3), bias=False).named_parameters()] == ["weight"]
    assert list(nn.LayerNorm(2, elementwise_affine=False).parameters()) == []
    assert {name: p.shape for name, p in nn.RMSNorm((2, 3)).named_parameters()} == {"weight": (2, 3)}
    assert list(nn.RMSNorm(2, elementwise_affine=False).parameters()) == []
    layer = nn.LayerNorm(2, elementwise_affine=False)
    assert layer.weight is None and layer.bias is None


def test_parameters_are_reset():
    layer = nn.LayerNorm(3)
    layer.load_state_dict({"weight": gg.full(3, 5.0), "bias": gg.full(3, 6.0)})
    layer.reset_parameters()
    assert layer.weight.tolist() == [1.0] * 3 and layer.bias.tolist() == [0.0] * 3


def test_they_learn():
    layer = nn.LayerNorm(4, dtype=gg.float64)
    layer(X).backward(np.ones(X.shape))
    assert_close(layer.bias.grad, np.full(4, 15.0))
    assert layer.weight.grad.shape == (4,)


def test_how_they_print():
    assert repr(nn.LayerNorm((3, 4))) == "LayerNorm((3, 4), eps=1e-05, elementwise_affine=True)"
    assert repr(nn.RMSNorm(4, elementwise_affine=False)) == "RMSNorm((4,), eps=None, elementwise_affine=False)"


@pytest.mark.parametrize("layer", [nn.LayerNorm, nn.RMSNorm])
@pytest.mark.parametrize("shape", [(), 0, (3, 0), -1])
def test_shapes_without_elements_are_refused(layer, shape):
    with pytest.raises(
        ShapeError, match=rf"{layer.__name__}: normalized_shape is .*, expected one or more sizes, each 1 or more"
    ):
        layer(shape)


def test_inputs_that_do_not_fit():
    with pytest.raises(ShapeError, match=r": got input \(5, 3, 4\) and normalized_shape \(3,\)"):
        nn.LayerNorm(3)(X)


# GroupNorm and LocalResponseNorm -------------------------------------------------------------------------------------


def test_group_norm_is_layer_norm_of_groups():
    x = np.random.default_rng(1).normal(size=(2, 6, 5))
    groups = x.reshape(2, 3, 10)
    expected = (groups - groups.mean(-1, keepdims=True)) / np.sqrt(groups.var(-1, keepdims=True) + 1e-5)
    layer = nn.GroupNorm(3, 6, dtype=gg.float64)
    layer.weight.array[...] = np.arange(6)
    assert_close(layer(x), expected.reshape(x.shape) * np.arange(6)[:, None])
    assert layer.bias.tolist() == [0.0] * 6 and nn.GroupNorm(3, 6, affine=False).weight is None


def test_how_the_others_print():
    assert repr(nn.GroupNorm(2, 4)) == "GroupNorm(2, 4, eps=1e-05, affine=True, bias=True)"
    assert repr(nn.LocalResponseNorm(3)) == "LocalResponseNorm(3, alpha=0.0001, beta=0.75, k=1.0)"


@pytest.mark.parametrize("groups", [0, -1, 4, 2.0])
def test_groups_that_do_not_divide_the_channels(groups):
    with pytest.raises(ShapeError, match=rf"^GroupNorm: num_groups is {groups}, expected a divisor of the 6 channels$"):
        nn.GroupNorm(groups, 6)


@pytest.mark.parametrize("eps", [0, -1.0])
@pytest.mark.parametrize(
    "make", [nn.LayerNorm, nn.RMSNorm, lambda n, eps: nn.GroupNorm(1, n, eps)], ids=["layer", "rms", "group"]
)
def test_an_eps_that_leaves_nothing_to_divide_by(make, eps):
    with pytest.raises(OptionError, match=rf"^(Layer|RMS|Group)Norm: eps is {eps}, expected a number above 0"):
        make(4, eps=eps)


def test_channels_that_do_not_fit():
    with pytest.raises(ShapeError, match=r"input \(2, 5, 3\), expected \(N, 6, ...\)$"):
        nn.GroupNorm(2, 6)(np.ones((2, 5, 3)))
    with pytest.raises(ShapeError, match="num_channels is 0, expected 1 or more"):
        nn.GroupNorm(1, 0)
    with pytest.raises(ShapeError, match=r"input \(2, 5\), expected \(N, C, ...\) of 3 or more axes"):
        nn.LocalResponseNorm(2)(np.ones((2, 5)))
    with pytest.raises(ShapeError, match=r"LocalResponseNorm: size is 0, expected an int, 1 or more"):
        nn.LocalResponseNorm(0)
