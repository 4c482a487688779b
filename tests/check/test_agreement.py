"""How far results are apart, in units of the tolerance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpugrad.check.agreement import apart, distance, gradients
from gpugrad.check.backend import NUMPY
from gpugrad.check.records import CASES
from gpugrad.check.records.case import examples

EXAMPLES = {e.id: e for e in examples(CASES)}
FLOATS = st.floats(-1e6, 1e6)


@given(FLOATS, FLOATS, st.floats(1e-12, 1e-1))
def test_one_is_where_allclose_changes_its_mind(x: float, y: float, tolerance: float) -> None:
    found = apart(np.asarray(x), np.asarray(y), tolerance, tolerance)
    if abs(found - 1) > 1e-9:
        assert (found <= 1) == bool(np.isclose(x, y, rtol=tolerance, atol=tolerance))


@pytest.mark.parametrize(
    ("found", "expected", "agree"),
    [
        ([np.nan, 1.0], [np.nan, 1.0], True), ([np.inf, -np.inf], [np.inf, -np.inf], True), ([np.inf], [-np.inf], False),
        ([np.nan], [1.0], False), ([1.0], [np.nan], False), ([1.0], [np.inf], False), ([1 + 2j], [1 + 2j], True),
        ([1 + 2j], [1 + 3j], False), ([], [], True), ([3, 4], [3, 4], True), ([3, 4], [3, 5], False), ([True], [False], False),
    ],
)  # fmt: skip
def test_nan_infinity_integers(found: list[float], expected: list[float], agree: bool) -> None:
    assert (apart(np.asarray(found), np.asarray(expected), 1e-3, 1e-3) <= 1) is agree


def test_without_tolerance_only_equals_agree() -> None:
    x = np.asarray([1.0, np.nan])
    assert distance(x, x.copy(), NUMPY, 0) == 0
    assert distance(x, x + 1e-15, NUMPY, 0) == np.inf


@pytest.mark.parametrize(
    ("found", "message"),
    [(np.ones((2, 1)), "the shape is"), (np.ones(2, "float32"), "the dtype is"), ((np.ones(2), np.ones(2)), "2 results")],
)
def test_other_shapes_and_dtypes_are_no_matter_of_tolerance(found: object, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        distance(found, np.ones(2), NUMPY, 1.0)


def test_gradients_of_the_second_order_are_gradients_of_gradients() -> None:
    """Of exp: weights times weights times exp, so both orders have the sign of the weights' product, and no argument is left out."""
    example = EXAMPLES["exp-0"]
    x = example.arguments()[0]
    (first,), (second,) = gradients(example, NUMPY), gradients(example, NUMPY, order=2)
    weights = np.random.default_rng(0)
    u, v = weights.uniform(-1, 1, x.shape), weights.uniform(-1, 1, x.shape)
    np.testing.assert_allclose(first.array, u * np.exp(x))
    np.testing.assert_allclose(second.array, v * u * np.exp(x))


def test_linear_ops_have_no_second_gradients() -> None:
    assert gradients(EXAMPLES["negative-0"], NUMPY, order=2) == []
