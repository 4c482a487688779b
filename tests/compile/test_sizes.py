"""Sizes: polynomials in the sizes of the arguments, compared under guards."""

from __future__ import annotations

import operator
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from gpugrad.compile.sizes import Guards, Size, axis, evaluator, polynomial, same, text, value, variable
from gpugrad.compile.symbols import Symbol, Trace


def sizes(*hints: int) -> list[Size]:
    trace = Trace("function")
    return [variable(i, n, trace) for i, n in enumerate(hints)]


def guards(size: Size) -> list[str]:
    return list(size.trace.guards.conditions)


EXPRESSIONS = st.recursive(
    st.one_of(st.integers(-4, 4), st.sampled_from(["s[0]", "s[1]", "s[2]"])).map(str),
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from("+-*"), inner),
    max_leaves=8,
)


@given(EXPRESSIONS, st.lists(st.integers(2, 9), min_size=3, max_size=3), st.lists(st.integers(2, 9), min_size=3, max_size=3))
def test_arithmetic_holds_for_all_values(expression: str, hints: list[int], others: list[int]) -> None:
    found = eval(expression, {"s": sizes(*hints)})
    assert value(found) == eval(expression, {"s": hints})
    assert evaluator([found])(tuple(others)) == (eval(expression, {"s": others}),)
    variables = dict(zip(("s0", "s1", "s2"), hints, strict=True))
    assert eval(f"96 - {text(found)} * 2", variables) == 96 - value(found) * 2
    if value(found):
        assert eval(f"96 % {text(found)}", variables) == 96 % value(found), "a product is one term, whatever stands before it"


@given(EXPRESSIONS, EXPRESSIONS)
def test_equal_polynomials_are_the_same_size(a: str, b: str) -> None:
    s = sizes(5, 7, 11)
    x, y = eval(a, {"s": s}), eval(b, {"s": s})
    assert same(x + y, y + x)
    assert same(x * y, y * x)
    assert same((x + y) * 2, x * 2 + y * 2)
    assert same(x - x, 0)


def test_text() -> None:
    a, b = sizes(3, 4)
    assert text(a) == "s0"
    assert text(a * b) == "(s0*s1)"
    assert text(a * b + 2) == "(2 + s0*s1)"
    assert text(7) == "7"
    assert text(0) == "0"
    assert text(-a) == "(-1*s0)"
    assert repr(a + 1) == "(1 + s0)"


def test_what_becomes_constant_is_a_plain_int() -> None:
    (a,) = sizes(3)
    assert (a - a, type(a - a)) == (0, int)
    assert (a + 2 - a, type(a + 2 - a)) == (2, int)
    assert type(a * 0) is int
    assert guards(a) == []


@pytest.mark.parametrize("compare", [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne])
@pytest.mark.parametrize("other", [2, 3, 4, 3.5, float("inf"), float("nan")])
def test_comparisons_answer_for_this_call_and_are_guards(compare: Any, other: Any) -> None:
    (a,) = sizes(3)
    answer = compare(a, other)
    assert answer is compare(3, other)
    (condition,) = guards(a)
    scope = {"inf": float("inf"), "nan": float("nan")}
    for n in (2, 3, 4, 5):
        assert eval(condition, {"s0": n, **scope}) == (compare(n, other) == answer)


def test_two_sizes_are_compared_under_a_guard() -> None:
    a, b = sizes(6, 3)
    assert a == 2 * b
    assert a > b
    assert not a < b
    assert guards(a) == ["s0 == (2*s1)", "s0 > s1", "not s0 < s1"]
    assert a == a + 0
    assert a < a + 1
    assert a - 6 <= a
    assert len(guards(a)) == 3, "what holds for all calls is no guard"


def test_axes_are_longer_than_one_without_a_guard() -> None:
    a, b = sizes(6, 3)
    for size in (a, a * b, 2 * a, a + b, a + 1):
        assert size != 1
        assert size != 0
        assert size
        assert axis(size) is size
    assert guards(a) == []


def test_an_axis_that_may_be_shorter_is_guarded() -> None:
    (a,) = sizes(6)
    assert axis(a - 5) == 1
    assert guards(a) == ["not (-5 + s0) > 1", "(-5 + s0) == 1"]
    (a,) = sizes(9)
    assert isinstance(axis(a - 5), Size)
    assert guards(a) == ["(-5 + s0) > 1"]


@pytest.mark.parametrize(
    "use",
    [
        lambda n: list(range(n)),
        lambda n: [0] * n,
        hash,
        int,
        float,
        operator.index,
        lambda n: {n: 1},
        lambda n: n // 4,
        lambda n: n % 4,
    ],
)
def test_what_only_an_int_can_do_fixes_the_value(use: Any) -> None:
    (a,) = sizes(6)
    assert use(a) == use(6)
    assert guards(a) == ["s0 == 6"]


def test_exact_quotients_stay_sizes() -> None:
    a, b = sizes(6, 4)
    assert same(a * b // b, a)
    assert same((2 * a + 4) // 2, a + 2)
    assert same((a * b + b) // b, a + 1)
    assert (a * b % b, 4 * a % 2) == (0, 0)
    assert guards(a) == []
    assert 25 // a == 4
    assert 25 % a == 1
    assert guards(a) == ["s0 == 6"]


def test_powers() -> None:
    a, b = sizes(6, 4)
    assert same(a**2, a * a)
    assert a**0 == 1
    assert guards(a) == []
    assert ((a**0.5).hint, (a**-1).hint, (2.0**b).hint) == (6**0.5, 1 / 6, 16.0)
    assert guards(a) == []
    assert 2**b == 16
    assert guards(a) == ["s1 == 4"]


def test_quotients_are_numbers_of_the_trace() -> None:
    a, b = sizes(6, 4)
    for found, expected in (
        (1 / a, 1 / 6),
        (a / b, 1.5),
        (a / 4, 1.5),
        (a * 0.5, 3.0),
        (a + 0.5, 6.5),
        (2.5 - a, -3.5),
        (a - 0.5, 5.5),
    ):
        assert isinstance(found, Symbol)
        assert found.is_number
        assert found.hint == expected
    assert guards(a) == []


def test_other_operands_are_left_to_them() -> None:
    (a,) = sizes(3)
    for operation in (operator.add, operator.sub, operator.truediv):
        with pytest.raises(TypeError):
            operation(a, "text")
    assert a != "text"
    with pytest.raises(TypeError):
        _ = a < "text"


def test_guards_are_noted_once() -> None:
    found = Guards()
    assert found.source() == "True"
    found.add("s0 > 1")
    found.add("s0 > 1")
    found.add("s1 > 1")
    assert found.source() == "s0 > 1 and s1 > 1"


def test_polynomials() -> None:
    a, b = sizes(3, 4)
    assert polynomial(0) == ()
    assert polynomial(5) == (((), 5),)
    assert polynomial(a * b + a) == (((0,), 1), ((0, 1), 1))
    assert evaluator([])(()) == ()
