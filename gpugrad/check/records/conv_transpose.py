"""Records of gpugrad/nn/functional/conv_transpose.py. The reference lays the kernel into the result for one place after the other."""

from __future__ import annotations

import itertools
from typing import Any

import numpy

from gpugrad.check.records.case import Case, call, real
from gpugrad.nn import functional as F


def _conv_transpose(
    x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0, groups: int = 1,
    dilation: Any = 1,
) -> Any:  # fmt: skip
    n = weight.ndim - 2
    if x.ndim == n + 1:
        return _conv_transpose(x[None], weight, bias, stride, padding, output_padding, groups, dilation)[0]
    stride, padding, more, dilation = (
        v if isinstance(v, tuple) else (v,) * n for v in (stride, padding, output_padding, dilation)
    )
    sizes, kernel = x.shape[2:], weight.shape[2:]
    outputs = weight.shape[1] * groups
    room = [
        (size - 1) * s + d * (k - 1) + 1 + m for size, s, d, k, m in zip(sizes, stride, dilation, kernel, more, strict=True)
    ]
    full: Any = numpy.zeros((len(x), outputs, *room), numpy.result_type(x, weight))
    grouped = weight.reshape(groups, len(weight) // groups, *weight.shape[1:])
    for place in itertools.product(*map(range, sizes)):
        seen = x[(slice(None), slice(None), *place)].reshape(len(x), groups, -1)
        starts = [o * s for o, s in zip(place, stride, strict=True)]
        slices = [slice(a, a + d * (k - 1) + 1, d) for a, d, k in zip(starts, dilation, kernel, strict=True)]
        laid = numpy.einsum("ngc,gco...->ngo...", seen, grouped)
        full[(slice(None), slice(None), *slices)] += laid.reshape(len(x), outputs, *kernel)
    out = full[(slice(None), slice(None), *(slice(p, size - p) for p, size in zip(padding, room, strict=True)))]
    return out if bias is None else out + bias.reshape(-1, *[1] * n)


CASES = [
    Case(
        "conv_transpose1d",
        [
            call(real(2, 2, 3), real(2, 3, 2), real(3)),
            call(real(4, 3), real(4, 1, 3), stride=2, padding=1, output_padding=1, groups=2),
            call(real(1, 2, 2), real(2, 1, 2), dilation=3, output_padding=2),
        ],
        _conv_transpose,
        complex=True,
        function=F.conv_transpose1d,
    ),
    Case(
        "conv_transpose2d",
        [
            call(real(1, 2, 2, 3), real(2, 1, 3, 2), real(2), (2, 1), (1, 0), (1, 0), 2, (1, 2)),
            call(real(1, 2, 2), real(1, 2, 1, 2), stride=(1, 2)),
        ],
        _conv_transpose,
        function=F.conv_transpose2d,
    ),
    Case(
        "conv_transpose3d",
        [call(real(1, 2, 2, 1, 2), real(2, 2, 1, 2, 2), real(2), stride=(1, 2, 1), padding=(0, 1, 0), output_padding=(0, 1, 0))],
        _conv_transpose,
        function=F.conv_transpose3d,
    ),
]  # fmt: skip
