"""gpugrad.nn.functional.fold: values and derivatives on every backend are in gpugrad/check/records/convolution.py."""

import re

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import DTypeError, ShapeError
from gpugrad.nn import functional as F

RNG = np.random.default_rng(0)


def test_columns_of_an_image():
    image = np.arange(12.0).reshape(1, 1, 3, 4)
    assert F.unfold(image, (2, 3)).tolist() == [
        [[0, 1, 4, 5], [1, 2, 5, 6], [2, 3, 6, 7], [4, 5, 8, 9], [5, 6, 9, 10], [6, 7, 10, 11]]
    ]


def test_folding_counts_how_often_an_element_was_seen():
    ones = gg.ones((1, 3, 3))
    seen = F.fold(F.unfold(ones, 2), (3, 3), 2)
    assert seen.tolist() == [[[1, 2, 1], [2, 4, 2], [1, 2, 1]]]


def test_windows_that_do_not_overlap_fold_back():
    x = RNG.normal(size=(2, 3, 4, 6))
    np.testing.assert_array_equal(F.fold(F.unfold(x, (2, 3), stride=(2, 3)), (4, 6), (2, 3), stride=(2, 3)), x)


@pytest.mark.parametrize("dtype", [np.int64, np.float16, np.float32, np.complex64])
def test_dtypes_stay(dtype):
    x = np.ones((1, 1, 3, 3), dtype)
    assert F.unfold(x, 2).dtype == dtype
    assert F.fold(F.unfold(x, 2), (3, 3), 2).dtype == dtype


def test_numbers_of_16_bits_are_summed_in_32():
    columns = np.full((1, 64, 1), 0, np.float16)
    columns = np.repeat(columns, 64, axis=2) + np.float16(1)
    columns[0, 0, 63] = 2048  # where float16 no longer counts by ones
    out = F.fold(columns, (127, 1), (64, 1))
    assert out[0, 0, 63, 0] == np.float16(2048 + 63)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: F.unfold(x[0, 0], 2), "unfold: got input (3, 4), expected (N, C, H, W) or (C, H, W)"),
        (
            lambda x: F.unfold(x, (4, 2)),
            "unfold: the kernel (4, 2) with dilation (1, 1) spans (4, 2), more than input (1, 2, 3, 4) with padding (0, 0) on both sides",
        ),
        (lambda x: F.unfold(x, 2, stride=0), "unfold: stride is 0, expected an int or a tuple of 2 of them, 1 or more"),
        (lambda x: F.fold(x, (3, 4), 2), "fold: got input (1, 2, 3, 4), expected (N, C * kernel height * kernel width, L) or without N"),
        (
            lambda x: F.fold(x[0], (3, 4), 1),
            "fold: got input (2, 3, 4), expected rows in multiples of 1 for kernel (1, 1), and 12 columns, one for each of 3 x 4 windows "
            "in output (3, 4)",
        ),
    ],
)  # fmt: skip
def test_shapes_that_do_not_fit(call, message):
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        call(np.ones((1, 2, 3, 4)))


def test_what_is_no_array():
    with pytest.raises(DTypeError, match="unfold: the input is list"):
        F.unfold([[[1.0]]], 1)
    with pytest.raises(DTypeError, match=r"fold: output_size is 2.5"):
        F.fold(np.ones((4, 1)), 2.5, 2)
