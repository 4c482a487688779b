"""Records of gpugrad/ops/elementwise.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.check.records.case import (
    Case,
    Draw,
    above_one,
    booleans,
    call,
    complexes,
    distinct,
    fractional,
    given,
    integers,
    nonzero,
    positive,
    real,
    unit,
)  # fmt: skip

Domain = Callable[..., Draw]


def _unary(name: str, domain: Domain = real, reference: Any = None, **more: Any) -> Case:
    """0-d, 2-d and empty arrays of one domain."""
    return Case(name, [call(domain()), call(domain(2, 3)), call(domain(0, 3))], reference or getattr(numpy, name), **more)


def _binary(name: str, x: Domain = real, y: Domain = real, reference: Any = None, **more: Any) -> Case:
    """Equal shapes, broadcasting both ways, 0-d, empty; a Python number on either side."""
    calls = [
        call(x(2, 3), y(2, 3)),
        call(x(3), y(2, 1)),
        call(x(4, 1), y(2, 1, 3)),
        call(x(), y(2)),
        call(x(), y()),
        call(x(0, 3), y(1, 3)),
        call(x(2, 3), 1.5),
        call(0.75, y(3)),
        call(x(), 1.5),
    ]
    return Case(name, calls, reference or getattr(numpy, name), **more)


def _mixed(name: str, x: Domain = real, **more: Any) -> Case:
    """A real operand and a complex one: the gradient of the real one is real."""
    calls = [call(x(2, 3), complexes(3)), call(complexes(3), x(2, 1)), call(x(), complexes(2)), call(x(3), 1.5 - 0.5j)]
    return Case(name, calls, getattr(numpy, name), label="real and complex", **more)


def _of_integers(name: str, **more: Any) -> Case:
    """Two operands of integers or booleans; a Python integer on one side."""
    calls = [call(integers(2, 3), integers(3)), call(integers(2, dtype="uint8", low=0), 3)]
    return Case(name, calls, getattr(numpy, name), order=None, **more)


def _comparison(name: str, **more: Any) -> Case:
    calls = [
        call(real(2, 3), real(3)),
        call(integers(3, 3), integers(3, 1)),
        call(real(4), 0.5),
        call(1, integers()),
        call(real(0), real(1)),
    ]
    return Case(name, calls, getattr(numpy, name), order=None, **more)


def _logical(name: str) -> Case:
    return Case(name, [call(booleans(2, 3), booleans(3)), call(booleans(), booleans(4))], getattr(numpy, name), order=None)


def _test(name: str) -> Case:
    """A question to each element."""
    calls = [call(given([0.0, -0.0, 1.5, -2.0, numpy.inf, -numpy.inf, numpy.nan])), call(real()), call(real(0, 2))]
    return Case(name, calls, getattr(numpy, name), order=None)


def _clip(x: Any, low: Any = None, high: Any = None, **options: Any) -> Any:
    return numpy.clip(x, options.get("min", low), options.get("max", high))


ARITHMETIC = [
    _binary("add", complex=True),
    _binary("subtract", complex=True),
    _binary("multiply", complex=True),
    _binary("divide", y=nonzero, complex=True),
    _binary("floor_divide", x=fractional, y=lambda *shape: given(numpy.full(shape, -0.5)), order=0),
    _binary("remainder", x=fractional, y=lambda *shape: given(numpy.full(shape, -4.0))),
    Case(
        "floor_divide",
        [call(integers(2, 3), given([2, -3, 5])), call(integers(2), 3)],
        numpy.floor_divide,
        order=None,
        label="integers",
    ),
    _unary("negative", complex=True),
    _unary("positive", complex=True),
    _unary("reciprocal", nonzero, complex=True),
    _unary("square", complex=True),
    _unary("sqrt", positive, complex=True),
    _binary("pow", x=positive, complex=True),
    Case(
        "pow",
        [call(real(2, 3), 2), call(real(3), 3), call(real(3), 1), call(real(3), 0), call(nonzero(3), -2), call(2, real(3))],
        numpy.pow,
        label="whole exponents",
        complex=True,
    ),
    *map(_mixed, ("add", "subtract", "multiply")),
    _mixed("divide", nonzero),
    _mixed("pow", positive),
]

EXPONENTIAL = [
    _unary("exp", complex=True),
    _unary("expm1", complex=True),
    _unary("log", positive, complex=True),
    _unary("log1p", positive, complex=True),
    _unary("log2", positive, complex=True),
    _unary("log10", positive, complex=True),
    _binary("logaddexp"),
    Case("logaddexp", [call(given([800.0, -800.0, 0.0]), given([-800.0, 800.0, 0.0]))], numpy.logaddexp, label="far apart"),
]

TRIGONOMETRIC = [
    _unary("sin", complex=True),
    _unary("cos", complex=True),
    _unary("tan", unit, complex=True),
    _unary("asin", unit, complex=True),
    _unary("acos", unit, complex=True),
    _unary("atan", unit, complex=True),
    _binary("atan2", x=nonzero, y=nonzero),
    _unary("sinh", complex=True),
    _unary("cosh", complex=True),
    _unary("tanh", unit, complex=True),
    _unary("asinh", unit, complex=True),
    _unary("acosh", above_one, complex=True),
    _unary("atanh", unit, complex=True),
    _binary("hypot", x=nonzero, y=nonzero),
]

SIGNS_AND_ROUNDING = [
    _unary("abs", nonzero, complex=True),
    _unary("sign", nonzero, order=0),
    _unary("sign", complexes, label="complex"),
    _unary("conj", complexes),
    _unary("conj", real, label="of reals"),
    _unary("real", complexes),
    _unary("real", real, label="of reals"),
    _unary("imag", complexes),
    _binary("copysign", x=nonzero, y=nonzero),
    _binary("nextafter"),
    _unary("ceil", fractional, order=0),
    _unary("floor", fractional, order=0),
    _unary("round", fractional, order=0),
    _unary("trunc", fractional, order=0),
]

SELECTION = [
    _binary("maximum", x=distinct, y=lambda *shape: given(0.1 + 0.3 * (numpy.arange(numpy.prod(shape)).reshape(shape) - 1))),
    _binary("minimum", x=distinct, y=lambda *shape: given(0.1 + 0.3 * (numpy.arange(numpy.prod(shape)).reshape(shape) - 1))),
    Case(
        "clip",
        [
            call(distinct(3, 4), -0.5, 0.5),
            call(distinct(3, 4)),
            call(distinct(3, 4), -0.5),
            call(distinct(3, 4), None, 0.5),
            call(distinct(), min=-0.7),
            call(distinct(4), max=given([0.1, -0.1, 0.4, -0.4])),
            call(distinct(0, 2), 0.0, 1.0),
            call(distinct(2, 4), given([-0.5, -0.4, -0.35, -0.2]), given([[0.5], [0.1]])),
            call(integers(5), -1, 2),
        ],
        _clip,
    ),
    Case(
        "where",
        [
            call(booleans(2, 3), real(2, 3), real(2, 3)),
            call(booleans(2, 1), real(3), real(2, 3)),
            call(booleans(), real(2), real(1)),
            call(booleans(2, 3), real(3), 0.5),
            call(booleans(3), 0.5, real(2, 1)),
            call(booleans(0), real(0), real(1)),
            call(booleans(4), integers(4), integers(4)),
        ],
        numpy.where,
        complex=True,
    ),
    Case("where", [call(booleans(2, 3), real(3), complexes(2, 1))], numpy.where, label="real and complex"),
]

CONSTANTS = [
    *map(_comparison, ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")),
    *map(_test, ("isfinite", "isinf", "isnan", "signbit")),
    *map(_logical, ("logical_and", "logical_or", "logical_xor")),
    Case("logical_not", [call(booleans(2, 3)), call(booleans())], numpy.logical_not, order=None),
    *map(_of_integers, ("bitwise_and", "bitwise_or", "bitwise_xor")),
    Case("bitwise_invert", [call(integers(2, 3)), call(booleans(3))], numpy.bitwise_invert, order=None),
    Case(
        "bitwise_left_shift",
        [call(integers(2, 3), integers(3, low=0)), call(integers(3), 2)],
        numpy.bitwise_left_shift,
        order=None,
    ),
    Case(
        "bitwise_right_shift",
        [call(integers(2, 3), integers(3, low=0)), call(integers(3), 2)],
        numpy.bitwise_right_shift,
        order=None,
    ),
]


def _as_kind(x: Any, complex: bool) -> Any:
    dtype = numpy_dtype(x.dtype)
    if complex == (dtype.kind == "c"):
        return x
    return x.astype("complex64" if dtype == numpy.float32 else "complex128") if complex else x.real


INTERNAL = [
    Case(
        "astype_like",
        [call(real(2, 3), True), call(complexes(2, 3), False), call(complexes(3), True), call(real(), False)],
        _as_kind,
    ),
]

CASES = [*ARITHMETIC, *EXPONENTIAL, *TRIGONOMETRIC, *SIGNS_AND_ROUNDING, *SELECTION, *CONSTANTS, *INTERNAL]
