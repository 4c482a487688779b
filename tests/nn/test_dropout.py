"""gpugrad.nn.dropout."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn


def test_drops_in_training_mode_only():
    gg.manual_seed(0)
    layer = nn.Dropout(0.5)
    x = gg.ones(1000)
    assert 400 < layer(x).tolist().count(0.0) < 600
    assert layer.eval()(x) is x


def test_probabilities_out_of_range_are_refused_when_it_is_made():
    with pytest.raises(ValueError, match=r"Dropout: p is 1.5, expected a probability from 0 to 1"):
        nn.Dropout(1.5)


CHANNELS = [(nn.Dropout1d, (50, 40, 3)), (nn.Dropout2d, (50, 40, 2, 2)), (nn.Dropout3d, (50, 40, 2, 1, 2))]


@pytest.mark.parametrize(("kind", "shape"), CHANNELS)
def test_channels_are_dropped_as_a_whole(kind, shape):
    gg.manual_seed(0)
    layer = kind(0.3)
    y = layer(np.ones(shape)).reshape(50 * 40, -1)
    assert (y == y[:, :1]).all()
    assert set(np.unique(y)) == {0.0, 1 / 0.7} and abs((y == 0).mean() - 0.3) < 0.03
    x = np.ones(shape)
    assert layer.eval()(x) is x
    with pytest.raises(ValueError, match=rf"{kind.__name__}.*: input \(3,\), expected {len(shape)} or {len(shape) - 1} axes"):
        layer(np.ones(3))


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_alpha_dropout_keeps_mean_and_variance(p):
    gg.manual_seed(0)
    x = np.random.default_rng(0).normal(size=(500, 400))
    for layer in (nn.AlphaDropout(p), nn.FeatureAlphaDropout(p)):
        y = layer(x)
        assert abs(y.mean()) < 0.02 and abs(y.var() - 1) < 0.03
        assert (np.unique(y, return_counts=True)[1].max() / y.size) == pytest.approx(p, abs=0.01)  # dropped elements are alike


def test_alpha_dropout_of_everything_gives_zeros():
    assert not nn.AlphaDropout(1.0)(np.ones((3, 4))).any() and not nn.FeatureAlphaDropout(1.0)(np.ones((3, 4))).any()


@pytest.mark.parametrize("kind", [nn.Dropout1d, nn.AlphaDropout, nn.FeatureAlphaDropout])
@pytest.mark.parametrize("p", [-0.1, 1.5])
def test_all_kinds_check_probabilities(kind, p):
    with pytest.raises(ValueError, match=f"^{kind.__name__}: p is {p}, expected a probability from 0 to 1$"):
        kind(p)
    assert repr(kind(0.2)) == f"{kind.__name__}(p=0.2, inplace=False)"
