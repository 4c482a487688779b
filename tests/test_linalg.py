"""The namespace gg.linalg: every function of the standard, with the standard's signature."""

from __future__ import annotations

import inspect
from typing import Any

import array_api_strict
import pytest

import gpugrad as gg

# array-api-strict lists what the version has that is set when it is imported: eig and eigvals came with 2025.12.
STANDARD = sorted({*array_api_strict.linalg.__all__, "eig", "eigvals"})


def test_every_function_is_there() -> None:
    assert len(STANDARD) == 25  # the 24 that have a derivative, and matrix_rank
    assert set(STANDARD) <= set(gg.linalg.__all__)
    assert all(callable(getattr(gg.linalg, name)) for name in gg.linalg.__all__)


def parameters(function: Any) -> list[tuple[Any, Any, Any]]:
    """Kind, default and, where it may be used as a keyword, name of each parameter."""
    found = inspect.signature(function).parameters.values()
    return [(p.kind, p.default, p.name if p.kind is not p.POSITIONAL_ONLY else "") for p in found]


@pytest.mark.parametrize("name", STANDARD)
def test_signature_is_that_of_the_standard(name: str) -> None:
    assert parameters(getattr(gg.linalg, name)) == parameters(getattr(array_api_strict.linalg, name))


@pytest.mark.parametrize("name", STANDARD)
def test_a_function_says_where_it_is_defined(name: str) -> None:
    assert "\nStandard: https://data-apis.org/array-api/" in (inspect.getdoc(getattr(gg.linalg, name)) or "")
