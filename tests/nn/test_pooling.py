"""gpugrad.nn.pooling, beyond what the cases of tests/layers/pooling.py say."""

import re

import numpy as np
import pytest

from gpugrad import nn
from gpugrad.errors import DTypeError, OptionError, ShapeError


def test_how_they_print():
    assert repr(nn.MaxPool2d(2)) == "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)"
    assert (
        repr(nn.AvgPool3d((2, 1, 1), padding=(1, 0, 0)))
        == "AvgPool3d(kernel_size=(2, 1, 1), stride=(2, 1, 1), padding=(1, 0, 0))"
    )
    assert repr(nn.AdaptiveMaxPool2d((None, 2))) == "AdaptiveMaxPool2d(output_size=(None, 2))"
    assert repr(nn.LPPool1d(2, 3)) == "LPPool1d(norm_type=2, kernel_size=3, stride=3, ceil_mode=False)"
    assert repr(nn.MaxUnpool1d(2, 1)) == "MaxUnpool1d(kernel_size=2, stride=1, padding=0)"


def test_unpooling_has_the_size_that_it_is_given():
    x = np.arange(9.0)[None]
    out, indices = nn.MaxPool1d(2, return_indices=True)(x)
    assert nn.MaxUnpool1d(2)(out, indices).shape == (1, 8)
    assert nn.MaxUnpool1d(2)(out, indices, output_size=(1, 9)).tolist() == [[0, 1, 0, 3, 0, 5, 0, 7, 0]]


@pytest.mark.parametrize(
    ("error", "make", "message"),
    [
        (ShapeError, lambda: nn.MaxPool2d(0), "MaxPool2d: kernel_size is 0, expected an int or a tuple of 2 of them, 1 or more"),
        (ShapeError, lambda: nn.MaxPool2d(2, 0), "MaxPool2d: stride is 0, expected an int or a tuple of 2 of them, 1 or more"),
        (ShapeError, lambda: nn.MaxPool1d(3, padding=2), "MaxPool1d: padding is (2,), expected at most half of kernel_size (3,)"),
        (ShapeError, lambda: nn.AvgPool3d((2, 2)), "AvgPool3d: kernel_size is (2, 2), expected an int or a tuple of 3 of them, 1 or more"),
        (DTypeError, lambda: nn.AvgPool1d(2.5), "AvgPool1d: kernel_size is 2.5, expected an int"),
        (OptionError, lambda: nn.AvgPool2d(2, divisor_override=0), "AvgPool2d: divisor_override is 0, expected another number"),
        (ShapeError, lambda: nn.AdaptiveAvgPool2d(0), "AdaptiveAvgPool2d: output_size is (0, 0), expected an int or a tuple of 2 of them"),
        (ShapeError, lambda: nn.AdaptiveMaxPool1d((1, 2)), "AdaptiveMaxPool1d: output_size is (1, 2), expected an int"),
        (OptionError, lambda: nn.LPPool2d(0, 2), "LPPool2d: norm_type is 0, expected a finite number other than 0"),
    ],
)  # fmt: skip
def test_options_are_refused_when_it_is_made(error, make, message):
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        make()
