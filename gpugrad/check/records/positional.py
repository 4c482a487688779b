"""Records of gpugrad/nn/functional/bilinear.py and rotary.py."""

from __future__ import annotations

from typing import Any

import numpy

from gpugrad.check.records.case import Case, call, real
from gpugrad.nn import functional as F


def _bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Any:
    out = numpy.einsum("...i,oij,...j->...o", input1, weight, input2)
    return numpy.asarray(out if bias is None else out + bias)


def _rotary(x: Any, cos: Any, sin: Any, interleaved: bool = True) -> Any:
    """As complex numbers."""
    half = x.shape[-1] // 2
    pairs = x.reshape(*x.shape[:-1], half, 2) if interleaved else numpy.stack([x[..., :half], x[..., half:]], axis=-1)
    turned = (pairs[..., 0] + 1j * pairs[..., 1]) * (cos + 1j * sin)
    parts = [turned.real.astype(x.dtype), turned.imag.astype(x.dtype)]
    return numpy.stack(parts, axis=-1).reshape(x.shape) if interleaved else numpy.concatenate(parts, axis=-1)


CASES = [
    Case(
        "bilinear",
        [
            call(real(2, 3), real(2, 4), real(5, 3, 4), real(5)),
            call(real(2, 2, 3), real(2, 2, 1), real(2, 3, 1)),
            call(real(3), real(4), real(2, 3, 4)),
            call(real(0, 3), real(0, 4), real(2, 3, 4)),
        ],
        _bilinear,
        function=F.bilinear,
    ),
    Case(
        "rotary_embedding",
        [
            call(real(2, 3, 4), real(3, 2), real(3, 2)),
            call(real(2, 3, 4), real(2, 1, 2), real(2), interleaved=False),
            call(real(0, 2), real(1), real(1)),
        ],
        _rotary,
        function=F.rotary_embedding,
    ),
]
