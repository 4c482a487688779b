"""Records of gpugrad/ops/searching.py."""

from __future__ import annotations

from typing import Any

import numpy

from gpugrad.check.records.case import Case, booleans, call, distinct, given, integers, real

# numpy.unique_values does not sort.
_UNIQUE = {name: getattr(numpy, name) for name in ("unique_all", "unique_counts", "unique_inverse")} | {
    "unique_values": numpy.unique
}
TIES = given([[3, 1, 3, 2], [1, 1, 2, 1]])


def _argsort(x: Any, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Any:
    """Stable either way: equals keep their order."""
    if not descending:
        return numpy.argsort(x, axis=axis, stable=True)
    backwards = numpy.flip(numpy.argsort(numpy.flip(x, axis=axis), axis=axis, stable=True), axis=axis)
    return x.shape[axis] - 1 - backwards


def _sort(x: Any, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Any:
    return numpy.take_along_axis(x, _argsort(x, axis=axis, descending=descending), axis=axis)


def _sorting(name: str, reference: Any, order: int | None) -> Case:
    calls = [
        call(distinct(5)),
        call(distinct(3, 4), axis=0),
        call(distinct(2, 3, 2), axis=-2, descending=True),
        call(distinct(2, 3), descending=True),
        call(distinct(4), stable=False),
        call(distinct(2, 0)),
        call(distinct(0, 2)),
        call(TIES),
        call(TIES, descending=True),
        call(TIES, axis=0),
    ]
    return Case(name, calls, reference, order=order)


def _arg(name: str) -> Case:
    calls = [
        call(distinct(2, 3)),
        call(distinct(2, 3), axis=0),
        call(distinct(2, 3), axis=-1, keepdims=True),
        call(TIES),
        call(TIES, axis=1),
    ]
    return Case(name, calls, getattr(numpy, name), order=None)


def _unique(name: str) -> Case:
    """The values of a Tensor that records carry gradients, to the first of each: checked in tests/ops/test_searching.py."""
    calls = [call(given([3, 1, 2, 3, 1])), call(TIES), call(given([2, 2])), call(integers(0)), call(booleans(6))]
    return Case(name, calls, _UNIQUE[name], order=None)


def _with_values(name: str) -> Case:
    return Case(name, [call(distinct(4)), call(distinct(2, 3))], _UNIQUE[name], label="values")


CASES = [
    _arg("argmax"),
    _arg("argmin"),
    _sorting("argsort", _argsort, None),
    _sorting("sort", _sort, 2),
    Case(
        "searchsorted",
        [
            call(given([1.0, 2.0, 2.0, 4.0]), real(2, 3)),
            call(given([1, 2, 2, 4]), given([2, 0, 9]), side="right"),
            call(given([4, 1, 2]), given([1, 3]), sorter=given([1, 2, 0])),
            call(given([1.0, 2.0]), given(1.5)),
        ],
        numpy.searchsorted,
        order=None,
    ),
    Case(
        "nonzero",
        [call(booleans(2, 3)), call(integers(5)), call(given([0.0, 1.5])), call(booleans(0))],
        numpy.nonzero,
        order=None,
    ),
    *map(_unique, _UNIQUE),
    *map(_with_values, _UNIQUE),
    Case(
        "isin",
        [
            call(integers(2, 3), integers(3)),
            call(integers(4), given([1, 2]), invert=True),
            call(integers(3), 2),
            call(2, integers(3)),
            call(integers(0), integers(2)),
        ],
        numpy.isin,
        order=None,
    ),
]
