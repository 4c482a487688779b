"""gpugrad/ops/special/integrals.py beyond its records: removable singularities, poles, several results."""

import math

import numpy as np
import pytest
from derivatives import derivative

import gpugrad as gg
from gpugrad.special import exp1, expi, expn, fresnel, shichi, sici, spence


def test_spence_at_one():
    assert [derivative(spence, 1.0, n) for n in (1, 2, 3)] == pytest.approx([-1, 1 / 2, -2 / 3], rel=1e-14)
    assert derivative(spence, 1 + 2.0**-40) == pytest.approx(-1 + 2.0**-41, rel=1e-16)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_spence_near_zero_where_z_minus_one_is_minus_one(dtype):
    z = np.array([1e-30, 2e-8], dtype)
    found = derivative(spence, z)
    assert found == pytest.approx((np.log(z) / (1 - z)).tolist(), rel=1e-6 if dtype == "float32" else 1e-15)
    assert derivative(spence, np.array([1e-30], dtype), 2) == pytest.approx([1e30], rel=1e-6)


def test_expi_where_exp_overflows_and_the_derivative_does_not():
    assert derivative(expi, 712.0) == pytest.approx(math.exp(712 - math.log(712)), rel=1e-12)


def test_sici_at_zero():
    assert [derivative(lambda x: sici(x).si, 0.0, n) for n in (1, 2, 3)] == pytest.approx([1, 0, -1 / 3])
    assert [derivative(lambda x: shichi(x).shi, 0.0, n) for n in (1, 2, 3)] == pytest.approx([1, 0, 1 / 3])
    assert derivative(lambda x: sici(x).ci, 0.0) == math.inf


def test_one_of_several_results_is_enough():
    x = gg.tensor([2.0], dtype="float64", requires_grad=True)
    s, c = fresnel(x)
    assert s.requires_grad and c.requires_grad
    gg.sum(c).backward()
    assert x.grad.array.tolist() == pytest.approx([1.0])


def test_orders_down_to_zero():
    x = np.array([0.5])
    assert derivative(lambda x: expn(0, x), x) == pytest.approx((-np.exp(-x) * (1 / x + 1 / x**2)).tolist())
    assert derivative(lambda x: expn(1, x), x, 2) == pytest.approx((np.exp(-x) * (1 / x + 1 / x**2)).tolist())
    assert derivative(lambda x: expn(3, x), np.zeros(1)) == [-1.0]


def test_poles():
    assert derivative(exp1, 0.0) == -math.inf
    assert derivative(expi, 0.0) == math.inf


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_narrow_dtypes_stay(dtype):
    assert [part.dtype for part in sici(np.ones(2, dtype))] == [dtype, dtype]
