"""Random differentiable programs: gg.fuse gives the values and the gradients that the program has op by op."""

from __future__ import annotations

import pytest
from compile.differentiable import Differentiated, check_gradients, differentiated, only_kernels
from hypothesis import HealthCheck, given, settings

import gpugrad as gg

pytestmark = pytest.mark.usefixtures("kernels")
SETTINGS = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@settings(SETTINGS, max_examples=30)
@given(differentiated())
def test_gradients_are_those_of_the_program(case: Differentiated) -> None:
    check_gradients(case)


@settings(SETTINGS, max_examples=10)
@given(differentiated(5, singular=False))
def test_second_derivatives_are_those_of_the_program(case: Differentiated) -> None:
    check_gradients(case, order=2)


# What longer searches with these programs have found ------------------------------------------------------------------------


def test_a_sum_of_one_number_repeated_is_a_sum_of_vectors() -> None:
    x = gg.tensor([2.0, -0.5], requires_grad=True)
    with only_kernels():
        gg.sum(gg.fuse(lambda x: x - gg.mean(x, axis=0, keepdims=True))(x)).backward()
    assert x.grad.tolist() == [0.0, 0.0]


def test_an_argument_that_is_not_used_has_no_gradient_of_any_order() -> None:
    x, y = gg.tensor([2.0, 3.0], requires_grad=True), gg.tensor([1.0, 1.0], requires_grad=True)
    with only_kernels():
        out = gg.fuse(lambda x, y: (x * x, x + y))(x, y)[0]
        first, unused = gg.gradients(gg.sum(out), [x, y], create_graph=True, allow_unused=True)
    assert first.tolist() == [4.0, 6.0]
    assert unused is None
