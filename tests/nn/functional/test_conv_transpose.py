"""gpugrad.nn.functional.conv_transpose: values and derivatives are in gpugrad/check/records/conv_transpose.py."""

import re

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import DTypeError, ShapeError
from gpugrad.nn import functional as F
from gpugrad.testing import assert_close

RNG = np.random.default_rng(0)


def test_it_is_the_gradient_of_a_convolution():
    x = gg.tensor(RNG.normal(size=(2, 4, 7, 6)), requires_grad=True)
    weight, options = RNG.normal(size=(6, 2, 3, 2)), {"stride": (2, 1), "padding": 1, "groups": 2, "dilation": (1, 2)}
    out = F.conv2d(x, weight, **options)
    g = RNG.normal(size=out.shape)
    (expected,) = gg.gradients([out], [x], [gg.asarray(g)])
    assert_close(F.conv_transpose2d(g, weight, **options), expected)


def test_a_stride_of_the_kernel_lays_kernels_side_by_side():
    out = F.conv_transpose1d(np.asarray([[2.0, 3.0]]), np.asarray([[[1.0, 10.0]]]), np.asarray([0.5]), stride=2)
    assert out.tolist() == [[2.5, 20.5, 3.5, 30.5]]


def test_more_output_padding_than_stride_adds_what_no_kernel_reaches():
    x, weight = np.ones((1, 2)), np.ones((1, 1, 2))
    assert F.conv_transpose1d(x, weight, output_padding=2, dilation=3).tolist() == [[1, 1, 0, 1, 1, 0, 0]]


@pytest.mark.parametrize(
    ("shapes", "options", "message"),
    [
        ([(2, 3, 8), (4, 2, 3)], {}, "conv_transpose1d: input (2, 3, 8), expected 4 channels for weight (4, 2, 3)"),
        (
            [(8,), (4, 2, 3)], {},
            "conv_transpose1d: got input (8,) and weight (4, 2, 3), expected (N, C, L) or (C, L) and (C, O / groups, kernel)",
        ),
        (
            [(2, 4, 8), (4, 2, 3)], {"groups": 3},
            "conv_transpose1d: weight (4, 2, 3) has 4 input channels, expected a multiple of groups=3",
        ),
        (
            [(2, 4, 8), (4, 2, 3), (2,)], {"groups": 2},
            "conv_transpose1d: got bias (2,) and weight (4, 2, 3) with groups=2, expected bias (4,), one per output",
        ),
        (
            [(4, 8), (4, 2, 3)], {"output_padding": 1},
            "conv_transpose1d: output_padding is (1,), expected less than stride (1,) or dilation (1,) along each axis",
        ),
        (
            [(4, 1), (4, 2, 3)], {"padding": 2},
            "conv_transpose1d: of input (4, 1) with kernel (3,), stride (1,), padding (2,) and dilation (1,), the result would have "
            "spatial sizes (-1,), expected 1 or more",
        ),
    ],
)  # fmt: skip
def test_shapes_that_do_not_fit(shapes, options, message):
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        F.conv_transpose1d(*(np.ones(shape) for shape in shapes), **options)


def test_what_is_no_array():
    with pytest.raises(DTypeError, match="conv_transpose1d: the weight is list"):
        F.conv_transpose1d(np.ones((1, 3)), [[[1.0]]])
