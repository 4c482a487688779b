"""gpugrad.nn.functional.relu: values and derivatives on every backend are in gpugrad/check/records/functional.py."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import DTypeError
from gpugrad.nn import functional as F
from gpugrad.testing import assert_close


def test_at_zero_the_gradient_is_zero_and_nan_propagates():
    x = gg.tensor(np.array([-1.0, 0.0, -0.0, 2.0]), requires_grad=True)
    F.relu(x).backward(np.ones(4))
    assert x.grad.tolist() == [0.0, 0.0, 0.0, 1.0]
    assert np.isnan(F.relu(np.array([np.nan]))).all()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_an_infinite_gradient_does_not_pass_where_the_result_is_zero(dtype):
    x = gg.tensor(np.array([-1.0, 2.0], dtype), requires_grad=True)
    F.relu(x).backward(np.array([np.inf, 3.0], dtype))
    assert x.grad.tolist() == [0.0, 3.0]
    assert x.grad.dtype == dtype


def test_gradients_that_are_views_or_broadcast():
    x = gg.tensor(np.array([[-1.0, 2.0, 3.0], [4.0, -5.0, 6.0]]), requires_grad=True)
    F.relu(x).sum().backward()  # a read-only broadcast view arrives
    assert x.grad.tolist() == [[0, 1, 1], [1, 0, 1]]
    y = gg.tensor(np.array([[-1.0, 2.0, 3.0], [4.0, -5.0, 6.0]]), requires_grad=True)
    F.relu(y).backward(np.arange(6.0).reshape(3, 2).T)
    assert_close(y.grad, np.array([[0, 2.0, 4], [1, 0, 5]]))


def test_complex_numbers_have_no_order(device):
    with pytest.raises(DTypeError, match=r"relu: got complex128 \(2,\): complex numbers have no order, expected a real dtype"):
        F.relu(gg.asarray(np.ones(2) * 1j, device=device))


def test_a_mask_of_where_reaches_through():
    f = lambda x: gg.sum(gg.where(x > 0, F.relu(gg.sqrt(x)), 0.0))
    assert gg.grad(f)(np.array([0.0, 4.0])).tolist() == [0.0, 0.25]
    second = gg.grad(lambda x: gg.sum(gg.grad(f)(x) ** 2))(gg.asarray(np.array([0.0, 4.0])))
    assert_close(second, np.array([0.0, -1 / 64]))
