"""Records of gpugrad/ops/creation.py and of the conversions in gpugrad/ops/conversion.py."""

from __future__ import annotations

from typing import Any

import numpy

import gpugrad as gg
from gpugrad.check.records.case import Case, call, complexes, given, integers, real


def _made(name: str) -> Any:
    """NumPy's function, with float32 for floats that no dtype was asked for."""

    def reference(*args: Any, dtype: Any = None, **options: Any) -> Any:
        out = getattr(numpy, name)(*args, dtype=dtype, **options)
        narrow = {"float64": "float32", "complex128": "complex64"}
        return out if dtype is not None else out.astype(narrow.get(out.dtype.name, out.dtype))

    return reference


def _created(name: str, *calls: Any) -> Case:
    return Case(name, calls, _made(name), order=None, creates=True)


def _full_like(x: Any, fill_value: Any, *, dtype: Any = None) -> Any:
    return numpy.full_like(x, fill_value, dtype=dtype)


def _asarray(obj: Any, *, dtype: Any = None, copy: bool | None = None) -> Any:
    if isinstance(obj, numpy.ndarray):
        return numpy.array(obj, dtype=dtype)
    return _made("asarray")(obj, dtype=dtype)


CASES = [
    _created(
        "zeros", call((2, 3)), call(4), call(()), call((0, 2)), call((2,), dtype=gg.int8), call((2,), dtype=gg.complex128)
    ),
    _created("ones", call((2, 3)), call(4), call(()), call((0, 2)), call((2,), dtype=gg.bool), call((2,), dtype=gg.float64)),
    _created(
        "full", call((2, 3), 1.5), call(4, 2), call((), True), call((2,), 1j), call((2,), 3, dtype=gg.float64), call((0,), 1.0)
    ),
    Case("full", [call((2, 3), real()), call((0,), real())], numpy.full, creates=True, complex=True, label="array"),
    _created(
        "arange",
        call(5),
        call(2, 7),
        call(1.0, 2.0, 0.25),
        call(5, 0, -2),
        call(0),
        call(3, 1),
        call(4, dtype=gg.float64),
        call(1, 3, step=0.5),
        call(-3, dtype=gg.int32),
    ),
    _created(
        "linspace",
        call(0, 1, 5),
        call(1.0, -1.0, 3, endpoint=False),
        call(0, 1, 1),
        call(0, 1, 0),
        call(0, 1j, 3),
        call(0, 1, 3, dtype=gg.float64),
    ),
    _created("eye", call(3), call(2, 4), call(3, 2, k=-1), call(3, k=1, dtype=gg.int64), call(0)),
    Case("zeros_like", [call(real(2, 3)), call(real(), dtype=gg.int64), call(integers(0))], numpy.zeros_like, order=None),
    Case("ones_like", [call(real(2, 3)), call(real(), dtype=gg.complex64), call(integers(0))], numpy.ones_like, order=None),
    Case("full_like", [call(real(2, 3), 1.5), call(real(), 2, dtype=gg.int64), call(integers(3), 7)], _full_like, order=None),
    Case(
        "asarray",
        [call(real(2, 3)), call(real(), dtype=gg.float64), call(integers(3), dtype=gg.float64), call(real(2), copy=True)],
        _asarray,
        creates=True,
    ),
    Case(
        "asarray",
        [call(complexes(2, 3)), call(complexes(), dtype=gg.complex128), call(complexes(2), copy=True)],
        _asarray,
        creates=True,
        label="complex",
    ),
    Case(
        "asarray",
        [
            call(2),
            call(1.5),
            call(True),
            call([1, 2]),
            call([[1.0, 2.0], [3.0, 4.0]]),
            call([]),
            call([1, 2.5]),
            call([1j]),
            call(3, dtype=gg.float64),
        ],
        _asarray,
        order=None,
        creates=True,
        label="Python numbers",
    ),
    Case("from_dlpack", [call(real(2, 3)), call(integers(3))], lambda x: x, order=None, creates=True),
    # What `empty` holds is anybody's guess: the shape and dtype are tested in tests/ops/test_creation.py.
    Case("empty", [call((0, 2)), call(0, dtype=gg.int64)], _made("empty"), order=None, creates=True),
    Case("empty_like", [call(given([], "float32")), call(real(0, 3), dtype=gg.int8)], numpy.empty_like, order=None),
]
