"""The checks of ops: every record on the device, op by op, fused into one kernel, and on arrays large enough for every path of a kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from gpugrad.check.agreement import apart, distance, gradients
from gpugrad.check.backend import NUMPY, Backend
from gpugrad.check.large import LABEL, LARGE
from gpugrad.check.records import CASES
from gpugrad.check.records.case import Case, Example, examples
from gpugrad.check.result import Check, Measured
from gpugrad.compile.keys import is_array
from gpugrad.errors import TracingError
from gpugrad.fusion import fuse
from gpugrad.ops.conversion import asarray
from gpugrad.random import manual_seed
from gpugrad.testing import check_grads
from gpugrad.trees import leaves, map_leaves

SINGLE = 2e-5
"""How far a value in float32 may be from NumPy's, and a gradient in float32 from that in float64: relative and absolute."""

SINGLE_GRADIENT = 5e-4, 5e-5
GRADIENT = 1e-10
SECOND = 1e-9
SEED = 7
"""Of the records that draw random numbers."""


def checks() -> Iterator[Check]:
    """A check for each op, of all its records; for each op that can be traced, one of it fused; and the large arrays."""
    by_name: dict[str, list[Case]] = {}
    for case in CASES:
        by_name.setdefault(case.name, []).append(case)
    for name, cases in by_name.items():
        yield Check("op", name, _measure(examples(cases), _created if cases[0].creates else _example))
    for name, cases in by_name.items():
        if not cases[0].creates:
            yield Check("fused", name, _measure(_representative(cases), _fused))
    for case in LARGE:
        yield Check("large", case.name, _measure(examples([case]), _example))


def _measure(chosen: Sequence[Example], one: Callable[[Example, Backend], Measured]) -> Callable[[Backend], Measured]:
    return lambda backend: (pair for example in chosen for pair in one(example, backend))


def _representative(cases: Sequence[Case]) -> list[Example]:
    """The first argument set of each record that has an array with elements along an axis: one to compile a kernel for."""

    def fits(example: Example) -> bool:
        return any(is_array(x) and x.ndim and x.size for x in leaves(example.arguments()))

    return [found[0] for found in ([e for e in examples([case], complex=False) if fits(e)] for case in cases) if found]


def _values(example: Example, backend: Backend) -> Measured:
    """In both precisions, against NumPy."""
    for precision, rtol in (("float64", example.case.rtol), ("float32", SINGLE)):
        out = example.run(*example.arguments(precision, backend))
        assert all(backend.is_array(x) for x in leaves(out) if is_array(x)), (
            f"{example.id}: a result is no array of this device"
        )
        yield f"{example.id} in {precision}", distance(out, example.expected(precision), backend, rtol)


def _gradients(example: Example, backend: Backend, reference: Example) -> Measured:
    """In both precisions and by both sweeps, against the CPU in float64."""
    exact = _raw(gradients(reference, NUMPY))
    for create_graph in (False, True):
        found = _raw(gradients(example, backend, create_graph=create_graph))
        yield f"the gradient of {example.id}", distance(found, exact, backend, GRADIENT)
    for x, y in zip(_raw(gradients(example, backend, precision="float32")), exact, strict=True):
        yield f"the gradient of {example.id} in float32", apart(backend.to_numpy(x), y, *SINGLE_GRADIENT)


def _example(example: Example, backend: Backend) -> Measured:
    """Values, gradients, and gradients of gradients."""
    case = example.case
    yield from _values(example, backend)
    if case.order is None or not example.call.differentiable:
        return
    if backend is NUMPY:  # which is no reference for itself
        check_grads(example.run, *example.arguments(), order=case.order)
    yield from _gradients(example, backend, example)
    if case.order >= 2 and case.label != LABEL:
        found, exact = (_raw(gradients(example, b, order=2)) for b in (backend, NUMPY))
        yield f"the second gradient of {example.id}", distance(found, exact, backend, SECOND)


def _created(example: Example, backend: Backend) -> Measured:
    """What creates Tensors creates them on the device."""
    *args, options = map_leaves(lambda x: asarray(x) if is_array(x) else x, example.arguments())
    out = example.run(*args, {**options, "device": backend.device})
    assert out.device == backend.device, f"{example.id}: made on {out.device}, asked for on {backend.device}"
    yield example.id, distance(out.cpu().array, example.expected(), NUMPY, example.case.rtol)


def _fused(example: Example, backend: Backend) -> Measured:
    """The op alone as one derived kernel, and its gradient as another. Nothing for what cannot be traced."""
    case = example.case
    kernel = fuse(lambda *args, **options: case(*args, **options), name=case.name)

    def seeded(*args: Any, **options: Any) -> Any:
        manual_seed(SEED)  # a record that draws does so itself, but within a fused function only while that is traced
        return kernel(*args, **options)

    fused = replace(example, case=replace(case, function=seeded))
    try:
        yield from _values(fused, backend)
        if case.order is not None and example.call.differentiable:
            yield from _gradients(fused, backend, example)
    except TracingError:  # its program depends on elements, or writes into an array
        return


def _raw(tensors: Sequence[Any]) -> list[Any]:
    return [None if x is None else x.array for x in tensors]
