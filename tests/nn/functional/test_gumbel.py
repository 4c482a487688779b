"""gpugrad.nn.functional.gumbel."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.nn import functional as F


def test_samples_have_the_shares_of_softmax():
    gg.manual_seed(0)
    shares = np.array([0.2, 0.5, 0.3])
    y = F.gumbel_softmax(np.broadcast_to(np.log(shares), (20_000, 3)), hard=True)
    assert set(np.unique(y)) == {0.0, 1.0}
    np.testing.assert_allclose(y.mean(axis=0), shares, atol=0.02)


def test_the_gradient_of_hard_samples_is_that_of_soft_ones():
    found = []
    for hard in (False, True):
        gg.manual_seed(3)
        x = gg.tensor(np.random.default_rng(0).normal(size=(4, 5)), requires_grad=True)
        F.gumbel_softmax(x, 0.7, hard, dim=0).backward(np.arange(20.0).reshape(4, 5))
        found.append(x.grad.numpy())
    np.testing.assert_allclose(found[1], found[0], rtol=1e-12)
    assert np.abs(found[0]).max() > 0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_samples_of_16_bits_are_numbers(dtype):
    """Of 100,000 uniform numbers some round to 1, whose logarithm has none."""
    pytest.importorskip("ml_dtypes")  # which tells NumPy of bfloat16
    gg.manual_seed(0)
    y = F.gumbel_softmax(np.zeros((10_000, 10), dtype), tau=0.5)
    assert y.dtype == dtype
    np.testing.assert_allclose(y.astype("float32").mean(axis=0), 0.1, atol=0.01)
