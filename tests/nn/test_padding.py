"""gpugrad.nn.padding: results, gradients and PyTorch's numbers are in tests/layers/padding.py."""

import re

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import DTypeError, ShapeError


def test_repr_and_padding_of_all_sides():
    assert nn.ReflectionPad2d(2).padding == (2, 2, 2, 2)
    assert repr(nn.ZeroPad1d((1, 2))) == "ZeroPad1d((1, 2))"
    assert repr(nn.ConstantPad1d(1, 0.5)) == "ConstantPad1d(padding=(1, 1), value=0.5)"


def test_constants_pad_inputs_of_any_number_of_axes():
    assert nn.ConstantPad2d(1, 7)(np.zeros((1, 1))).tolist() == [[7, 7, 7], [7, 0, 7], [7, 7, 7]]
    assert nn.ZeroPad1d(1)(gg.ones((2, 1, 1, 3))).shape == (2, 1, 1, 5)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.ReflectionPad2d((1, 2)), ShapeError, "ReflectionPad2d: padding is (1, 2), expected an int or a tuple of 4 of them"),
        (lambda: nn.ZeroPad1d((1, 2, 3)), ShapeError, "ZeroPad1d: padding is (1, 2, 3), expected an int or a tuple of 2 of them"),
        (lambda: nn.CircularPad1d((1, 0.5)), DTypeError, "CircularPad1d: padding is (1, 0.5), expected an int or a tuple of 2 of them"),
        (lambda: nn.CircularPad1d(0.5), DTypeError, "CircularPad1d: padding is 0.5, expected an int or a tuple of 2 of them"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit(make, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        make()


def test_inputs_that_do_not_fit():
    with pytest.raises(ShapeError, match=re.escape("input (4, 5), expected (N, C, H, W) or (C, H, W)")):
        nn.ReplicationPad2d(1)(gg.ones((4, 5)))
    with pytest.raises(ShapeError, match=re.escape("for input (1, 3, 4), expected 3 or less for axis 2 of size 4")):
        nn.ReflectionPad1d(4)(gg.ones((1, 3, 4)))
