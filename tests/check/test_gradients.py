"""The table of gradients: what its cells say of right rules, of wrong ones, and of functions without records."""

from __future__ import annotations

from typing import Any

import array_api_strict
import numpy as np
import pytest
from own_ops import own_op

import gpugrad as gg
from gpugrad.check import gradients
from gpugrad.check.backend import CUPY, NUMPY
from gpugrad.check.records.case import Case, call, complexes, nonzero, real

BACKENDS = [NUMPY, *([CUPY] if CUPY.available else [])]
ALL_YES = dict.fromkeys(gradients.DERIVATIVES, "yes")


@own_op(x=lambda g, x: g * 3 * x * x)
def right(x: Any, /) -> Any:
    return x * x * x


@own_op(x=lambda g, x: g * 2 * x * x)
def wrong(x: Any, /) -> Any:
    return x * x * x


@own_op(x=lambda g, x: g * 3 * x * gg.stop_gradient(x))
def wrong_at_second_order(x: Any, /) -> Any:
    return x * x * x


@own_op(x=lambda g, x: g * gg.conj(x) * 3 * x)
def wrong_for_complex_numbers(x: Any, /) -> Any:
    return x * x * x


def cells(function: Any, monkeypatch: pytest.MonkeyPatch, calls: Any = (call(nonzero(3)),), **more: Any) -> dict[str, str]:
    """The row of `square`, with this function in its place."""
    cases = [Case("square", calls, lambda x: x, function=function, **{"complex": True, **more})]
    monkeypatch.setattr(gradients, "CASES", cases)
    table = gradients.table(BACKENDS[-1], lambda result: None, ["square"])
    return {kind: cell.partition(":")[0] for kind, cell in table["square"].items()}


def test_there_are_113_functions_of_which_97_take_complex_numbers() -> None:
    assert (len(gradients.MAIN), len(gradients.LINALG), len(gradients.FFT)) == (77, 24, 12)
    assert len(set(gradients.FUNCTIONS)) == 113 and len(set(gradients.FUNCTIONS) - gradients.REAL_ONLY) == 97
    for name in [*gradients.FUNCTIONS, *gradients.LOCALLY_CONSTANT, *gradients.SLOPE_ONE]:
        space, _, function = name.rpartition(".")
        assert callable(getattr(getattr(array_api_strict, space) if space else array_api_strict, function))


def test_names_that_count_twice_are_one_function_with_one_record() -> None:
    twice = sorted(set(gradients.MAIN) & set(gradients.LINALG))
    assert twice == ["matmul", "matrix_transpose", "tensordot", "vecdot"]
    assert all(getattr(gg, name) is getattr(gg.linalg, name) for name in twice)


def test_a_right_rule_gives_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cells(right, monkeypatch) == ALL_YES


def test_a_wrong_rule_gives_no(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cells(wrong, monkeypatch) == dict.fromkeys(ALL_YES, "no")


def test_a_rule_that_is_wrong_at_second_order_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cells(wrong_at_second_order, monkeypatch) == ALL_YES | {"second order": "no"}


def test_a_rule_that_is_wrong_for_complex_numbers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    found = cells(wrong_for_complex_numbers, monkeypatch)
    assert (found["VJP"], found["complex VJP"], found["JVP"]) == ("yes", "no", "no")


def test_without_a_record_the_cell_says_no(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cells(right, monkeypatch, complex=False) == ALL_YES | {"complex VJP": "no"}
    assert cells(right, monkeypatch, order=1) == ALL_YES | {"second order": "no"}
    assert cells(right, monkeypatch, calls=[]) == dict.fromkeys(ALL_YES, "no")


def test_a_function_for_complex_numbers_alone_needs_no_real_record(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cells(gg.imag, monkeypatch, [call(complexes(3))], complex=False) == ALL_YES


def test_an_error_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(x: Any) -> Any:
        raise gg.ShapeError("no such shape")

    monkeypatch.setattr(gradients, "CASES", [Case("square", [call(real(3))], lambda x: x, function=broken)])
    found = gradients.table(NUMPY, lambda result: None, ["square"])["square"]
    assert found["VJP"] == "no: ShapeError: no such shape" and found["complex VJP"] == "no: no record"
    assert gradients.counts({"square": found})["VJP"] == (0, 1)


def test_a_function_that_is_not_there_has_no_derivative(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(gg, "square")
    found = gradients.table(NUMPY, lambda result: None, ["square"])["square"]
    assert set(found.values()) == {"no: gpugrad has no square"}


def test_complex_numbers_do_not_apply_to_functions_of_real_ones() -> None:
    assert gradients.table(NUMPY, lambda result: None, ["hypot"])["hypot"] == ALL_YES | {"complex VJP": "–"}


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.name)
def test_constant_gradients(backend: Any) -> None:
    found = gradients.table(backend, lambda result: None, [])
    assert found == {n: {"zero": "yes"} for n in gradients.LOCALLY_CONSTANT} | {"nextafter": {"slope": "yes"}}


def test_a_gradient_that_is_not_zero_is_no_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradients, "CASES", [Case("sign", [call(real(3))], np.sign, order=0, function=right)])
    assert gradients.table(NUMPY, lambda result: None, [])["sign"]["zero"].startswith("no: sign-0: ")
