"""Random differentiable programs: gg.fuse gives the values and the gradients that the program has op by op."""

from __future__ import annotations

import pytest
from compile.differentiable import Differentiated, check_gradients, differentiated
from hypothesis import HealthCheck, given, settings

pytestmark = pytest.mark.usefixtures("kernels")
SETTINGS = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@settings(SETTINGS, max_examples=30)
@given(differentiated())
def test_gradients_are_those_of_the_program(case: Differentiated) -> None:
    check_gradients(case)


@settings(SETTINGS, max_examples=10)
@given(differentiated(5))
def test_second_derivatives_are_those_of_the_program(case: Differentiated) -> None:
    check_gradients(case, order=2)
