"""Records of gpugrad/nn/functional/embedding.py: lookups. Rows without a gradient and means are no derivatives; they have tests."""

from __future__ import annotations

from typing import Any

import numpy

from gpugrad.check.records.case import Case, call, given, real
from gpugrad.nn import functional as F

REPEATED = given([[0, 2, 2], [3, 1, 2]])


def _embedding(input: Any, weight: Any) -> Any:
    return numpy.asarray(weight[input])


CASES = [
    Case(
        "embedding",
        [
            call(REPEATED, real(4, 3)),
            call(given([2, 0, 1, 2], "int32"), real(4, 1)),
            call(given(3), real(4, 5)),
            call(given([], "int64"), real(4, 2)),
            call(given(numpy.zeros((2, 0)), "int64"), real(1, 0)),
        ],
        _embedding,
        complex=True,
        function=F.embedding,
    ),
]
