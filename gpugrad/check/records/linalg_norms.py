"""Records of gpugrad/ops/linalg/norms.py."""

from __future__ import annotations

from typing import Any

import numpy

from gpugrad.check.records.case import Case, call, given, nonzero
from gpugrad.ops.linalg.norms import vector_norm

INF = numpy.inf
_ORDERS: tuple[Any, ...] = (2, 1, 3, 0.5, -1.5, INF, -INF)
_COUNTS = [call(nonzero(2, 3)), call(given([0.0, 2.0, -1.0])), call(nonzero(2, 3, 2), axis=(0, 2), keepdims=True)]


def _by_numpy(x: Any, **options: Any) -> Any:
    return numpy.asarray(numpy.linalg.vector_norm(x, **options))


CASES = [
    Case(
        "vector_norm",
        [
            *(call(nonzero(2, 3), ord=ord) for ord in _ORDERS),
            call(nonzero()),
            call(nonzero(2, 3), axis=0),
            call(nonzero(2, 3, 2), axis=(2, -3)),
            call(nonzero(2, 3, 2), axis=(0, 2), keepdims=True, ord=3),
            call(nonzero(2, 3), keepdims=True, ord=1),
            call(nonzero(2, 3), axis=(), ord=2),
            call(nonzero(0, 3)),
            call(nonzero(0, 3), axis=-1),
            call(nonzero(2, 0), axis=1, ord=INF),
        ],
        _by_numpy,
        complex=True,
    ),
    Case("vector_norm", _COUNTS, lambda x, **o: _by_numpy(x, ord=0, **o), order=0, label="count", complex=True,
         function=lambda x, **options: vector_norm(x, ord=0, **options)),
    Case("euclidean_norm", [call(nonzero(2, 3), axes=(0,)), call(nonzero(2, 3), axes=())],
         lambda x, axes: numpy.asarray(numpy.linalg.vector_norm(x, axis=axes)), complex=True),
    Case("support", [call(given([0.0, 2.0, -1.0]))], lambda x: (x != 0).astype(x.real.dtype), order=0, complex=True),
    Case(
        "matrix_norm",
        [
            call(nonzero(2, 3, 4)),
            call(nonzero(3, 2), ord=None),
            *(call(nonzero(3, 2), ord=ord) for ord in ("nuc", 1, -1, 2, -2, INF, -INF)),
            call(nonzero(2, 2, 3), ord="nuc", keepdims=True),
            call(nonzero(2, 3), keepdims=True),
            call(nonzero(2, 0), ord=1),
            call(nonzero(0, 2, 3), ord=2),
        ],
        lambda x, **options: numpy.asarray(numpy.linalg.matrix_norm(x, **options)),
        complex=True,
    ),
]  # fmt: skip
