"""gpugrad.compile.accelerate: which arguments run as kernels."""

from __future__ import annotations

import numpy as np
import pytest

from gpugrad.compile.accelerate import SMALLEST, accelerated

pytestmark = pytest.mark.usefixtures("kernels")

FEW, MANY = np.ones(SMALLEST - 1, np.float32), np.ones(SMALLEST, np.float32)
ONE = np.asarray(3.0, np.float32)


def scaled(g, x):
    return g * x


@pytest.mark.parametrize(
    "operands, otherwise",
    [((MANY, ONE), False), ((ONE, MANY), False), ((FEW, ONE), True), ((ONE, FEW), True), ((2.0, MANY), True)],
    ids=["first", "second", "small first", "small second", "number first"],
)
def test_one_large_array_is_enough(operands, otherwise):
    """The gradient of a loss is one number, and comes first."""
    fallen_back = []

    def fallback(*given):
        fallen_back.append(given)
        return scaled(*given)

    out = accelerated(scaled, "scaled", fallback)(*operands)
    assert bool(fallen_back) is otherwise
    np.testing.assert_array_equal(out, scaled(*operands))
