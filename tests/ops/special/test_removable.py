"""gpugrad/ops/special/removable.py: quotients with a removable singularity, and their derivatives, where the parts meet."""

import numpy as np
import pytest
from derivatives import derivative

import gpugrad as gg
from gpugrad.ops.special import removable

QUOTIENTS = {
    "sin_over": (lambda x: gg.sin(x) / x, 1.0),
    "sin_over_slope": (lambda x: (gg.cos(x) - gg.sin(x) / x) / x, 1.0),
    "sinh_over": (lambda x: gg.sinh(x) / x, 1.0),
    "log_over": (lambda x: gg.log(x) / (x - 1), 0.5),
    "exprel_slope": (lambda x: (gg.exp(x) * (x - 1) + 1) / (x * x), 1.0),
}


@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize("name", QUOTIENTS)
def test_series_and_quotient_meet(name, order):
    plainly, radius = QUOTIENTS[name]
    points = np.array([-radius, -np.nextafter(radius, 0), np.nextafter(radius, 0), radius]) + (name == "log_over")
    found = derivative(getattr(removable, name), points, order) if order else getattr(removable, name)(points).tolist()
    expected = derivative(plainly, points, order) if order else plainly(points).tolist()
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("sin_over", [1, 0, -1 / 3, 0, 1 / 5]),
        ("sin_over_slope", [0, -1 / 3, 0, 1 / 5]),
        ("sinh_over", [1, 0, 1 / 3, 0, 1 / 5]),
        ("exprel_slope", [1 / 2, 1 / 3, 1 / 4, 1 / 5]),
    ],
)
def test_derivatives_at_zero(name, values):
    function = getattr(removable, name)
    assert function(np.float64(0.0)) == pytest.approx(values[0], rel=1e-15)
    for order, value in enumerate(values[1:], start=1):
        assert derivative(function, 0.0, order) == pytest.approx(value, rel=1e-14, abs=1e-300)


def test_derivatives_at_one():
    found = [removable.log_over(np.float64(1.0)), *(derivative(removable.log_over, 1.0, order) for order in (1, 2, 3))]
    assert found == pytest.approx([1, -1 / 2, 2 / 3, -6 / 4], rel=1e-14)


def test_nan_and_infinity_pass_through():
    assert np.isnan(removable.sin_over(np.array([np.nan]))).all()
    assert removable.exprel_slope(np.array([-np.inf, -1e10])).tolist() == pytest.approx([0.0, 1e-20], rel=1e-15, abs=0)
