"""gpugrad.testing: checks that must find what is wrong."""

import numpy as np
import pytest
from own_ops import own_op

import gpugrad as gg
from gpugrad.testing import assert_close, check_grads

X = np.array([0.5, -1.0, 2.0])


@own_op(x=lambda g, x: g * gg.cos(x) * 1.001)
def wrong_sine(x, /):
    return np.sin(x)


@own_op(x=lambda g, x: g * np.cos(x.array if isinstance(x, gg.Tensor) else x))
def first_order_sine(x, /):  # its rule forgets that it depends on x
    return np.sin(x)


@own_op(x=lambda g, x: g * x)
def wrong_complex_square(x, /):
    return x * np.conj(x)


# check_grads --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2, 3])
def test_right_gradients_pass(order):
    check_grads(lambda x: gg.sin(x) * x, X, order=order)


def test_a_wrong_rule_is_found():
    with pytest.raises(AssertionError, match=r"by the backward sweep and .* by central differences \(derivatives of order 1"):
        check_grads(wrong_sine, X, order=1)


def test_a_rule_that_loses_the_second_order_is_found():
    check_grads(first_order_sine, X, order=1)
    with pytest.raises(AssertionError, match="derivatives of order 1 are left to check"):
        check_grads(first_order_sine, X, order=2)


def test_a_wrong_complex_rule_is_found():
    check_grads(lambda z: z * gg.conj(z), X + 1j, order=2)
    with pytest.raises(AssertionError):
        check_grads(wrong_complex_square, X + 1j, order=1)


def test_a_gradient_that_is_missing_is_found():
    with pytest.raises(AssertionError):
        check_grads(lambda x: gg.stop_gradient(x) * 2, X, order=1)


def test_trees_and_other_arguments():
    def f(tree, power, mask, text):
        assert text == "text"
        return {"out": gg.where(mask, tree["a"] ** power, tree["b"][0]), "count": gg.asarray(3)}

    check_grads(f, {"a": X + 5, "b": (X,)}, 3, np.array([True, False, True]), "text", order=2)


def test_argnums():
    f = lambda x, y: x * wrong_sine(y)
    check_grads(f, X, X, argnums=[0], order=1)
    with pytest.raises(AssertionError):
        check_grads(f, X, X, argnums=[1], order=1)


def test_less_than_double_precision_is_refused():
    with pytest.raises(ValueError, match="check_grads: argument 1 has dtype float32, expected float64 or complex128"):
        check_grads(lambda x, y: x * y, X, X.astype(np.float32))


def test_another_seed_takes_another_direction():
    directions = []

    def f(x):
        directions.append(np.asarray(x.detach()) - X)
        return gg.sin(x)

    check_grads(f, X, order=1, seed=0)
    first = directions[-1]
    check_grads(f, X, order=1, seed=1)
    assert not np.allclose(first, directions[-1]) and np.abs(first).max() < 0.01


def test_the_tolerances_matter():
    check_grads(wrong_sine, X, order=1, rtol=1e-2)
    with pytest.raises(AssertionError):
        check_grads(wrong_sine, X, order=1, rtol=1e-5)


def test_check_grads_on_every_library(backend):
    check_grads(lambda x, y: gg.tanh(x @ y), backend.asarray(np.outer(X, X)), backend.asarray(X), order=2)


# assert_close -------------------------------------------------------------------------------------------------------


def test_close_values_pass():
    assert_close(np.array([1.0, np.nan, np.inf]), np.array([1.0 + 1e-12, np.nan, np.inf]))
    assert_close(gg.ones(2), np.ones(2, np.float32) * (1 + 1e-6))
    assert_close({"a": [1.0, gg.ones(2)]}, {"a": (1.0, np.ones(2))})
    assert_close({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert_close(np.arange(3), np.arange(3))
    assert_close(1.0, np.float64(1.0))


@pytest.mark.parametrize(
    "actual, expected, message",
    [
        (np.ones(2), np.ones(2) + 1e-6, "Max absolute difference"),
        (np.ones(2, np.float32), np.ones(2) + 1e-3, "Max absolute difference"),
        (np.ones(2), np.ones(3), r"shapes differ: \(2,\) and \(3,\)"),
        (np.ones(()), np.ones(1), r"shapes differ: \(\) and \(1,\)"),
        ([1.0, 2.0], [1.0, 2.5], "leaf 1: "),
        ([1.0], [1.0, 2.0], "the trees nest differently"),
        ({"a": 1.0}, {"b": 1.0}, "the trees nest differently"),
        (np.array([np.nan]), np.array([1.0]), "nan location mismatch"),
        (np.array([np.inf]), np.array([-np.inf]), "inf location mismatch|Mismatched|values"),
        (np.arange(3), np.array([0, 1, 3]), "Mismatched elements"),
    ],
)
def test_what_differs_is_found(actual, expected, message):
    with pytest.raises(AssertionError, match=f"(?i){message}"):
        assert_close(actual, expected)


def test_tolerances():
    assert_close(1.0, 1.05, rtol=0.1)
    assert_close(0.0, 0.05, atol=0.1)
    with pytest.raises(AssertionError):
        assert_close(1.0, 1.0 + 1e-12, rtol=0, atol=0)


def test_recording_tensors_can_be_compared():
    x = gg.tensor(X, requires_grad=True)
    assert_close(x * 2, 2 * X)


def test_assert_close_on_every_library(backend):
    assert_close(backend.asarray(X), X)
    with pytest.raises(AssertionError):
        assert_close(gg.asarray(backend.asarray(X)), X + 1)


def test_none_equals_none_alone():
    assert_close({"a": None, "b": X}, {"a": None, "b": X})
    assert_close(None, None)
    for actual, expected in ((None, X), (X, None), (None, 0.0)):
        with pytest.raises(AssertionError, match="None equals None alone"):
            assert_close(actual, expected)
