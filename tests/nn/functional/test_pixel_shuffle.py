"""gpugrad.nn.functional.pixel_shuffle: values and derivatives are in gpugrad/check/records/resampling.py."""

import re

import numpy as np
import pytest

from gpugrad.errors import ShapeError
from gpugrad.nn import functional as F

X = np.random.default_rng(0).normal(size=(2, 8, 3, 5))


def test_unshuffling_undoes_shuffling():
    np.testing.assert_array_equal(F.pixel_unshuffle(F.pixel_shuffle(X, 2), 2), X)
    np.testing.assert_array_equal(F.channel_shuffle(F.channel_shuffle(X, 2), 4), X)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: F.pixel_shuffle(X[0, 0], 2), "pixel_shuffle: got input (3, 5), expected (..., C, H, W)"),
        (lambda: F.pixel_shuffle(X, 3), "pixel_shuffle: input (2, 8, 3, 5), expected channels in multiples of 9, 3 * 3"),
        (lambda: F.pixel_unshuffle(X, 3), "pixel_unshuffle: input (2, 8, 3, 5), expected height and width in multiples of 3"),
        (lambda: F.channel_shuffle(X, 3), "channel_shuffle: input (2, 8, 3, 5), expected (N, C, *) with channels in multiples of groups=3"),
        (lambda: F.channel_shuffle(X[0, 0], 1), "channel_shuffle: input (3, 5), expected (N, C, *) with channels"),
        (lambda: F.pixel_shuffle(X, 0), "pixel_shuffle: upscale_factor is 0, expected an int, 1 or more"),
    ],
)  # fmt: skip
def test_shapes_that_do_not_fit(call, message):
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}"):
        call()
