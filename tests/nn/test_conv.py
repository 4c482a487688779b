"""gpugrad.nn.conv: results, gradients and PyTorch's numbers are in tests/layers/conv.py."""

import math
import re

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import DTypeError, GpugradError, OptionError, ShapeError
from gpugrad.testing import assert_close

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("layer", "shape", "fan_in"),
    [
        (lambda: nn.Conv2d(12, 40, (3, 5), groups=2), (40, 6, 3, 5), 90),
        (lambda: nn.ConvTranspose2d(12, 40, (3, 5), groups=2), (12, 20, 3, 5), 300),
        (lambda: nn.Conv1d(30, 80, 4), (80, 30, 4), 120),
        (lambda: nn.ConvTranspose3d(8, 20, 3), (8, 20, 3, 3, 3), 540),
    ],
)
def test_initial_values_are_uniform_within_the_fan_in(layer, shape, fan_in):
    gg.manual_seed(0)
    made = layer()
    bound = 1 / math.sqrt(fan_in)
    weight, bias = made.weight.detach().numpy(), made.bias.detach().numpy()
    assert weight.shape == shape and weight.dtype == np.float32
    assert np.abs(weight).max() <= bound and np.abs(bias).max() <= bound
    assert abs(weight.std() / (bound / math.sqrt(3)) - 1) < 0.05 and abs(weight.mean()) < 0.05 * bound
    assert np.abs(bias).max() > 0.5 * bound


def test_no_bias_and_another_dtype():
    layer = nn.Conv1d(2, 3, 1, bias=False, dtype=gg.float64)
    assert layer.bias is None and list(layer.state_dict()) == ["weight"]
    assert layer(gg.ones((2, 5), dtype=gg.float64)).dtype == gg.float64


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_padding_modes_pad_before_they_convolve(mode):
    x = RNG.normal(size=(2, 3, 5, 6))
    layer = nn.Conv2d(3, 4, 3, padding=(1, 2), padding_mode=mode, dtype=gg.float64)
    padded = nn.functional.pad(x, (2, 2, 1, 1), mode)
    assert_close(layer(x), nn.functional.conv2d(padded, layer.weight, layer.bias))


@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
@pytest.mark.parametrize("mode", ["zeros", "circular"])
def test_same_keeps_sizes(kernel, mode):
    layer = nn.Conv2d(1, 1, kernel, padding="same", dilation=(1, 2), padding_mode=mode)
    assert layer(gg.ones((1, 7, 8))).shape == (1, 7, 8)


def test_a_transposed_convolution_comes_back_to_every_size():
    down = nn.Conv1d(2, 3, 3, stride=3, padding=1)
    up = nn.ConvTranspose1d(3, 2, 3, stride=3, padding=1)
    for size in (7, 8, 9):
        x = gg.ones((4, 2, size))
        assert up(down(x), output_size=x.shape).shape == x.shape
        assert up(down(x), output_size=[size]).shape == x.shape


def test_repr_is_that_of_pytorch():
    assert repr(nn.Conv2d(3, 8, 3)) == "Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1))"
    assert repr(nn.Conv1d(4, 8, 3, 2, 1, 2, 2, False, "reflect")) == (
        "Conv1d(4, 8, kernel_size=(3,), stride=(2,), padding=(1,), dilation=(2,), groups=2, bias=False, padding_mode=reflect)"
    )
    assert repr(nn.Conv2d(3, 8, 3, padding="same")) == "Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=same)"
    assert repr(nn.ConvTranspose2d(3, 8, 3, 2, output_padding=(1, 0))) == (
        "ConvTranspose2d(3, 8, kernel_size=(3, 3), stride=(2, 2), output_padding=(1, 0))"
    )


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: nn.Conv2d(6, 8, 3, groups=4), OptionError,
            "Conv2d: groups=4 for in_channels=6 and out_channels=8, expected a divisor of both",
        ),
        (
            lambda: nn.ConvTranspose1d(6, 8, 3, groups=3), OptionError,
            "ConvTranspose1d: groups=3 for in_channels=6 and out_channels=8, expected a divisor of both",
        ),
        (lambda: nn.Conv2d(6, 8, 3, groups=0), ShapeError, "Conv2d: groups is 0, expected an int, 1 or more"),
        (lambda: nn.Conv2d(0, 8, 3), ShapeError, "Conv2d: in_channels is 0, expected an int, 1 or more"),
        (lambda: nn.Conv2d(3, 8, (3, 0)), ShapeError, "Conv2d: kernel_size is (3, 0), expected an int or a tuple of 2 of them, 1 or more"),
        (lambda: nn.Conv3d(3, 8, 3, stride=(1, 1)), ShapeError, "Conv3d: stride is (1, 1), expected an int or a tuple of 3 of them, 1 or more"),
        (lambda: nn.Conv1d(3, 8, 3, padding=-1), ShapeError, "Conv1d: padding is -1, expected an int, 0 or more"),
        (lambda: nn.Conv1d(3, 8, 1.5), DTypeError, "Conv1d: kernel_size is 1.5, expected an int"),
        (lambda: nn.Conv2d(3, 8, 3, padding="full"), OptionError, "Conv2d: padding is 'full', expected 'same', 'valid' or ints"),
        (
            lambda: nn.Conv2d(3, 8, 3, stride=2, padding="same"), OptionError,
            "Conv2d: padding is 'same' and stride (2, 2), expected stride 1, which keeps the sizes",
        ),
        (
            lambda: nn.Conv2d(3, 8, 3, padding_mode="mirror"), OptionError,
            "Conv2d: padding_mode is 'mirror', expected one of 'zeros', 'reflect', 'replicate', 'circular'",
        ),
        (
            lambda: nn.ConvTranspose2d(3, 8, 3, padding_mode="reflect"), OptionError,
            "ConvTranspose2d: padding_mode is 'reflect', expected 'zeros', the only one it has",
        ),
        (
            lambda: nn.ConvTranspose2d(3, 8, 3, stride=2, output_padding=(1, 2)), ShapeError,
            "ConvTranspose2d: output_padding is (1, 2), expected less than stride (2, 2) or dilation (1, 1) along each axis",
        ),
    ],
)  # fmt: skip
def test_options_that_do_not_fit(make, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        make()


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (lambda: nn.Conv2d(4, 16, 3), (2, 3, 8, 8), "input (2, 3, 8, 8), expected 4 channels for weight (16, 4, 3, 3)"),
        (
            lambda: nn.Conv2d(4, 16, 3, padding=1, padding_mode="circular"), (2, 3, 8, 8),
            "input (2, 3, 8, 8), expected 4 channels for weight (16, 4, 3, 3)",
        ),
        (lambda: nn.Conv2d(4, 16, 3), (8, 8), "got input (8, 8) and weight (16, 4, 3, 3), expected (N, C, H, W) or (C, H, W)"),
        (lambda: nn.Conv1d(4, 2, 5, padding=1), (4, 2), "the kernel (5,) with dilation (1,) spans (5,), more than input (4, 2)"),
        (lambda: nn.Conv1d(4, 2, 3, padding=2, padding_mode="reflect"), (4, 2), "expected 1 or less for axis 1 of size 2"),
        (lambda: nn.ConvTranspose1d(4, 6, 3), (2, 5, 8), "input (2, 5, 8), expected 4 channels for weight (4, 6, 3)"),
        (lambda: nn.ConvTranspose1d(4, 6, 3, padding=3), (4, 3), "the result would have spatial sizes (-1,), expected 1 or more"),
    ],
)  # fmt: skip
def test_inputs_that_do_not_fit(layer, shape, message):
    with pytest.raises(ShapeError, match=re.escape(message)):
        layer()(gg.ones(shape))


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((6, 9), "conv_transpose1d: output_size is (6, 9) for input (2, 4, 5), expected 1 sizes, or 3"),
        ((8,), "output_size is (8,) for input (2, 4, 5), expected sizes from (9,) to (10,)"),
        ((2, 6, 11), "output_size is (11,) for input (2, 4, 5), expected sizes from (9,) to (10,)"),
        ((0,), "output_size is (0,), expected an int, 1 or more"),
    ],
)
def test_output_sizes_that_cannot_be(size, message):
    layer = nn.ConvTranspose1d(4, 6, 3, stride=2, padding=1)
    with pytest.raises(ShapeError, match=re.escape(message.removeprefix("conv_transpose1d: "))):
        layer(gg.ones((2, 4, 5)), output_size=size)


def test_what_is_no_array():
    for layer in (nn.Conv1d(1, 1, 1), nn.Conv1d(1, 1, 1, padding_mode="circular"), nn.ConvTranspose1d(1, 1, 1)):
        with pytest.raises(GpugradError, match="the input is list, expected a Tensor or an array"):
            layer([[1.0]])
