"""Random differentiable programs: gg.fuse gives the values and the gradients that the program has op by op."""

from __future__ import annotations

from typing import Any

import pytest
from compile.differentiable import Differentiated, check_gradients, differentiated
from hypothesis import HealthCheck, given, settings

import gpugrad as gg
from gpugrad import fusion

pytestmark = pytest.mark.usefixtures("kernels")
SETTINGS = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True)
def refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The function itself does not run in the kernels' place."""

    def eager(*args: Any, **options: Any) -> Any:
        raise AssertionError("the function itself ran, not kernels")

    monkeypatch.setattr(fusion._Recording, "_eager", eager)
    monkeypatch.setattr(fusion._Pull, "_eager", eager)


@settings(SETTINGS, max_examples=30)
@given(differentiated())
def test_gradients_are_those_of_the_program(case: Differentiated) -> None:
    check_gradients(case, gg.fuse(case.program.run))


@settings(SETTINGS, max_examples=10)
@given(differentiated(5))
def test_second_derivatives_are_those_of_the_program(case: Differentiated) -> None:
    check_gradients(case, gg.fuse(case.program.run), order=2)
