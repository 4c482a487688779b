"""Records of gpugrad/ops/indexing.py. What NumPy indexes beyond the standard is tested in tests/ops/test_indexing.py."""

from __future__ import annotations

from typing import Any

import numpy

from gpugrad.check.records.case import Case, call, given, integers, real
from gpugrad.ops.indexing import getitem, put, raw_key, scatter_add

MASK = given([[True, False, True], [False, False, True]])
REPEATED = given([0, 2, 2, -1, 0])


def _getitem(x: Any, key: Any) -> Any:
    return x[key]


def _put(x: Any, value: Any, key: Any) -> Any:
    out = x.copy()
    out[key] = value
    return out


def _scatter_add(values: Any, key: Any, shape: tuple[int, ...], unique: bool) -> Any:
    out = numpy.zeros(shape, values.dtype)
    numpy.add.at(out, key, values)
    return out


CASES = [
    Case(
        "getitem",
        [
            call(real(4), 1),
            call(real(4), -2),
            call(real(2, 3), (1, slice(None, None, -1))),
            call(real(2, 3), (..., 0)),
            call(real(5), slice(3, 0, -2)),
            call(real(2, 3), (slice(None), None, slice(1, 3))),
            call(real(2, 3), MASK),
            call(real(), ()),
            call(real(2, 3), ...),
            call(real(4), slice(2, 2)),
            call(real(3), (REPEATED,)),
            call(real(), given(True)),
        ],
        _getitem,
        complex=True,
        function=lambda x, key: getitem(x, raw_key(key)),  # as Tensor.__getitem__ does
    ),
    Case(
        "put",
        [
            call(real(4), real(), 1),
            call(real(4), 2.5, slice(None, None, 2)),
            call(real(2, 3), real(3), (1, slice(None, None, -1))),
            call(real(2, 3), real(1), (..., 0)),
            call(real(2, 3), real(), MASK),
            call(real(2, 3), real(3), (MASK,)),
            call(real(2, 3), real(2, 1), ...),
            call(real(), real(), ()),
            call(real(2, 3), 0.0, (0, 1)),
            call(integers(3), 2, 1),
            call(real(4), real(5), REPEATED),
            call(real(3, 2), real(), (REPEATED, 1)),
        ],
        _put,
        complex=True,
        function=lambda x, value, key: put(x, value, raw_key(key)),
    ),
    Case(
        "scatter_add",
        [
            call(real(5), (REPEATED,), (3,), False),
            call(real(2), 1, (3, 2), True),
            call(real(), (0, 1), (2, 3), True),
            call(real(2), slice(None, None, -2), (4,), True),
            call(real(0), given([], "int64"), (3,), False),
        ],
        _scatter_add,
        complex=True,
        function=lambda values, key, shape, unique: scatter_add(values, raw_key(key), shape, unique),
    ),
    Case(
        "take",
        [
            call(real(3), REPEATED),
            call(real(2, 3), REPEATED, axis=1),
            call(real(3, 2), given([2, 0]), axis=-2),
            call(real(2, 3), given([], "int64"), axis=0),
            call(real(2, 3, 2), given([0, 1, 1], "int32"), axis=1),
        ],
        numpy.take,
        complex=True,
    ),
    Case(
        "take_along_axis",
        [
            call(real(2, 3), given([[0, 0, 2], [1, -1, 1]])),
            call(real(3, 2), given([[2, 0], [2, 1]]), axis=0),
            call(real(4), given([3, 3, -4]), axis=-1),
            call(real(2, 3), given([[1], [2]]), axis=1),
            call(real(2, 3), given([[0, 1]]), axis=-1),
            call(real(1, 3), given([[0, 2], [1, 1]]), axis=1),
            call(real(3, 1, 1), given([[[1], [2]]]), axis=0),
            call(real(1, 3), given(numpy.zeros((0, 2)), "int64"), axis=1),
        ],
        numpy.take_along_axis,
        complex=True,
    ),
    Case(
        "repeat",
        [
            call(real(2, 3), 2),
            call(real(2, 3), 2, axis=0),
            call(real(3), given([0, 2, 1])),
            call(real(2, 3), given([1, 0, 3]), axis=-1),
            call(real(3), 0),
            call(real(), 3),
            call(real(2, 2), given([2]), axis=1),
            call(real(0), 2),
        ],
        numpy.repeat,
        complex=True,
    ),
    Case(
        "diag",
        [call(real(3)), call(real(2), 1), call(real(2), k=-2), call(real(3, 4)), call(real(3, 2), k=-1), call(real(2, 3), 5)],
        numpy.diag,
        complex=True,
    ),
]
