"""Adaptive pooling, lp_pool and max_unpool, beyond their records in gpugrad/check/records/adaptive_pooling.py."""

import re

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import DTypeError, IndexingError, OptionError, ShapeError
from gpugrad.nn import functional as F
from gpugrad.testing import assert_close

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("size", [1, 2, 5, 7, 11, (3, 14), (None, 4)])
def test_large_batches_have_the_means_and_maxima_of_small_ones(size):
    """Large ones run in compiled kernels."""
    x = RNG.permutation(16 * 2 * 14 * 9).reshape(16, 2, 14, 9) * 1.0
    assert_close(F.adaptive_avg_pool2d(x, size)[3], F.adaptive_avg_pool2d(x[3], size))
    np.testing.assert_array_equal(F.adaptive_max_pool2d(x, size)[3], F.adaptive_max_pool2d(x[3], size))
    leaf = gg.tensor(x, requires_grad=True)
    out = F.adaptive_avg_pool2d(leaf, size)
    g = RNG.normal(size=out.shape)
    out.backward(g)
    one = gg.tensor(x[3], requires_grad=True)
    F.adaptive_avg_pool2d(one, size).backward(g[3])
    assert_close(leaf.grad[3], one.grad)


def test_as_many_regions_as_elements_are_the_elements():
    x = RNG.normal(size=(2, 3, 4, 5))
    np.testing.assert_array_equal(F.adaptive_avg_pool2d(x, None), x)
    np.testing.assert_array_equal(F.adaptive_max_pool2d(x, (4, None)), x)


def test_infinity_and_nan_stay_in_their_regions():
    x = np.array([[1.0, np.inf, 2.0, 3.0, np.nan]])
    np.testing.assert_array_equal(F.adaptive_avg_pool1d(x, 3), [[np.inf, np.inf, np.nan]])
    np.testing.assert_array_equal(F.adaptive_avg_pool1d(x[:, :4], 3), [[np.inf, np.inf, 2.5]])
    np.testing.assert_array_equal(F.adaptive_max_pool1d(x, 3), [[np.inf, np.inf, np.nan]])
    out, indices = F.adaptive_max_pool1d(np.full((1, 5), -np.inf), 3, return_indices=True)
    assert indices.tolist() == [[0, 1, 3]] and (out == -np.inf).all()


def test_means_of_16_bits_are_summed_in_32():
    x = np.full((1, 5000), 16.0, np.float16)
    for size in (1, 3):
        out = F.adaptive_avg_pool1d(x, size)
        assert out.dtype == np.float16 and (out == 16).all()


@pytest.mark.parametrize("dtype", [np.int8, np.int64])
def test_maxima_of_integers(dtype):
    x = np.array([[-128, -127, 5, -128, -128]], dtype)
    out = F.adaptive_max_pool1d(x, 3)
    assert out.dtype == dtype and out.tolist() == [[-127, 5, -128]]


def test_the_gradient_of_lp_pool_is_zero_where_its_sum_is():
    x = gg.tensor([[0.0, 0.0, 3.0, 4.0]], requires_grad=True)
    out = F.lp_pool1d(x, 2, 2)
    out.backward(np.ones((1, 2), "float32"))
    np.testing.assert_allclose(out.detach().numpy(), [[0, 5]], rtol=1e-6)
    np.testing.assert_allclose(x.grad.numpy(), [[0, 0, 0.6, 0.8]], rtol=1e-6)


def test_unpooling_puts_maxima_back():
    x = RNG.permutation(48).reshape(1, 2, 4, 6) * 1.0
    out, indices = F.max_pool2d(x, 2, return_indices=True)
    back = F.max_unpool2d(out, indices, 2)
    assert back.shape == x.shape
    np.testing.assert_array_equal(np.sort(back[back > 0]), np.sort(out.reshape(-1)))
    np.testing.assert_array_equal(back[back > 0], x[back > 0])


def test_the_same_maximum_of_two_windows_is_stored_once():
    x = gg.tensor([[1.0, 5.0, 2.0]], requires_grad=True)
    out, indices = F.max_pool1d(x, 2, 1, return_indices=True)
    back = F.max_unpool1d(out, indices, 2, 1)
    assert back.tolist() == [[0, 5, 0]]
    back.backward(np.ones((1, 3), "float32"))
    assert x.grad.tolist() == [[0, 1, 0]]


@pytest.mark.parametrize(
    ("error", "call", "message"),
    [
        (ShapeError, lambda x: F.adaptive_avg_pool2d(x, (2, 0)), "adaptive_avg_pool2d: output_size is (2, 0), expected an int or"),
        (ShapeError, lambda x: F.adaptive_max_pool2d(x, (2, 2, 2)), "adaptive_max_pool2d: output_size is (2, 2, 2), expected an int or"),
        (DTypeError, lambda x: F.adaptive_avg_pool2d(x, 2.5), "adaptive_avg_pool2d: output_size is"),
        (ShapeError, lambda x: F.adaptive_avg_pool1d(x[None], 2), "adaptive_avg_pool1d: input (1, 2, 4, 4), expected (N, C, L) or (C, L)"),
        (ShapeError, lambda x: F.adaptive_max_pool1d(x[:, :, :0], 2), "adaptive_max_pool1d: input (2, 4, 0), expected (N, C, L) or (C, L)"),
        (DTypeError, lambda x: F.adaptive_avg_pool1d(x.astype(int), 2), "adaptive_avg_pool1d: got int64 (2, 4, 4), expected floating"),
        (DTypeError, lambda x: F.adaptive_max_pool1d(x + 1j, 3), "adaptive_max_pool1d: got complex128 (2, 4, 4), expected real numbers"),
        (OptionError, lambda x: F.lp_pool1d(x, 0, 2), "lp_pool1d: norm_type is 0, expected a finite number other than 0"),
        (OptionError, lambda x: F.lp_pool1d(x, np.inf, 2), "lp_pool1d: norm_type is inf, expected a finite number other than 0"),
        (ShapeError, lambda x: F.lp_pool2d(x, 2.0, 5), "lp_pool2d: the kernel (5, 5) with dilation (1, 1) spans (5, 5), more than input"),
        (
            ShapeError,
            lambda x: F.max_unpool2d(x, np.zeros((4, 4), int), 2),
            "max_unpool2d: got input (2, 4, 4) and indices (4, 4), expected both (N, C, H, W) or (C, H, W), the same",
        ),
        (DTypeError, lambda x: F.max_unpool2d(x, x, 2), "max_unpool2d: the indices have dtype float64, expected integers"),
        (
            ShapeError,
            lambda x: F.max_unpool2d(x, x.astype(int), 2, output_size=(8, 10)),
            "max_unpool2d: output_size is (8, 10), expected 2 sizes that pooling makes (4, 4) of: (8, 8), or each less than the stride",
        ),
        (IndexingError, lambda x: F.max_unpool2d(x, np.full(x.shape, 64), 2), "put: "),
    ],
)  # fmt: skip
def test_bad_input(error, call, message):
    with pytest.raises(error, match=re.escape(message)):
        call(np.ones((2, 4, 4)))
