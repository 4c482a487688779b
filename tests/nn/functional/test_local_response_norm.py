"""local_response_norm and normalize, beyond their records in gpugrad/check/records/normalization.py."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import AxisError, DTypeError, OptionError
from gpugrad.nn import functional as F
from gpugrad.testing import assert_close


def test_vectors_of_zeros_stay_zeros_and_have_a_gradient():
    x = gg.tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
    y = F.normalize(x)
    np.testing.assert_allclose(y.detach().numpy(), [[0.6, 0.8], [0.0, 0.0]], rtol=1e-6)
    y.backward(np.ones((2, 2), "float32"))
    assert np.isfinite(x.grad.numpy()).all()


def test_16_bits_do_not_overflow():
    x = np.full((1, 4), 60000, "float16")
    y = F.normalize(x)
    assert y.dtype == np.float16 and y.tolist() == [[0.5] * 4]


def test_options_that_do_not_fit():
    with pytest.raises(OptionError, match="^normalize: eps is 0, expected a number above 0"):
        F.normalize(np.ones((2, 2)), eps=0)
    with pytest.raises(OptionError, match="^normalize: p is -1, expected a norm's order, 0 or more$"):
        F.normalize(np.ones((2, 2)), p=-1)
    with pytest.raises(AxisError):
        F.normalize(np.ones(2))
    with pytest.raises(DTypeError, match="normalize: got dtype int64, expected real floating-point"):
        F.normalize(np.ones((2, 2), "int64"))


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_large_input_has_the_numbers_of_a_small_one(size):
    """The large one runs as one kernel."""
    x = np.random.default_rng(0).normal(size=(64, 4, 32))
    whole = F.local_response_norm(x, size, 0.5)
    assert_close(whole[:1, :, :2], F.local_response_norm(x[:1, :, :2], size, 0.5))
