"""Records of gpugrad/ops/dtypes.py."""

from __future__ import annotations

from typing import Any

import numpy

import gpugrad as gg
from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.check.records.case import Case, booleans, call, complexes, fractional, integers, real
from gpugrad.ops.views import view

_KINDS = ("bool", "signed integer", "unsigned integer", "integral", "real floating", "complex floating", "numeric")


def _astype(x: Any, dtype: Any, *, copy: bool = True) -> Any:
    return x.astype(dtype, copy=copy)


def _other_part(x: Any) -> str:
    name = numpy_dtype(x.dtype).name
    return {"float32": "complex64", "float64": "complex128", "complex64": "float32", "complex128": "float64"}.get(name, name)


def _finfo(x: Any) -> Any:
    info = numpy.finfo(getattr(x, "dtype", x))
    return int(info.bits), float(info.eps), float(info.max), float(info.min), float(info.smallest_normal), info.dtype


CASES = [
    Case(
        "astype",
        [
            call(real(2, 3), gg.float64),
            call(real(), gg.complex128),
            call(real(0), gg.float64, copy=False),
            call(integers(2), gg.float64),
        ],
        _astype,
    ),
    Case(
        "astype",
        [call(complexes(2, 3), gg.complex128), call(complexes(), gg.complex128, copy=False)],
        _astype,
        label="complex",
    ),
    Case(
        "astype",
        [call(fractional(3), gg.int64), call(real(2), gg.bool), call(booleans(3), gg.int8)],
        _astype,
        order=None,
        label="to integers",
    ),
    Case(
        "can_cast",
        [
            call(gg.float32, gg.float64),
            call(gg.float64, gg.float32),
            call(gg.int64, gg.float64),
            call(real(2), gg.complex64),
            call(gg.uint8, gg.int8),
            call(gg.bool, gg.int8),
        ],
        lambda x, to: numpy.can_cast(x.dtype if hasattr(x, "dtype") else x, to),
        order=None,
    ),
    Case("finfo", [call(gg.float32), call(gg.complex128), call(real(2))], _finfo, order=None),
    Case(
        "iinfo", [call(gg.int8), call(gg.uint64), call(integers(2))], lambda x: numpy.iinfo(getattr(x, "dtype", x)), order=None
    ),
    Case(
        "isdtype",
        [
            call(gg.float32, kind)
            for kind in (*_KINDS, gg.float32, gg.float64, ("bool", "numeric"), (gg.int8, "complex floating"))
        ]
        + [call(dtype, "integral") for dtype in (gg.uint8, gg.bool, gg.complex64)],
        numpy.isdtype,
        order=None,
    ),
    Case(
        "result_type",
        [
            call(gg.float32, gg.float64),
            call(gg.int8, gg.uint8),
            call(real(2), gg.float32),
            call(gg.float32, 1.5),
            call(gg.int8, 3, 4),
            call(gg.float32, 1j),
            call(real(), gg.complex64),
            call(gg.bool),
            call(integers(2), integers(3, dtype="int8")),
        ],
        lambda *xs: numpy.result_type(*(x.dtype if isinstance(x, numpy.ndarray) else x for x in xs)),
        order=None,
    ),
    Case(
        "view",
        [call(real(2, 4)), call(real(2)), call(real(0, 2)), call(complexes(2, 3)), call(complexes(1))],
        lambda x: x.view(_other_part(x)),
        function=lambda x: view(x, _other_part(x)),
    ),
]
