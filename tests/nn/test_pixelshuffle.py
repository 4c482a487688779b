"""gpugrad.nn.pixelshuffle: results, gradients and PyTorch's numbers are in tests/layers/upsampling.py."""

import re

import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import DTypeError, ShapeError


def test_repr():
    layers = [nn.PixelShuffle(2), nn.PixelUnshuffle(3), nn.ChannelShuffle(4)]
    assert list(map(repr, layers)) == [
        "PixelShuffle(upscale_factor=2)", "PixelUnshuffle(downscale_factor=3)", "ChannelShuffle(groups=4)",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["PixelShuffle", "PixelUnshuffle", "ChannelShuffle"])
def test_factors_that_are_none(name):
    with pytest.raises(ShapeError, match=f"^{name}: .* is 0, expected an int, 1 or more$"):
        getattr(nn, name)(0)
    with pytest.raises(DTypeError, match=f"^{name}: .* is 1.5, expected an int$"):
        getattr(nn, name)(1.5)


def test_inputs_that_do_not_fit():
    with pytest.raises(ShapeError, match=re.escape("input (2, 6, 4, 4), expected channels in multiples of 4, 2 * 2")):
        nn.PixelShuffle(2)(gg.ones((2, 6, 4, 4)))
