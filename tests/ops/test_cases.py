"""What every op must satisfy, on every backend, from its record in gpugrad/check/records/."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
from backends import NUMPY, Backend

import gpugrad as gg
from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.check.agreement import distance, gradients, records
from gpugrad.check.records import CASES
from gpugrad.check.records.case import Case, Example, examples
from gpugrad.compile.keys import is_array
from gpugrad.testing import check_grads
from gpugrad.trees import leaves, map_leaves

MATHS = [case for case in CASES if not case.creates]
DIFFERENTIABLE = [e for e in examples([c for c in CASES if c.order is not None]) if e.call.differentiable]
CONSTANT = [e for e in examples([c for c in MATHS if c.order is None]) if e.call.differentiable]
LOCALLY_CONSTANT = [e for e in DIFFERENTIABLE if e.case.order == 0]


def of(chosen: list[Example]) -> Any:
    """Parametrize a test by examples."""
    return pytest.mark.parametrize("example", chosen, ids=lambda e: e.id)


def assert_same(found: Any, expected: Any, backend: Backend, rtol: float) -> None:
    """Equal shapes, dtypes and values; what is no array is equal."""
    assert distance(found, expected, backend, rtol) <= 1


def tolerance(case: Case, precision: str) -> float:
    return case.rtol if precision == "float64" else 2e-5


@pytest.mark.parametrize("precision", ["float64", "float32"])
@of(examples(MATHS))
def test_arrays_give_arrays_with_the_values_of_numpy(example: Example, precision: str, backend: Backend) -> None:
    arguments = example.arguments(precision, backend)
    out = example.run(*arguments)
    assert all(backend.is_array(x) for x in leaves(out) if is_array(x))
    assert_same(out, example.expected(precision), backend, tolerance(example.case, precision))


@of(examples(MATHS))
def test_tensors_give_tensors_with_the_values_of_the_raw_path(example: Example, backend: Backend) -> None:
    arguments = example.arguments(backend=backend)
    out = leaves(example.run(*map_leaves(lambda x: gg.asarray(x) if is_array(x) else x, arguments)))
    raw = leaves(example.run(*arguments))
    assert [isinstance(x, gg.Tensor) for x in out] == [is_array(x) for x in raw]
    assert not any(x.requires_grad for x in out if isinstance(x, gg.Tensor))
    plain = [x.array if isinstance(x, gg.Tensor) else x for x in out]
    assert_same(plain, [backend.to_numpy(x) if is_array(x) else x for x in raw], backend, 0)


@of([e for e in DIFFERENTIABLE if e.case.order])
def test_derivatives_equal_central_differences(example: Example) -> None:
    check_grads(example.run, *example.arguments(), order=example.case.order or 0)


@of(DIFFERENTIABLE)
def test_gradients_of_backends_and_of_both_sweeps_agree(example: Example, backend: Backend) -> None:
    expected = [g.array for g in gradients(example, NUMPY)]
    for create_graph in (False, True):
        found = gradients(example, backend, create_graph=create_graph)
        assert_same([g.array for g in found], expected, backend, 1e-10)


class Masked(Example):
    """An example behind a branch that is always taken, so that a mask of live gradients travels through its rules."""

    def run(self, *arguments: Any) -> Any:
        out = super().run(*map_leaves(lambda x: x * gg.ones_like(x) if records(x) else x, arguments))
        return map_leaves(lambda x: gg.where(gg.full(x.shape, True), x, 0) if records(x) else x, out)


@of([e for e in DIFFERENTIABLE if e.case.order])
def test_a_mask_that_is_live_everywhere_changes_no_gradient(example: Example) -> None:
    expected = [g.array for g in gradients(example, NUMPY)]
    found = gradients(Masked(example.case, example.number, example.complex), NUMPY, create_graph=True)
    assert_same([g.array for g in found], expected, NUMPY, 1e-10)


@of(DIFFERENTIABLE)
def test_float32_stays_float32(example: Example, backend: Backend) -> None:
    """The dtypes are compared with those of the arguments in `gradients`."""
    expected = [g.array for g in gradients(example, NUMPY)]
    for found, exact in zip(gradients(example, backend, precision="float32"), expected, strict=True):
        assert found.dtype in (gg.float32, gg.complex64)
        numpy.testing.assert_allclose(backend.to_numpy(found.array), exact, rtol=5e-4, atol=5e-5)


@of(LOCALLY_CONSTANT)
def test_gradient_of_locally_constant_ops_is_zero(example: Example, backend: Backend) -> None:
    for gradient in gradients(example, backend) + gradients(example, backend, create_graph=True):
        assert not backend.to_numpy(gradient.array).any()


@of(CONSTANT)
def test_constant_results_do_not_record(example: Example, backend: Backend) -> None:
    arguments = map_leaves(lambda x: gg.asarray(x).requires_grad_() if records(x) else x, example.arguments(backend=backend))
    for x in leaves(example.run(*arguments)):
        assert not isinstance(x, gg.Tensor) or not x.requires_grad


@of(DIFFERENTIABLE)
def test_nothing_records_under_no_grad(example: Example) -> None:
    arguments = map_leaves(lambda x: gg.asarray(x).requires_grad_() if records(x) else x, example.arguments())
    with gg.no_grad():
        out = leaves(example.run(*arguments))
    given = [x.node for x in leaves(arguments) if isinstance(x, gg.Tensor)]
    assert all(x.node is None or x.node in given for x in out)  # asarray(x) is x itself


@of(examples([case for case in CASES if case.creates]))
def test_creation_gives_tensors_on_the_device_asked_for(example: Example, device: str) -> None:
    *args, options = map_leaves(lambda x: gg.asarray(x) if is_array(x) else x, example.arguments())
    out = example.run(*args, {**options, "device": device})
    assert isinstance(out, gg.Tensor)
    assert out.device == gg.asarray(0, device=device).device
    assert numpy_dtype(out.array.dtype) == out.dtype
    assert_same(out.cpu().array, example.expected(), NUMPY, example.case.rtol)
