"""Elementwise ops where they are not smooth: subgradients, ties, branches not taken, infinities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import pytest
from backends import Backend

import gpugrad as gg
from gpugrad.testing import check_grads


def slopes(function: Callable[..., Any], *values: Any) -> list[Any]:
    """The gradient of the sum of `function` with respect to each argument, as lists."""
    arguments = [gg.tensor(v, dtype=gg.float64, requires_grad=True) for v in values]
    with numpy.errstate(all="ignore"):
        gg.sum(function(*arguments)).backward()
    return [x.grad.tolist() for x in arguments]


def test_abs_and_hypot_at_zero() -> None:
    assert slopes(gg.abs, [-2.0, 0.0, 3.0]) == [[-1.0, 0.0, 1.0]]
    assert slopes(gg.hypot, [0.0, 3.0], [0.0, -4.0]) == [[0.0, 0.6], [0.0, -0.8]]


def test_sign_of_a_complex_number_at_zero() -> None:
    z = gg.tensor([0j, 3 + 4j], dtype=gg.complex128, requires_grad=True)
    gg.sum(gg.real(gg.sign(z))).backward()
    assert z.grad.tolist() == pytest.approx([1 + 0j, 0.128 - 0.096j])


@pytest.mark.parametrize("function", [gg.maximum, gg.minimum])
def test_ties_share_equally(function: Any) -> None:
    assert slopes(function, [1.0, 2.0], [1.0, 2.0]) == [[0.5, 0.5], [0.5, 0.5]]


def test_clip_passes_at_its_limits() -> None:
    assert slopes(lambda x: gg.clip(x, -1, 1), [-2.0, -1.0, 0.0, 1.0, 2.0]) == [[0.0, 1.0, 1.0, 1.0, 0.0]]
    assert slopes(gg.clip, [-2.0, 0.0, 2.0], -1.0, 1.0) == [[0.0, 1.0, 0.0], 1.0, 1.0]


def test_clip_with_limits_the_wrong_way_round_gives_the_upper_one() -> None:
    assert gg.clip(gg.asarray([0.0, 5.0, 9.0]), 7.0, 3.0).tolist() == [3.0, 3.0, 3.0]
    assert slopes(gg.clip, [0.0, 5.0, 9.0], 7.0, 3.0) == [[0.0, 0.0, 0.0], 0.0, 3.0]


def test_pow_at_zero() -> None:
    assert slopes(lambda x: x**0, [0.0, 2.0]) == [[0.0, 0.0]]
    assert slopes(lambda x: x**1, [0.0]) == [[1.0]]
    assert slopes(lambda x: x**2, [0.0]) == [[0.0]]
    assert slopes(gg.pow, [0.0, 0.0, 0.0], [0.0, 1.0, 2.0]) == [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    assert slopes(lambda y: 0.0**y, [1.0, 2.0]) == [[0.0, 0.0]]


def test_pow_beyond_the_largest_number() -> None:
    assert slopes(lambda y: 2.0**y, [2000.0, 1.0]) == [[numpy.inf, pytest.approx(2 * numpy.log(2))]]
    assert slopes(lambda y: 2**y, 2000.0) == [numpy.inf]
    assert slopes(lambda y: 0.0**y, [2000.0, 1.0]) == [[0.0, 0.0]]
    assert numpy.isnan(slopes(lambda y: (-2.0) ** y, [2.0])[0]).all()  # a real power of a negative base has no slope


@pytest.mark.parametrize("base", [-2.0, 2, 1 + 2j, -1j])
def test_pow_of_a_number_to_complex_exponents(base: complex) -> None:
    check_grads(lambda z: base**z, numpy.asarray([0.5 + 1j, -1 + 0.25j]))


def test_pow_of_a_complex_number_to_real_exponents() -> None:
    check_grads(lambda y: (1 + 2j) ** y, numpy.asarray([0.5, -1.5]))


def test_pow_of_a_negative_base_with_a_whole_exponent() -> None:
    assert slopes(lambda x: x**3, [-2.0]) == [[12.0]]
    assert slopes(lambda x: gg.pow(x, gg.asarray([3.0], dtype=gg.float64)), [-2.0]) == [[12.0]]


def test_logaddexp_far_apart_and_of_nothing() -> None:
    """log(0) + x is x: the gradient is all x's."""
    assert slopes(gg.logaddexp, [1000.0, -numpy.inf], [-1000.0, 0.0]) == [[1.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize("function", [gg.log, gg.sqrt, gg.reciprocal])
def test_a_branch_not_taken_has_a_zero_gradient_if_its_argument_is_guarded(function: Any) -> None:
    """The argument of the branch not taken is replaced before, as the documentation shows."""

    def guarded(x: gg.Tensor) -> gg.Tensor:
        valid = x > 0
        return gg.where(valid, function(gg.where(valid, x, 1)), 0)

    (found,) = slopes(guarded, [0.0, -1.0, 4.0])
    assert found[:2] == [0.0, 0.0]
    assert found[2] == slopes(function, [4.0])[0][0]


def test_where_passes_no_gradient_to_the_branch_not_taken() -> None:
    assert slopes(lambda x, y: gg.where(gg.asarray([True, False]), x, y) * 3, [1.0, 2.0], [3.0, numpy.inf]) == [
        [3.0, 0.0],
        [0.0, 3.0],
    ]


def test_copysign_of_zero_and_towards_negative_zero() -> None:
    assert slopes(gg.copysign, [2.0, -2.0], [-0.0, 1.0]) == [[-1.0, -1.0], [0.0, 0.0]]


def test_remainder_has_the_sign_of_the_divisor() -> None:
    assert (gg.asarray([5.0, -5.0]) % 3).tolist() == [2.0, 1.0]
    assert slopes(gg.remainder, [5.0, -5.0], [3.0, 3.0]) == [[1.0, 1.0], [-1.0, 2.0]]


def test_python_numbers_give_python_numbers() -> None:
    assert type(gg.add(1, 2)) is int
    assert type(gg.exp(0.0)) is float
    assert gg.exp(0.0) == 1.0


def test_a_warning_of_numpy_is_not_swallowed() -> None:
    with pytest.raises(RuntimeWarning, match="invalid value encountered in log"):
        gg.log(gg.asarray([-1.0]))


def test_operands_of_another_type_are_named(backend: Backend) -> None:
    x = gg.asarray(backend.asarray(numpy.ones(2)))
    with pytest.raises(gg.DTypeError, match="multiply: got str, expected a Tensor, an array or a number"):
        gg.multiply(x, "a")
    with pytest.raises(TypeError, match="unsupported operand"):
        x - "a"


def test_dtypes_that_an_op_does_not_take_are_named() -> None:
    with pytest.raises(gg.DTypeError, match=r"bitwise_and: got float32 \(2,\) and float32 \(2,\)"):
        gg.ones(2) & gg.ones(2)
    with pytest.raises(gg.DTypeError, match=r"pow: got int64 \(2,\) and -1: Integers to negative integer powers"):
        gg.asarray([1, 2]) ** -1
    with pytest.raises(gg.DTypeError, match=r"floor: got complex64 \(2,\)"):
        gg.floor(gg.ones(2, dtype=gg.complex64))


@pytest.mark.parametrize("number", [300, -1])
def test_a_number_that_the_dtype_cannot_hold_is_named(number: int, backend: Backend) -> None:
    if backend.name == "cupy":
        return  # some versions of CuPy promote instead
    x = gg.asarray(backend.asarray(numpy.ones(2, "uint8")))
    with pytest.raises(gg.DTypeError, match=rf"^add: got .*uint8 \(2,\) and {number}: .*bound"):
        x + number
