"""gpugrad.nn.dropout."""

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
    with pytest.raises(ValueError, match=r"dropout: p is 1.5, expected a probability from 0 to 1"):
        nn.Dropout(1.5)
