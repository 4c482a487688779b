"""Which derivatives the functions of the standard have: each cell of docs/gradients.md is a check in float64 that ran.

A check takes every record of the function (gpugrad/check/records/) and compares with central differences, on the device itself:
the gradients of the backward sweep, the gradients of these, and the Jacobian-vector products of ``gg.jvp``. Records whose result
depends on a gauge, as eigenvectors do, call functions that do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy

import gpugrad
from gpugrad.check.agreement import apart, gradients, records
from gpugrad.check.backend import Backend
from gpugrad.check.records import CASES
from gpugrad.check.records.case import Example, examples
from gpugrad.check.result import Check, Measured, Result, run
from gpugrad.differentiate import jvp
from gpugrad.tape import raw
from gpugrad.testing import check_grads
from gpugrad.trees import leaves, map_leaves

MAIN = """
    abs acos acosh add asin asinh atan atan2 atanh clip conj copysign cos cosh divide exp expm1 hypot imag log log10 log1p log2
    logaddexp maximum minimum multiply negative positive pow real reciprocal remainder sin sinh sqrt square subtract tan tanh
    asarray astype meshgrid tril triu
    broadcast_arrays broadcast_to concat expand_dims flip moveaxis permute_dims repeat reshape roll squeeze stack tile unstack
    matmul matrix_transpose tensordot vecdot take take_along_axis where sort
    cumulative_prod cumulative_sum max mean min prod std sum var diff
""".split()
LINALG = """
    cholesky cross det diagonal eig eigh eigvals eigvalsh inv matmul matrix_norm matrix_power matrix_transpose outer pinv qr slogdet
    solve svd svdvals tensordot trace vecdot vector_norm
""".split()
FFT = "fft ifft fftn ifftn rfft irfft rfftn irfftn hfft ihfft fftshift ifftshift".split()

FUNCTIONS = [*MAIN, *(f"linalg.{name}" for name in LINALG), *(f"fft.{name}" for name in FFT)]
"""The functions of the standard (2025.12) that have a derivative, by their name in gpugrad."""

REAL_ONLY = frozenset(
    """atan2 clip copysign hypot logaddexp max maximum min minimum remainder sort std var fft.ihfft fft.rfft fft.rfftn""".split()
)
"""Those that take no complex numbers, by the standard."""

LOCALLY_CONSTANT = ["ceil", "floor", "floor_divide", "round", "sign", "trunc"]
"""Their gradient is zero wherever they have one, and asking for it is no error."""

SLOPE_ONE = ["nextafter"]
"""Its derivative is 1 along the first operand and 0 along the second."""

TOLERANCE = 1e-6, 1e-7
"""Relative and absolute, of a Jacobian-vector product to central differences; `check_grads` has the same."""

STEP = 1e-3

YES, NO, NOT_TAKEN, NOT_RUN = "yes", "no", "–", "not run"
"""What a cell says; "no" is followed by the reason."""


def examples_of(name: str) -> list[Example]:
    """The records of a function with all argument sets that have a gradient, those made complex included.

    Raises AssertionError if gpugrad has no function of this name.
    """
    space, _, function = name.rpartition(".")
    assert callable(getattr(getattr(gpugrad, space) if space else gpugrad, function, None)), f"gpugrad has no {name}"
    chosen = examples([case for case in CASES if case.name == function and case.order is not None])
    return [example for example in chosen if example.call.differentiable]


def is_complex(example: Example) -> bool:
    """Whether an argument to differentiate is complex."""
    return any(records(x) and x.dtype.kind == "c" for x in leaves(example.arguments()))


def _real(found: Sequence[Example]) -> list[Example]:
    """Those on real numbers; all, of a function that is for complex ones."""
    return [example for example in found if not is_complex(example)] or list(found)


def _complex(found: Sequence[Example]) -> list[Example]:
    return [example for example in found if is_complex(example)]


def _sweep(example: Example, backend: Backend, order: int) -> Measured:
    """Gradients up to `order` against central differences."""
    check_grads(example.run, *example.arguments(backend=backend), order=order)
    yield example.id, 0.0


def _pushed(example: Example, backend: Backend) -> Measured:
    """The Jacobian-vector product along a random direction against central differences, element by element."""
    arguments = example.arguments(backend=backend)
    primals = [x for x in leaves(arguments) if records(x)]
    rng = numpy.random.default_rng(0)
    directions = [
        rng.uniform(-1, 1, x.shape) + (1j * rng.uniform(-1, 1, x.shape) if x.dtype.kind == "c" else 0) for x in primals
    ]
    tangents = [backend.asarray(numpy.asarray(t)) for t in directions]

    def function(*values: Any) -> list[Any]:
        remaining = iter(values)
        out = example.run(*map_leaves(lambda x: next(remaining) if records(x) else x, arguments))
        return [y for y in leaves(out) if records(raw(y))]

    def moved(step: float) -> list[Any]:
        out = function(*(x + step * t for x, t in zip(primals, tangents, strict=True)))
        return [backend.to_numpy(raw(y)) for y in out]

    _, found = jvp(function, primals, tangents)
    differences = zip(found, *map(moved, (STEP, -STEP, 2 * STEP, -2 * STEP)), strict=True)
    for tangent, ahead, behind, far_ahead, far_behind in differences:
        expected = (8 * (ahead - behind) - (far_ahead - far_behind)) / (12 * STEP)
        yield example.id, apart(backend.to_numpy(raw(tangent)), expected, *TOLERANCE)


def _zero(example: Example, backend: Backend) -> Measured:
    """The gradients are there, and zero."""
    for gradient in gradients(example, backend):
        yield example.id, apart(backend.to_numpy(gradient.array), numpy.zeros(gradient.shape), *TOLERANCE)


One = Callable[[Example, Backend], Measured]
Chosen = Callable[[Sequence[Example]], Sequence[Example]]

DERIVATIVES: dict[str, tuple[One, Chosen, int]] = {
    "VJP": (partial(_sweep, order=1), _real, 1),
    "complex VJP": (partial(_sweep, order=1), _complex, 1),
    "second order": (partial(_sweep, order=2), list, 2),
    "JVP": (_pushed, list, 1),
}
"""The columns: how a record is checked, which records are, and the order of derivative that they must have."""


def _check(kind: str, name: str, one: One, chosen: Chosen, order: int) -> Check:
    def measure(backend: Backend) -> Measured:
        found = [example for example in chosen(examples_of(name)) if (example.case.order or 0) >= order]
        assert found, "no record"
        return (pair for example in found for pair in one(example, backend))

    return Check(kind, name, measure)


def _applies(kind: str, name: str) -> bool:
    return kind != "complex VJP" or name not in REAL_ONLY


def checks(functions: Sequence[str] = tuple(FUNCTIONS)) -> Iterator[Check]:
    """A check for each cell that is not "–"."""
    for name in functions:
        for kind, (one, chosen, order) in DERIVATIVES.items():
            if _applies(kind, name):
                yield _check(kind, name, one, chosen, order)


def other_checks() -> Iterator[Check]:
    """The checks of functions whose gradient is constant."""
    for name in LOCALLY_CONSTANT:
        yield _check("zero", name, _zero, lambda found: [e for e in found if e.case.order == 0], 0)
    for name in SLOPE_ONE:
        yield _check("slope", name, *DERIVATIVES["VJP"])


def cell(result: Result) -> str:
    """What a cell says of a check that ended so."""
    words = {"pass": YES, "not run": f"{NOT_RUN}: {result.message}"}
    return words.get(result.status, f"{NO}: {result.message}")


Table = dict[str, dict[str, str]]
"""By function and then by kind of derivative: what the cell says."""


def table(backend: Backend, report: Callable[[Result], None], functions: Sequence[str] = tuple(FUNCTIONS)) -> Table:
    """Run the checks of these functions, and of those with a constant gradient, on a device, and `report` each as it ends."""
    return table_of(run([*checks(functions), *other_checks()], backend, report), functions)


def table_of(results: Sequence[Result], functions: Sequence[str] = tuple(FUNCTIONS)) -> Table:
    """The table as far as checks have ended."""
    found: Table = {name: {kind: NOT_RUN if _applies(kind, name) else NOT_TAKEN for kind in DERIVATIVES} for name in functions}
    for result in results:
        found.setdefault(result.name, {})[result.kind] = cell(result)
    return found


def counts(found: Table) -> dict[str, tuple[int, int]]:
    """By kind of derivative: how many functions have it, and how many can."""
    rows = [found[name] for name in FUNCTIONS if name in found]
    return {kind: (sum(row[kind] == YES for row in rows), sum(row[kind] != NOT_TAKEN for row in rows)) for kind in DERIVATIVES}
