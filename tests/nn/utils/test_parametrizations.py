"""gpugrad.nn.utils.parametrizations: results and gradients are in tests/layers/parametrizations.py."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import AxisError, OptionError, ShapeError
from gpugrad.nn.utils.parametrizations import orthogonal, spectral_norm, weight_norm


def test_weight_norm_keeps_the_weight_and_splits_it():
    layer = nn.Linear(3, 2)
    before = layer.weight.detach().numpy().copy()
    assert weight_norm(layer) is layer
    np.testing.assert_allclose(layer.weight.detach().numpy(), before, rtol=1e-6)
    state = layer.state_dict()
    assert {name: x.shape for name, x in state.items()} == {
        "bias": (2,), "parametrizations.weight.original0": (2, 1), "parametrizations.weight.original1": (2, 3),
    }  # fmt: skip
    np.testing.assert_allclose(
        state["parametrizations.weight.original0"].numpy()[:, 0], np.linalg.norm(before, axis=1), rtol=1e-6
    )


def test_weight_norm_loads_the_names_of_old_files():
    layer = weight_norm(nn.Linear(2, 1))
    layer.load_state_dict({"weight_g": np.array([[10.0]]), "weight_v": np.array([[3.0, 4.0]]), "bias": np.zeros(1)})
    np.testing.assert_allclose(layer.weight.detach().numpy(), [[6, 8]])


def test_spectral_norm_is_one():
    gg.manual_seed(0)
    layer = spectral_norm(nn.Linear(6, 4), n_power_iterations=200)
    assert abs(np.linalg.norm(layer.weight.detach().numpy(), 2) - 1) < 1e-5
    layer.eval()
    before = {name: x.numpy().copy() for name, x in layer.named_buffers()}
    assert list(before) == ["parametrizations.weight.0._u", "parametrizations.weight.0._v"]
    first, second = layer.weight, layer.weight
    assert first.tolist() == second.tolist()
    assert all(np.array_equal(x.numpy(), before[name]) for name, x in layer.named_buffers())


def test_a_step_of_training_does_not_change_a_graph():
    layer = spectral_norm(nn.Linear(5, 4, dtype=gg.float64))
    weight = layer.weight
    layer(np.ones((1, 5)))  # moves the vectors
    other = spectral_norm(nn.Linear(5, 4, dtype=gg.float64))
    gg.sum(weight * weight).backward()
    assert np.all(np.isfinite(layer.parametrizations.weight.original.grad.numpy()))
    assert other.parametrizations.weight.original.grad is None


def test_what_does_not_fit():
    with pytest.raises(AxisError, match=r"weight_norm: dim 2 is no axis of a weight of shape \(2, 3\), and not -1"):
        weight_norm(nn.Linear(3, 2), dim=2)
    with pytest.raises(AxisError, match=r"spectral_norm: dim 2 is no axis of a weight of shape \(2, 3\)"):
        spectral_norm(nn.Linear(3, 2), dim=2)
    with pytest.raises(OptionError, match="spectral_norm: n_power_iterations is 0, expected 1 or more"):
        spectral_norm(nn.Linear(3, 2), n_power_iterations=0)
    with pytest.raises(OptionError, match="spectral_norm: Linear has no parameter or buffer 'w'"):
        spectral_norm(nn.Linear(3, 2), "w")


@pytest.mark.parametrize("sizes", [(4, 4), (3, 5), (5, 3)], ids=str)
@pytest.mark.parametrize("orthogonal_map", ["matrix_exp", "cayley", "householder"])
def test_orthogonal(sizes, orthogonal_map):
    gg.manual_seed(0)
    layer = orthogonal(nn.Linear(*sizes, dtype=gg.float64), orthogonal_map=orthogonal_map)
    with gg.no_grad():
        x = layer.parametrizations.weight.original
        x[...] = x + gg.tril(gg.random.normal(x.shape, dtype=gg.float64), k=-1)
    w = layer.weight.detach().numpy()
    product = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-12)
    layer.weight = gg.asarray(w)  # is orthogonal already
    np.testing.assert_allclose(layer.weight.detach().numpy(), w, atol=1e-12)
    assert [name for name, _ in layer.named_buffers()] == ["parametrizations.weight.0.base"]


def test_orthogonal_without_a_base():
    layer = nn.Linear(3, 3)
    before = layer.weight.detach().numpy().copy()
    orthogonal(layer, use_trivialization=False)
    assert np.array_equal(layer.parametrizations.weight.original.detach().numpy(), before)
    with pytest.raises(NotImplementedError, match="orthogonal: without use_trivialization no value can be assigned"):
        layer.weight = gg.ones((3, 3))


def test_orthogonal_that_cannot_be():
    with pytest.raises(
        OptionError, match="orthogonal: orthogonal_map is 'qr', expected one of matrix_exp, cayley, householder"
    ):
        orthogonal(nn.Linear(3, 3), orthogonal_map="qr")
    with pytest.raises(OptionError, match="'householder' is for real matrices and with use_trivialization; take 'cayley'"):
        orthogonal(nn.Linear(3, 4), use_trivialization=False)
    with pytest.raises(ShapeError, match=r"orthogonal: the weight has shape \(3,\), expected two axes or more"):
        orthogonal(nn.Linear(3, 3), "bias")
    with pytest.raises(OptionError, match="orthogonal: Linear has no parameter or buffer 'w'"):
        orthogonal(nn.Linear(3, 3), "w")


@pytest.mark.parametrize("orthogonal_map", ["matrix_exp", "cayley"])
def test_orthogonal_gradients_on_every_backend(orthogonal_map, backend):
    found = []
    for convert, to_numpy in ((np.asarray, np.asarray), (backend.asarray, backend.to_numpy)):
        gg.manual_seed(0)
        layer = orthogonal(nn.Linear(3, 5, dtype=gg.float64), orthogonal_map=orthogonal_map)
        for x in (layer.parametrizations.weight.original, layer.parametrizations.weight[0].base):
            x.array = convert(np.asarray(x.array) + (0.5 if x.requires_grad else 0.0))
        x = layer.parametrizations.weight.original
        x.requires_grad_(False)
        x.requires_grad_()
        weight = layer.weight
        gg.sum(weight[0] * weight[1] * weight[0]).backward()
        found.append([np.array(to_numpy(y)) for y in (weight.array, x.grad.array)])
    for y, z in zip(*found, strict=True):
        assert np.any(z)
        np.testing.assert_allclose(y, z, atol=1e-12)


def test_a_checkpoint_computes_again_with_the_same_spectral_norm():
    gg.manual_seed(0)
    layer = spectral_norm(nn.Linear(3, 4, dtype=gg.float64))
    state, x = layer.state_dict(), gg.tensor([[1.0, -2.0, 3.0]], dtype=gg.float64, requires_grad=True)

    def gradient(function):
        layer.load_state_dict(state)
        return gg.gradients(gg.sum(function(x) ** 2), [x])[0].tolist()

    assert gradient(gg.checkpoint(layer)) == gradient(layer)
