"""gpugrad/ops/special/orthogonal.py beyond its records: at the ends of the interval, and of degree 0."""

import pytest
from derivatives import derivative

from gpugrad.special import eval_chebyt, eval_chebyu, eval_jacobi, eval_laguerre, eval_legendre


def test_at_the_ends():
    assert derivative(lambda x: eval_legendre(4, x), [-1.0, 1.0]) == pytest.approx([-10, 10])
    assert derivative(lambda x: eval_chebyt(4, x), [-1.0, 1.0]) == pytest.approx([-16, 16])
    assert derivative(lambda x: eval_chebyu(3, x), [1.0]) == pytest.approx([20])
    assert derivative(lambda x: eval_laguerre(3, x), [0.0]) == pytest.approx([-3])


def test_constants():
    for function in (eval_legendre, eval_chebyt, eval_chebyu, eval_laguerre):
        assert derivative(lambda x, f=function: f(0, x), [0.3]) == [0.0]
        assert derivative(lambda x, f=function: f(1, x), [0.3], 2) == [0.0]
    assert derivative(lambda x: eval_jacobi(0, 0.5, 0.5, x), [0.3]) == [0.0]
