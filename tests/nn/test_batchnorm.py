"""gpugrad.nn.batchnorm, beyond what the cases of tests/layers/batchnorm.py say."""

import re

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.nn import functional as F
from gpugrad.testing import assert_close

RNG = np.random.default_rng(0)
X = RNG.normal(2.0, 3.0, (8, 3, 5))
LAYERS = pytest.mark.parametrize("layer", [nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.InstanceNorm1d])


def state(layer):
    return {name: x.tolist() for name, x in layer.state_dict().items()}


def test_each_channel_has_mean_0_and_variance_1_and_running_statistics_follow():
    layer = nn.BatchNorm1d(3, dtype=gg.float64)
    y = layer(X).detach().numpy()
    assert_close(y.mean(axis=(0, 2)), np.zeros(3), atol=1e-12)
    assert_close(y.var(axis=(0, 2)), np.ones(3), rtol=1e-5)
    assert_close(layer.running_mean, 0.1 * X.mean(axis=(0, 2)))
    assert_close(layer.running_var, 0.9 + 0.1 * X.var(axis=(0, 2), ddof=1))
    assert layer.num_batches_tracked.tolist() == 1 and layer.num_batches_tracked.dtype == gg.int64


def test_evaluation_uses_running_statistics_and_changes_nothing():
    layer = nn.BatchNorm1d(3, dtype=gg.float64)
    layer(X)
    before = state(layer.eval())
    mean, var = layer.running_mean.numpy(), layer.running_var.numpy()
    assert_close(layer(X), (X - mean[:, None]) / np.sqrt(var[:, None] + 1e-5))
    assert state(layer) == before


def test_without_a_momentum_all_batches_count_the_same():
    layer = nn.BatchNorm1d(3, momentum=None, dtype=gg.float64)
    batches = [RNG.normal(i, 1.0, (4, 3)) for i in range(5)]
    for x in batches:
        layer(x)
    assert_close(layer.running_mean, np.mean([x.mean(axis=0) for x in batches], axis=0))
    assert_close(layer.running_var, np.mean([x.var(axis=0, ddof=1) for x in batches], axis=0))


def test_the_statistics_are_the_buffers_of_the_state_dict():
    assert list(nn.BatchNorm2d(2).state_dict()) == ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert list(nn.BatchNorm2d(2, affine=False, track_running_stats=False).state_dict()) == []
    assert list(nn.InstanceNorm2d(2, affine=True, bias=False).state_dict()) == ["weight"]
    layer = nn.BatchNorm2d(2)
    assert layer.running_mean.tolist() == [0, 0] and layer.running_var.tolist() == [1, 1]


def test_resetting():
    layer = nn.BatchNorm1d(3)
    fresh = state(layer)
    layer(X)
    layer.weight.array[...] = 5
    assert state(layer) != fresh
    layer.reset_parameters()
    assert state(layer) == fresh


def test_backward_after_another_batch_has_the_statistics_of_its_own():
    layer = nn.BatchNorm1d(3, dtype=gg.float64).eval()
    x = gg.tensor(X, requires_grad=True)
    y = layer(x)
    layer.train()
    layer(X + 100)
    y.backward(np.ones(X.shape))
    assert_close(x.grad, np.full(X.shape, 1 / np.sqrt(1 + 1e-5)))


@pytest.mark.parametrize("training", [True, False])
def test_16_bits_are_normalized_in_32_and_statistics_stay_in_32(training):
    layer = nn.BatchNorm1d(3).train(training)
    x = (X * 50 + 1000).astype("float16")
    y = layer(x)
    wide = nn.BatchNorm1d(3).train(training)
    assert y.dtype == gg.float16 and layer.running_mean.dtype == layer.weight.dtype == gg.float32
    assert_close(gg.astype(y, gg.float32), wide(x.astype("float32")), rtol=1e-2, atol=1e-2)
    assert_close(layer.running_var, wide.running_var)


def test_a_large_mean_keeps_its_digits():
    x = (10000 + RNG.normal(size=(64, 3, 50))).astype("float32")
    wide = x.astype("float64")
    expected = (wide - wide.mean(axis=(0, 2), keepdims=True)) / wide.std(axis=(0, 2), keepdims=True)
    np.testing.assert_allclose(nn.BatchNorm1d(3)(x).detach().numpy(), expected, atol=3e-3)


def test_an_empty_batch_changes_no_statistics():
    layer = nn.BatchNorm1d(3)
    y = layer(np.ones((0, 3, 4), "float32"))
    y.sum().backward()
    assert y.shape == (0, 3, 4) and layer.weight.grad.tolist() == [0, 0, 0]
    assert layer.running_mean.tolist() == [0, 0, 0] and layer.running_var.tolist() == [1, 1, 1]


def test_how_they_print():
    assert repr(nn.BatchNorm2d(3)) == (
        "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)"
    )
    assert repr(nn.InstanceNorm1d(3)) == (
        "InstanceNorm1d(3, eps=1e-05, momentum=0.1, affine=False, bias=False, track_running_stats=False)"
    )


# Bad input ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m(np.ones((1, 3))), "input (1, 3) has one number to take the mean and the variance of"),
        (lambda m: m(np.ones((4, 2, 5))), "input (4, 2, 5), expected (N, 3) or (N, 3, L)"),
        (lambda m: m(np.ones((4, 3, 5, 5))), "input (4, 3, 5, 5), expected (N, 3) or (N, 3, L)"),
        (lambda m: m(np.ones((4, 3), "int64")), "got dtype int64, expected real floating-point"),
        (lambda m: m([[1.0, 2.0, 3.0]]), "the input is list, expected a Tensor or an array"),
    ],
)
def test_a_call_that_fails_changes_no_statistics(call, message):
    layer = nn.BatchNorm1d(3)
    layer(X)
    before = state(layer)
    with pytest.raises((ShapeError, DTypeError), match=re.escape(message)):
        call(layer)
    assert state(layer) == before


def test_one_number_per_channel_says_what_to_do():
    with pytest.raises(
        ShapeError,
        match=re.escape(
            "batch_norm: input (1, 3) has one number to take the mean and the variance of, expected more than 1 for each channel; "
            "with training=False (a layer: after eval()) the running statistics serve"
        ),
    ):
        F.batch_norm(np.ones((1, 3)), None, None, training=True)
    with pytest.raises(ShapeError, match="expected more than 1 for each channel of each image"):
        F.instance_norm(np.ones((4, 3, 1)))
    assert nn.BatchNorm1d(3).eval()(np.ones((1, 3), "float32")).shape == (1, 3)


@LAYERS
@pytest.mark.parametrize("number", [0, -1, 2.5])
def test_there_are_channels(layer, number):
    with pytest.raises(
        ShapeError, match=rf"{layer.__name__}: num_features is {number}, expected a number of channels, 1 or more"
    ):
        layer(number)


@LAYERS
def test_options_out_of_range(layer):
    name = layer.__name__
    for eps in (0, 0.0, -1e-5, float("nan")):
        with pytest.raises(OptionError, match=rf"^{name}: eps is {eps}, expected a number above 0"):
            layer(3, eps=eps)
    for momentum in (-0.1, 1.5):
        with pytest.raises(OptionError, match=rf"^{name}: momentum is {momentum}, expected a number from 0 to 1, or None"):
            layer(3, momentum=momentum)


@pytest.mark.parametrize(
    ("error", "call", "message"),
    [
        (
            ShapeError,
            lambda: F.batch_norm(X, None, None, np.ones(4), training=True),
            "batch_norm: got weight (4,), expected (3,), a number for each channel of input (8, 3, 5)",
        ),
        (
            ShapeError,
            lambda: F.batch_norm(X, np.ones(2), np.ones(3)),
            "batch_norm: got running_mean (2,), expected (3,), a number for each channel of input (8, 3, 5)",
        ),
        (
            ShapeError,
            lambda: F.batch_norm(X[0, 0], None, None),
            "batch_norm: input (5,), expected (N, C, ...) of 2 or more axes",
        ),
        (
            OptionError,
            lambda: F.batch_norm(X, None, None),
            "batch_norm: training is False and there are no running statistics; pass running_mean and running_var",
        ),
        (
            OptionError,
            lambda: F.batch_norm(X, np.ones(3), None, training=True),
            "batch_norm: got only one of running_mean and running_var, expected both or neither",
        ),
        (
            OptionError,
            lambda: F.instance_norm(X, use_input_stats=False),
            "instance_norm: use_input_stats is False and there are no running statistics; pass running_mean and running_var",
        ),
        (
            DTypeError,
            lambda: F.batch_norm(X, None, None, [1.0] * 3),
            "batch_norm: weight is list, expected a Tensor or an array",
        ),
    ],
)
def test_arguments_of_the_functions(error, call, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize("momentum", [0.1, None])
def test_a_checkpoint_moves_the_statistics_once(momentum):
    layer, same = nn.BatchNorm1d(3, momentum=momentum), nn.BatchNorm1d(3, momentum=momentum)
    y = gg.checkpoint(layer)(gg.tensor(X, requires_grad=True))
    after_forward = state(layer)
    gg.sum(y**2).backward()
    same(X)
    assert state(layer) == after_forward == state(same)
