"""Records of gpugrad/ops/reduction.py."""

from __future__ import annotations

from typing import Any

import numpy

from gpugrad.check.records.case import Case, booleans, call, distinct, given, integers, nonzero, real

ZEROS = given([[0.0, 1.5, -2.0, 0.5], [0.0, 0.0, 1.0, 3.0], [1.0, 2.0, -1.0, 0.5]])  # none, one and several zeros in a product


def _reduction(name: str, domain: Any = real, *more_calls: Any, **more: Any) -> Case:
    """All axes, one, negative, several, none; with and without keepdims; 0-d."""
    calls = [
        call(domain(2, 3)),
        call(domain(2, 3), axis=0),
        call(domain(2, 3, 2), axis=-1, keepdims=True),
        call(domain(2, 3, 2), axis=(0, -1)),
        call(domain(2, 3, 2), axis=(2, 1), keepdims=True),
        call(domain(2, 3), keepdims=True),
        call(domain()),
        call(domain(2, 3), axis=()),
        *more_calls,
    ]
    return Case(name, calls, getattr(numpy, name), **more)


def _cumulative(name: str, **more: Any) -> Case:
    calls = [
        call(nonzero(4)),
        call(nonzero(2, 3), axis=0),
        call(nonzero(2, 5), axis=-1, include_initial=True),
        call(nonzero(3, 1), axis=1),
        call(ZEROS, axis=1),
        call(ZEROS, axis=0, include_initial=True),
        call(real(0)),
        call(real(0, 2), axis=0, include_initial=True),
        call(real(2, 0), axis=0),
        call(integers(2, 3), axis=1),
        call(real(7)),
    ]
    return Case(name, calls, getattr(numpy, name), complex=True, **more)


def _to_integers(name: str) -> Case:
    """Their dtype makes them constants."""
    calls = [call(distinct(2, 3), axis=1, dtype=numpy.dtype(dtype)) for dtype in ("int64", "int32", "bool")]
    return Case(name, calls, getattr(numpy, name), order=None, label="to integers")


def _diff(x: Any, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None) -> Any:
    joined = {name: part for name, part in (("prepend", prepend), ("append", append)) if part is not None}
    return numpy.diff(x, n, axis, **joined)


CASES = [
    _reduction(
        "sum",
        real,
        call(real(0)),
        call(real(0, 3), axis=0),
        call(integers(2, 3), axis=1),
        call(integers(4, dtype="int8")),
        call(integers(3), dtype=numpy.dtype("float64")),
        complex=True,
    ),
    Case(
        "sum",
        [call(real(2, 3), dtype=numpy.dtype("float64")), call(real(3), dtype=numpy.dtype("complex128"))],
        numpy.sum,
        label="dtype",
    ),
    *(_to_integers(name) for name in ("sum", "prod", "cumulative_sum", "cumulative_prod")),
    _reduction(
        "prod",
        nonzero,
        call(ZEROS),
        call(ZEROS, axis=0),
        call(ZEROS, axis=1, keepdims=True),
        call(ZEROS, axis=(1, 0)),
        call(real(0)),
        call(real(0, 3), axis=0),
        call(real(2, 0), axis=0),
        call(nonzero(2, 3, 2), axis=(0, 2)),
        call(integers(2, 3), axis=1),
        complex=True,
    ),
    _reduction("mean", real, call(real(0, 3), axis=1), complex=True),
    _reduction(
        "var",
        real,
        call(real(4, 3), axis=0, correction=1),
        call(real(5), correction=0.5),
        call(real(0, 3), axis=1),
        complex=True,
    ),
    Case(
        "std",
        [
            call(real(2, 3)),
            call(real(4, 3), axis=0),
            call(real(2, 3, 2), axis=-1, keepdims=True),
            call(real(2, 3, 2), axis=(0, -1)),
            call(real(2, 3), keepdims=True),
            call(real(4, 3), axis=0, correction=1),
            call(real(5), correction=0.5),
            call(real(0, 3), axis=1),
        ],
        numpy.std,
        complex=True,
    ),
    _reduction("max", distinct, call(distinct(0, 3), axis=1), call(integers(2, 3), axis=1)),
    _reduction("min", distinct, call(distinct(0, 3), axis=1), call(integers(2, 3), axis=1)),
    _cumulative("cumulative_sum"),
    _cumulative("cumulative_prod"),
    Case(
        "diff",
        [
            call(real(5)),
            call(real(2, 4), axis=0),
            call(real(2, 5), n=2),
            call(real(2, 3), axis=0, n=0),
            call(real(3, 2), axis=-2, n=4),
            call(real(2, 3), prepend=real(2, 1)),
            call(real(2, 3), axis=0, append=real(2, 3)),
            call(integers(4)),
            call(real(2, 3), n=2, prepend=real(2, 2), append=real(2, 1)),
            call(booleans(5)),
            call(real(0)),
            call(real(3, 0), axis=0),
        ],
        _diff,
        complex=True,
    ),
    _reduction("all", booleans, call(real(2, 3), axis=0), call(booleans(0, 2), axis=0), order=None),
    _reduction("any", booleans, call(real(2, 3), axis=0), call(booleans(0, 2), axis=0), order=None),
    _reduction("count_nonzero", booleans, call(integers(2, 3), axis=0), call(real(2, 0)), order=None),
]
