"""Every op has a record in gpugrad/check/records/, and every function of the standard is there, with the standard's signature."""

from __future__ import annotations

import inspect
from typing import Any

import array_api_strict
import pytest

import gpugrad as gg
from gpugrad.check.gradients import LOCALLY_CONSTANT, MAIN
from gpugrad.check.records import CASES
from gpugrad.families import REGISTRY

# Functions of array-api-strict's own, which are not in the standard.
_NOT_STANDARD = {
    "ArrayAPIStrictFlags",
    "Device",
    "get_array_api_strict_flags",
    "reset_array_api_strict_flags",
    "set_array_api_strict_flags",
}
STANDARD = sorted(n for n in array_api_strict.__all__ if callable(getattr(array_api_strict, n)) and n not in _NOT_STANDARD)
FUNCTIONS = [name for name in STANDARD if inspect.isfunction(getattr(array_api_strict, name)) and not name.startswith("_")]


def test_the_list_of_differentiable_functions_is_whole() -> None:
    assert len(set(MAIN)) == 77
    assert set(MAIN) | set(LOCALLY_CONSTANT) <= set(STANDARD)


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_an_op_has_a_record(name: str) -> None:
    assert [case for case in CASES if case.name == name], f"add a record for {name} to gpugrad/check/records/"


@pytest.mark.parametrize("name", STANDARD)
def test_a_function_of_the_standard_has_a_record(name: str) -> None:
    assert callable(getattr(gg, name))
    assert name in gg.__dir__()
    if name in FUNCTIONS:
        assert [case for case in CASES if case.name == name], f"add a record for {name} to gpugrad/check/records/"


@pytest.mark.parametrize("name", sorted({case.name for case in CASES}))
def test_a_record_names_something_that_exists(name: str) -> None:
    assert name in REGISTRY or callable(getattr(gg, name, None))


def test_labels_tell_the_records_of_an_op_apart() -> None:
    names = [(case.name, case.label) for case in CASES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", MAIN)
def test_derivatives_are_checked_to_second_order(name: str) -> None:
    assert [c for c in CASES if c.name == name and (c.order or 0) >= 2 and any(call.differentiable for call in c.calls)]


@pytest.mark.parametrize("name", LOCALLY_CONSTANT)
def test_zero_gradients_are_checked(name: str) -> None:
    assert [c for c in CASES if c.name == name and c.order == 0 and any(call.differentiable for call in c.calls)]


def parameters(function: Any) -> tuple[list[Any], dict[str, Any]]:
    """Positional parameters as (kind, name if it may be used as a keyword, whether required) in order; the keyword-only by name."""
    positional, keywords = [], {}
    for p in inspect.signature(function).parameters.values():
        required = p.default is p.empty and p.kind is not p.VAR_POSITIONAL
        if p.kind is p.KEYWORD_ONLY:
            keywords[p.name] = required
        else:
            positional.append((p.kind.description, p.name if p.kind is p.POSITIONAL_OR_KEYWORD else "", required))
    return positional, keywords


# What gpugrad takes beyond the standard: arguments that may be left out, and none of the standard's refused.
_LEFT_OUT = {"expand_dims": "axis", "squeeze": "axis"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signature_is_that_of_the_standard(name: str) -> None:
    positional, keywords = parameters(getattr(gg, name))
    standard_positional, standard_keywords = parameters(getattr(array_api_strict, name))
    optional = _LEFT_OUT.get(name)
    assert positional == [(kind, p, required and p != optional) for kind, p, required in standard_positional]
    assert keywords == standard_keywords


def test_constants_and_dtypes_of_the_standard() -> None:
    for name in ("e", "inf", "pi", "newaxis"):
        assert getattr(gg, name) == getattr(array_api_strict, name)
    assert gg.nan != gg.nan
    for name in array_api_strict.__array_namespace_info__().dtypes():
        assert gg.isdtype(getattr(gg, name), name if name == "bool" else ("numeric", "bool"))
        assert getattr(gg, name).name == name
