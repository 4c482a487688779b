"""gpugrad.arrays.explain: from a backend's exception to a sentence."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.arrays.explain import describe, explain
from gpugrad.errors import AxisError, DTypeError, IndexingError, ShapeError

A, B = np.ones((2, 3), np.float32), np.ones(4)


@pytest.mark.parametrize(
    "operand, text",
    [
        (A, "float32 (2, 3)"),
        (np.float64(2), "float64 ()"),
        (2.5, "2.5"),
        (True, "True"),
        (None, "None"),
        ([A, B], "[float32 (2, 3), float64 (4,)]"),
        ("text", "str"),
        (gg.ones(2), "float32 (2,)"),
    ],
)
def test_describe(operand, text):
    assert describe(operand) == text


@pytest.mark.parametrize(
    "error, kind",
    [
        (ValueError("wrong."), ShapeError),
        (TypeError("wrong."), DTypeError),
        (IndexError("wrong."), IndexingError),
        (np.exceptions.AxisError(3, 2), AxisError),
    ],
)
def test_the_exception_names_the_op_and_what_it_was_given(error, kind):
    found = explain("op", error, (A, 2.5), {"axis": 3, "keepdims": False, "dtype": None})
    assert type(found) is kind
    assert str(found).startswith("op: got float32 (2, 3) and 2.5, axis=3: ") and not str(found).endswith(".")


def test_shapes_that_do_not_broadcast():
    found = explain("add", ValueError("operands could not be broadcast"), (A, B), {})
    assert type(found) is ShapeError
    assert str(found) == (
        "add: shapes (2, 3) and (4,) do not broadcast: each pair of sizes, counted from the right, must be equal or contain a 1"
    )


@pytest.mark.parametrize("error", [MemoryError("no memory"), RuntimeWarning("overflow"), gg.RuleError("ours"), KeyError("k")])
def test_other_exceptions_are_left_alone(error):
    assert explain("op", error, (A,), {}) is error


def test_arrays_on_two_devices(backend):
    if backend.name != "array-api-strict":
        pytest.skip("the second device")
    found = explain("add", ValueError("devices differ"), (backend.asarray(A), A), {})
    assert type(found) is gg.DeviceError and str(found).startswith("add: operands are on ") and " and cpu; " in str(found)


@pytest.mark.parametrize(
    "call, kind, message",
    [
        (lambda: gg.sum(gg.ones((2, 3)), axis=2), ShapeError, r"sum: got float32 \(2, 3\), axis=2: "),
        (lambda: gg.reshape(gg.ones(6), (4, 2)), ShapeError, r"reshape: got float32 \(6,\), shape=\[4, 2\]: "),
        (lambda: gg.permute_dims(gg.ones((2, 3)), (0, 0)), ShapeError, "permute_dims: got"),
        (lambda: gg.bitwise_and(gg.ones(2), 1), DTypeError, r"bitwise_and: got float32 \(2,\) and 1: "),
        (lambda: gg.take(gg.ones(2), gg.asarray(np.array([5]))), IndexingError, r"take: got float32 \(2,\) and int64 \(1,\): "),
        (
            lambda: gg.concat([gg.ones((2, 2)), gg.ones((3, 3))]),
            ShapeError,
            r"concat: got float32 \(2, 2\) and float32 \(3, 3\)",
        ),
        (lambda: gg.broadcast_to(gg.ones(2), (3,)), ShapeError, r"broadcast_to: got float32 \(2,\), shape=\[3\]: "),
    ],
)
def test_through_the_ops(call, kind, message):
    with pytest.raises(kind, match=message) as error:
        call()
    assert error.value.__suppress_context__ and "\n" not in str(error.value)
