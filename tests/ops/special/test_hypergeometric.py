"""gpugrad/ops/special/hypergeometric.py beyond its records: special cases that are elementary."""

import numpy as np
import pytest
from derivatives import derivative

import gpugrad as gg
from gpugrad.errors import GraphError
from gpugrad.special import hyp0f1, hyp1f1, hyp2f1, wright_bessel

X = np.array([0.0, 0.25, 0.5])


def test_elementary_cases():
    assert derivative(lambda x: hyp1f1(1.5, 1.5, x), X, 2) == pytest.approx(np.exp(X).tolist())
    assert derivative(lambda x: hyp2f1(2.0, 1, 1, x), X) == pytest.approx((2 / (1 - X) ** 3).tolist())
    assert derivative(lambda x: hyp0f1(0.5, x * x / 4), X) == pytest.approx(np.sinh(X).tolist())
    assert derivative(lambda x: wright_bessel(0.0, 1.0, x), X) == pytest.approx(np.exp(X).tolist())


def test_a_parameter_has_no_derivative():
    a = gg.tensor([0.5], dtype="float64", requires_grad=True)
    with pytest.raises(GraphError, match="hyp2f1: it has no derivative with respect to a here"):
        hyp2f1(a, 1.0, 1.5, np.array([0.5])).backward(np.ones(1))


@pytest.mark.parametrize("x", [1e20, 1e300, np.inf])
def test_hyp1f1_ends_for_arguments_at_which_it_is_infinite(x):
    assert gg.special.hyp1f1(1.5, 2.5, x) == np.inf == gg.special.hyp1f1(np.asarray(1.5), 2.5, np.asarray(x))
    assert gg.special.hyp1f1(-2.0, 2.5, 1e20) == pytest.approx(1e40 / 8.75)  # a polynomial
