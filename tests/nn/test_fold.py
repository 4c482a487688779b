"""gpugrad.nn.fold: results, gradients and PyTorch's numbers are in tests/layers/fold.py."""

import re

import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import DTypeError, ShapeError


def test_repr_is_that_of_pytorch():
    assert repr(nn.Unfold(3, padding=(1, 2))) == "Unfold(kernel_size=3, dilation=1, padding=(1, 2), stride=1)"
    assert repr(nn.Fold((4, 5), 2)) == "Fold(output_size=(4, 5), kernel_size=2, dilation=1, padding=0, stride=1)"


def test_options_that_do_not_fit():
    with pytest.raises(
        ShapeError, match=re.escape("Unfold: kernel_size is (1, 2, 3), expected an int or a tuple of 2 of them")
    ):
        nn.Unfold((1, 2, 3))
    with pytest.raises(ShapeError, match=re.escape("Fold: stride is 0, expected an int or a tuple of 2 of them, 1 or more")):
        nn.Fold(4, 2, stride=0)
    with pytest.raises(DTypeError, match=re.escape("Fold: output_size is None, expected an int or a tuple of 2 of them")):
        nn.Fold(None, 2)


def test_inputs_that_do_not_fit():
    with pytest.raises(ShapeError, match=re.escape("got input (2, 12, 8), expected rows in multiples of 4")):
        nn.Fold((4, 3), 2)(gg.ones((2, 12, 8)))
