"""Elementwise functions of the standard, each with its derivative.

The rules are those of a calculus book, for complex arguments too: ``exp: g * out``. That is because the backward sweep carries
the complex conjugate of the gradient and conjugates only where gradients enter and leave (see ``sweep.py``); a holomorphic
function then needs no conjugate, and real arrays never pay for one. Only functions that are not holomorphic (abs, conj, imag,
real, sign; var and std in ``reduction.py``) spell a conjugate out.

They avoid Python numbers where an array does as well (``g - g * out * out`` rather than ``g * (1 - out * out)``): NumPy takes
twice as long to convert the number as to multiply a small array.
"""

from __future__ import annotations

import math
from typing import Any

import numpy
from array_api_compat import array_namespace

from gpugrad.arrays.dtypes import bool_, default_dtype, native_dtype, numpy_dtype, real_dtype
from gpugrad.families import A, Number, binary, primitive, registered, unary, zero
from gpugrad.ops.creation import full_like, raw_full
from gpugrad.tape import raw

_NUMBERS = frozenset({bool, int, float, complex})


def _is_complex(x: Any) -> bool:
    return numpy_dtype(x.dtype).kind == "c"


def _both(live: Any, taken: Any, g: Any) -> Any:
    if type(taken) is bool:  # of a Python bool, or of a comparison of a trace's numbers
        return live if taken else raw_full(g, (), False, bool_)
    return taken if live is None else logical_and(live, taken)


@primitive(
    standard=True,
    elementwise=True,
    condition=None,
    x=lambda g, condition: where(condition, g, 0),
    y=lambda g, condition: where(condition, 0, g),
    branches={
        "x": lambda live, g, condition: _both(live, condition, g),
        "y": lambda live, g, condition: _both(live, logical_not(condition), g),
    },
)
def _where(condition: Any, x: Any, y: Any, /) -> Any:
    return array_namespace(condition).where(condition, x, y)


@registered
def where(condition: Any, x: Any, y: Any, /) -> Any:
    """x where `condition` is true, y elsewhere; the three broadcast, and x and y promote, two Python numbers to a default dtype.

    The gradient of the branch not taken is zero, and stays zero where the branch's own derivative is infinite or nan:
    ``where(x > 0, sqrt(x), 0)`` has gradient 0 at 0 (``gpugrad/branches.py`` says how far that reaches).
    Raises ShapeError if the shapes do not broadcast, DeviceError if the devices differ.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.where.html
    """
    if type(x) in _NUMBERS and type(y) in _NUMBERS and hasattr(condition, "dtype"):  # no array gives them a dtype
        x = raw_full(raw(condition), (), x, default_dtype(numpy.result_type(x, y).kind))
    return _where(condition, x, y)


# Arithmetic ---------------------------------------------------------------------------------------------------------

add = binary("add", "x + y", x=lambda g: g, y=lambda g: g)
subtract = binary("subtract", "x - y", x=lambda g: g, y=lambda g: -g)
multiply = binary("multiply", "x * y", x=lambda g, y: g * y, y=lambda g, x: g * x)
divide = binary("divide", "x / y", x=lambda g, y: g / y, y=lambda g, y, out: -g * out / y)
floor_divide = binary("floor_divide", "floor(x / y)", x=zero, y=zero)
remainder = binary(
    "remainder", "x - y * floor(x / y), with the sign of y", x=lambda g: g, y=lambda g, x, y: -g * floor_divide(x, y)
)
negative = unary("negative", "-x", x=lambda g: -g)
positive = unary("positive", "+x", x=lambda g: g)
reciprocal = unary("reciprocal", "1 / x", x=lambda g, out: -g * out * out)
square = unary("square", "x * x", x=lambda g, x: g * (x + x))
sqrt = unary("sqrt", "Square root", x=lambda g, out: g / (out + out))


def _pow_base(g: Any, x: Any, y: Any) -> Any:
    constant = raw(y == 0)
    if type(constant) is bool:  # y is a number, which in a trace has a dtype too
        return g * 0.0 if constant else g * (x + x) if raw(y == 2) else g * (y * x ** (y - 1))
    exponent = where(constant, 1, y)  # 0 * x**-1 would be nan at x = 0
    return where(constant, 0, g * exponent * pow(x, exponent - 1))


def _pow_exponent(g: Any, x: Any, y: Any, out: Any) -> Any:
    # x**y is constantly 0 along y > 0 at x = 0; log(0) would make that a nan. A Python number needs an array's dtype.
    base = x if hasattr(x, "dtype") else full_like(out, x)
    zero_base = base == 0
    return where(zero_base, 0, g * out * log(where(zero_base, 1, base)))


pow = binary(
    "pow",
    "x ** y",
    x=_pow_base,
    y=_pow_exponent,
    note="At x = 0 the gradient of y is 0, and so is that of x where y = 0.",
)

# Exponentials and logarithms ----------------------------------------------------------------------------------------

exp = unary("exp", "e ** x", x=lambda g, out: g * out)
expm1 = unary("expm1", "e ** x - 1, accurate near 0", x=lambda g, out: g * out + g)
log = unary("log", "Natural logarithm", x=lambda g, x: g / x)
log1p = unary("log1p", "log(1 + x), accurate near 0", x=lambda g, x: g / (x + 1))
log2 = unary("log2", "Logarithm to base 2", x=lambda g, x: g / (x * math.log(2)))
log10 = unary("log10", "Logarithm to base 10", x=lambda g, x: g / (x * math.log(10)))
logaddexp = binary(
    # Not 1 / (exp(y - x) + 1): its own derivative would be inf / inf for operands far apart.
    "logaddexp",
    "log(exp(x) + exp(y))",
    x=lambda g, x, out: g * exp(x - out),
    y=lambda g, y, out: g * exp(y - out),
)

# Trigonometric and hyperbolic ---------------------------------------------------------------------------------------

sin = unary("sin", "Sine, x in radians", x=lambda g, x: g * cos(x))
cos = unary("cos", "Cosine, x in radians", x=lambda g, x: -g * sin(x))
tan = unary("tan", "Tangent, x in radians", x=lambda g, out: g + g * out * out)
asin = unary("asin", "Inverse sine, in radians", x=lambda g, x: g / sqrt(1 - x * x))
acos = unary("acos", "Inverse cosine, in radians", x=lambda g, x: -g / sqrt(1 - x * x))
atan = unary("atan", "Inverse tangent, in radians", x=lambda g, x: g / (x * x + 1))
atan2 = binary(
    "atan2",
    "Angle in radians of the point with ordinate x and abscissa y",
    x=lambda g, x, y: g * y / (x * x + y * y),
    y=lambda g, x, y: -g * x / (x * x + y * y),
)
sinh = unary("sinh", "Hyperbolic sine", x=lambda g, x: g * cosh(x))
cosh = unary("cosh", "Hyperbolic cosine", x=lambda g, x: g * sinh(x))
tanh = unary("tanh", "Hyperbolic tangent", x=lambda g, out: g - g * out * out)
asinh = unary("asinh", "Inverse hyperbolic sine", x=lambda g, x: g / sqrt(x * x + 1))
# Two roots, not sqrt(x*x - 1): the branch cuts of complex acosh need them.
acosh = unary("acosh", "Inverse hyperbolic cosine", x=lambda g, x: g / (sqrt(x - 1) * sqrt(x + 1)))
atanh = unary("atanh", "Inverse hyperbolic tangent", x=lambda g, x: g / (1 - x * x))


def _hypot_rule(g: Any, x: Any, out: Any) -> Any:
    return g * (x / where(out == 0, 1, out))


hypot = binary(
    "hypot",
    "sqrt(x ** 2 + y ** 2) without overflow",
    x=_hypot_rule,
    y=lambda g, y, out: _hypot_rule(g, y, out),
    note="At the origin the gradient is 0.",
)

# Complex, signs, rounding -------------------------------------------------------------------------------------------


def _sign_rule(g: Any, x: Any, out: Any) -> Any:
    if not _is_complex(x):
        return None
    size = where(out == 0, 1, abs(x))
    return (g - conj(out) * real(g * out)) / size


def _to_complex(g: Any, factor: complex) -> Any:
    return astype_like(g, complex=True) * factor


@primitive(x=lambda g: g)  # the engine casts it back
def astype_like(x: Any, /, complex: bool) -> Any:
    """x with its dtype made complex, or real: float32 and complex64 belong together, and float64 and complex128."""
    dtype = numpy_dtype(x.dtype)
    if complex == (dtype.kind == "c"):
        return x
    if not complex:
        return array_namespace(x).real(x)
    name = "complex64" if real_dtype(dtype).itemsize <= 4 else "complex128"
    return array_namespace(x).astype(x, native_dtype(x, name))


abs = unary("abs", "Absolute value", x=lambda g, x: g * conj(sign(x)), note="At 0 the gradient is 0.")
sign = unary("sign", "-1, 0 or 1; x / abs(x) for complex x", x=_sign_rule, note="For real x the gradient is zero.")
conj = unary("conj", "Complex conjugate", x=lambda g: conj(g))
real = unary("real", "Real part", x=lambda g: g)
imag = unary("imag", "Imaginary part", x=lambda g: _to_complex(g, -1j))
copysign = binary("copysign", "abs(x) with the sign of y", x=lambda g, x, y: g * sign(x) * copysign(1.0, y), y=zero)
nextafter = binary("nextafter", "The next number after x towards y", x=lambda g: g, y=zero)
ceil = unary("ceil", "The smallest integer not below x", x=zero)
floor = unary("floor", "The largest integer not above x", x=zero)
round = unary("round", "The nearest integer, the even one of two", x=zero)
trunc = unary("trunc", "x without its fraction", x=zero)


def _larger_rule(g: Any, x: Any, y: Any) -> Any:
    return where(x > y, g, where(x == y, g * 0.5, 0))


maximum = binary(
    "maximum",
    "The larger of x and y",
    x=_larger_rule,
    y=lambda g, x, y: _larger_rule(g, y, x),
    note="Ties share the gradient equally.",
)
minimum = binary(
    "minimum",
    "The smaller of x and y",
    x=lambda g, x, y: _larger_rule(g, y, x),
    y=lambda g, x, y: _larger_rule(g, x, y),
    note="Ties share the gradient equally.",
)


def _clip_x(g: Any, x: Any, low: Any, high: Any) -> Any:
    if low is not None:
        g = where(x >= low, g, 0)
    return g if high is None else where(x <= high, g, 0)


def _clip_low(g: Any, x: Any, low: Any, high: Any) -> Any:
    g = where(x < low, g, 0)
    return g if high is None else where(low < high, g, 0)


def _clip_high(g: Any, x: Any, low: Any, high: Any) -> Any:
    clipped = x if low is None else maximum(x, low)
    return where(clipped > high, g, 0)


@primitive(standard=True, elementwise=True, x=_clip_x, low=_clip_low, high=_clip_high)
def _clip(x: Any, low: Any, high: Any, /) -> Any:
    return array_namespace(x).clip(x, low, high)


@registered
def clip(x: A, /, min: A | Number | None = None, max: A | Number | None = None) -> A:
    """x limited to [min, max]; both broadcast, and None is no limit.

    The gradient passes where min <= x <= max, the limits included (as in PyTorch); elsewhere it goes to the limit.
    Raises ShapeError if the shapes do not broadcast.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.clip.html
    """
    out: A = _clip(x, min, max)
    return out


# Comparisons, logic, bits: constants --------------------------------------------------------------------------------

equal = binary("equal", "x == y")
not_equal = binary("not_equal", "x != y")
less = binary("less", "x < y")
less_equal = binary("less_equal", "x <= y")
greater = binary("greater", "x > y")
greater_equal = binary("greater_equal", "x >= y")
isfinite = unary("isfinite", "Whether x is neither inf nor nan")
isinf = unary("isinf", "Whether x is inf or -inf")
isnan = unary("isnan", "Whether x is nan")
signbit = unary("signbit", "Whether the sign bit is set, as for -0.0")
logical_and = binary("logical_and", "x and y")
logical_or = binary("logical_or", "x or y")
logical_xor = binary("logical_xor", "Whether just one of x and y is true")
logical_not = unary("logical_not", "not x")
bitwise_and = binary("bitwise_and", "x & y")
bitwise_or = binary("bitwise_or", "x | y")
bitwise_xor = binary("bitwise_xor", "x ^ y")
bitwise_invert = unary("bitwise_invert", "~x")
bitwise_left_shift = binary("bitwise_left_shift", "x << y")
bitwise_right_shift = binary("bitwise_right_shift", "x >> y")
