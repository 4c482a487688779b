"""gpugrad.nn.functional.pooling: values and derivatives on every backend are in gpugrad/check/records/pooling.py."""

import re

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.nn import functional as F

RNG = np.random.default_rng(0)


def test_the_first_of_several_maxima_has_the_gradient():
    x = gg.tensor([[1.0, 1.0, 0.0, -1.0, 2.0, 2.0]], requires_grad=True)
    out, indices = F.max_pool1d(x, 3, return_indices=True)
    assert out.tolist() == [[1, 2]] and indices.tolist() == [[0, 4]]
    (found,) = gg.gradients([gg.sum(out)], [x])
    assert found.tolist() == [[1, 0, 0, 0, 1, 0]]


def test_gradients_of_overlapping_windows_add_up():
    x = gg.tensor([[0.0, 3.0, 1.0, 2.0]], requires_grad=True)
    (found,) = gg.gradients([F.max_pool1d(x, 2, 1)], [x], [gg.asarray([[1.0, 2.0, 4.0]])])
    assert found.tolist() == [[0, 3, 0, 4]]


def test_nan_and_minus_infinity():
    x = np.array([[np.nan, 1.0, 2.0, np.nan, -np.inf, -np.inf]])
    out, indices = F.max_pool1d(x, 2, return_indices=True)
    np.testing.assert_array_equal(out, [[np.nan, np.nan, -np.inf]])
    assert indices.tolist() == [[0, 3, 4]]


def test_indices_are_of_the_flattened_image_and_constants():
    x = gg.tensor(RNG.permutation(30).reshape(1, 1, 5, 6) * 1.0, requires_grad=True)
    out, indices = F.max_pool2d(x, (2, 3), return_indices=True)
    assert indices.dtype == gg.int64 and not indices.requires_grad and out.requires_grad
    np.testing.assert_array_equal(x.detach().numpy().reshape(-1)[indices.numpy()], out.detach().numpy())


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.float16])
def test_other_numbers(dtype):
    x = np.array([[3, 1, 2, 5]], dtype)
    out = F.max_pool1d(x, 2, padding=1)
    assert out.dtype == dtype and out.tolist() == [[3, 2, 5]]


def test_ceil_mode_lets_a_window_reach_over_the_end():
    x = gg.arange(1, 6, dtype=gg.float64)[None]
    assert F.max_pool1d(x, 2).tolist() == [[2, 4]]
    assert F.max_pool1d(x, 2, ceil_mode=True).tolist() == [[2, 4, 5]]
    assert F.max_pool1d(x, 2, 3, ceil_mode=True).tolist() == [[2, 5]]
    assert F.avg_pool1d(x, 2, ceil_mode=True).tolist() == [[1.5, 3.5, 5]]


def test_what_an_average_counts():
    x = gg.ones((1, 4))
    assert F.avg_pool1d(x, 2, padding=1).tolist() == [[0.5, 1, 0.5]]
    assert F.avg_pool1d(x, 2, padding=1, count_include_pad=False).tolist() == [[1, 1, 1]]
    assert F.avg_pool2d(gg.ones((1, 2, 2)), 2, divisor_override=8).tolist() == [[[0.5]]]


def test_averages_of_16_bits_are_summed_in_32():
    x = np.full((1, 4096), 16.0, np.float16)
    out = F.avg_pool1d(x, 4096)
    assert out.dtype == np.float16 and out.tolist() == [[16.0]]  # their sum, 65536, is infinite in float16


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation", "ceil_mode"),
    [(2, 2, 0, 1, False), (3, 2, 1, 1, True), ((4, 3), (1, 2), (2, 1), (1, 2), False), ((1, 5), 1, (0, 2), 1, False)],
)
def test_large_images_have_the_maxima_of_small_ones(dtype, kernel, stride, padding, dilation, ceil_mode):
    """The large batch runs in compiled kernels, the single images op by op."""
    x = RNG.permutation(12 * 3 * 13 * 14).reshape(12, 3, 13, 14).astype(dtype)
    options = (kernel, stride, padding, dilation, ceil_mode, True)
    out, indices = F.max_pool2d(x, *options)
    for n in range(len(x)):
        one, places = F.max_pool2d(x[n], *options)
        np.testing.assert_array_equal(out[n], one)
        np.testing.assert_array_equal(indices[n], places)


def test_windows_of_the_lowest_number_have_its_first_place():
    """Not one on the padding, which is the lowest number too."""
    for lowest in (np.full((1, 4), -np.inf), np.full((1, 4), -128, np.int8)):
        out, indices = F.max_pool1d(lowest, 3, 2, 1, return_indices=True)
        assert (out == lowest[0, 0]).all() and indices.tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: F.max_pool2d(x[0], 2), "max_pool2d: got input (3, 4), expected (N, C, H, W) or (C, H, W)"),
        (lambda x: F.max_pool1d(x[None, None], 2), "max_pool1d: got input (1, 1, 2, 3, 4), expected (N, C, L) or (C, L)"),
        (
            lambda x: F.max_pool2d(x, (4, 2)),
            "max_pool2d: the kernel (4, 2) with dilation (1, 1) spans (4, 2), more than input (2, 3, 4) with padding (0, 0) on both sides",
        ),
        (lambda x: F.avg_pool2d(x, 3, padding=2), "avg_pool2d: padding is (2, 2), expected at most half of kernel_size (3, 3)"),
        (
            lambda x: F.max_pool1d(x[0, :, :2], 2, 1, 1, 3),
            "max_pool1d: of input (3, 2), some windows lie on nothing but padding, with kernel_size (2,), padding (1,) and dilation (3,); "
            "they have no maximum",
        ),
    ],
)  # fmt: skip
def test_shapes_that_do_not_fit(call, message):
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        call(np.ones((2, 3, 4)))


def test_a_divisor_of_zero():
    with pytest.raises(OptionError, match=r"^avg_pool2d: divisor_override is 0, expected another number$"):
        F.avg_pool2d(np.ones((2, 3, 4)), 2, divisor_override=0)


def test_a_stride_that_needs_64_bits(device):
    x = gg.asarray(np.arange(9.0).reshape(1, 1, 3, 3), device=device)
    assert F.max_pool2d(x, 2, stride=2**40).tolist() == [[[[4.0]]]]
    assert F.conv2d(x, gg.ones((1, 1, 2, 2), dtype=gg.float64, device=device), stride=2**40).tolist() == [[[[8.0]]]]


def test_dtypes_that_do_not_fit():
    with pytest.raises(DTypeError, match=r"max_pool1d: got complex128 \(1, 4\), expected real numbers"):
        F.max_pool1d(np.ones((1, 4), complex), 2)
    with pytest.raises(DTypeError, match=r"avg_pool1d: got int64 \(1, 4\), expected floating-point numbers"):
        F.avg_pool1d(np.ones((1, 4), np.int64), 2)
    with pytest.raises(DTypeError, match="max_pool1d: the input is list"):
        F.max_pool1d([[1.0]], 1)


@pytest.mark.parametrize("shape", [(0, 2, 4), (2, 0, 4), (0, 0, 4)])
def test_empty_batches_have_empty_gradients(shape):
    x = gg.tensor(np.zeros(shape), requires_grad=True)
    F.max_pool1d(x, 2).sum().backward()
    assert x.grad.shape == shape
