"""Bessel functions: J, Y, H of real and complex argument, the modified I and K, and the exponentially scaled ones.

The derivatives are those of NIST's Digital Library of Mathematical Functions, sections 10.6 and 10.29. There is none with
respect to the order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, SupportsIndex

from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.arrays.explain import explaining
from gpugrad.errors import OptionError
from gpugrad.ops.elementwise import abs, astype_like, exp, imag, real, sign, sqrt, where
from gpugrad.ops.special.family import no_rule, special
from gpugrad.ops.special.removable import near_zero, polynomial

# Orders 0 and 1 -----------------------------------------------------------------------------------------------------

_J1_SERIES = [(-1) ** k / (2 * 4**k * math.factorial(k) * math.factorial(k + 1)) for k in range(16)]
_I1_SERIES = [c if c > 0 else -c for c in _J1_SERIES]


def _j1_over(x: Any) -> Any:
    """J1(x) / x."""
    return near_zero(x, 2, lambda x: polynomial(_J1_SERIES, x * x), lambda x: j1(x) / x)


def _i1_over(x: Any) -> Any:
    """I1(x) / x."""
    return near_zero(x, 2, lambda x: polynomial(_I1_SERIES, x * x), lambda x: i1(x) / x)


def _i1e_over(x: Any) -> Any:
    """exp(-x) I1(x) / x for x >= 0."""
    return near_zero(x, 2, lambda x: exp(-x) * polynomial(_I1_SERIES, x * x), lambda x: i1e(x) / x)


def _hankel_difference(sign: int) -> list[float]:
    """The coefficients of x ** -k, k >= 1, in Hankel's expansions of order 0 less those of order 1 (DLMF 10.40.1, 10.40.2)."""
    zero, one, out = 1.0, 1.0, []
    for k in range(1, 20):
        zero *= sign * -((2 * k - 1) ** 2) / (8 * k)
        one *= sign * (4 - (2 * k - 1) ** 2) / (8 * k)
        out.append(zero - one)
    return out


def _difference(sign: int, scale: float, plainly: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The order 0 less the order 1 of a scaled modified function: for large x it cancels, so there it is Hankel's expansion."""
    coefficients = _hankel_difference(sign)

    def difference(x: Any) -> Any:
        far = x > 40
        y = 1 / where(far, x, 40)
        return where(far, polynomial(coefficients, y) * y * sqrt(y) * scale, plainly(where(far, 1, x)))

    return difference


_ie_difference = _difference(-1, 1 / math.sqrt(2 * math.pi), lambda x: i0e(x) - i1e(x))
_ke_difference = _difference(1, math.sqrt(math.pi / 2), lambda x: k0e(x) - k1e(x))

j0 = special("j0", "The Bessel function of the first kind of order 0", x=lambda g, x: -g * j1(x))
j1 = special("j1", "The Bessel function of the first kind of order 1", x=lambda g, x: g * (j0(x) - _j1_over(x)))
y0 = special("y0", "The Bessel function of the second kind of order 0", x=lambda g, x: -g * y1(x))
y1 = special("y1", "The Bessel function of the second kind of order 1", x=lambda g, x, out: g * (y0(x) - out / x))
i0 = special("i0", "The modified Bessel function of the first kind of order 0", x=lambda g, x: g * i1(x))
i1 = special("i1", "The modified Bessel function of the first kind of order 1", x=lambda g, x: g * (i0(x) - _i1_over(x)))
i0e = special(
    "i0e", "exp(-abs(x)) i0(x)", note="At 0 the derivative is 0.", x=lambda g, x: -g * sign(x) * _ie_difference(abs(x))
)
i1e = special("i1e", "exp(-abs(x)) i1(x)", x=lambda g, x: g * (_ie_difference(abs(x)) - _i1e_over(abs(x))))
k0 = special("k0", "The modified Bessel function of the second kind of order 0", x=lambda g, x: -g * k1(x))
k1 = special("k1", "The modified Bessel function of the second kind of order 1", x=lambda g, x, out: -g * (k0(x) + out / x))
k0e = special("k0e", "exp(x) k0(x)", x=lambda g, x: g * _ke_difference(x))
k1e = special("k1e", "exp(x) k1(x)", x=lambda g, x, out: -g * (_ke_difference(x) + out / x))

# Any order ----------------------------------------------------------------------------------------------------------

Scaling = Callable[[Any, Any, Any], Any]


def _any_order(
    name: str,
    formula: str,
    below: float,
    above: float,
    scaling: Scaling | None = None,
    *,
    far: Scaling | None = None,
    whole: bool = False,
) -> Callable[..., Any]:
    """Declare f(v, z) with the derivative below * f(v - 1, z) + above * f(v + 1, z), and what `scaling` adds to the gradient.

    `far` is the derivative for large real z, where these would cancel, of v, z and the result. `whole` is for functions of a whole
    order n and a real argument x.
    """

    def slope(v: Any, z: Any) -> Any:
        return itself(v - 1, z) * below + itself(v + 1, z) * above

    def rule(g: Any, v: Any, z: Any) -> Any:
        return g * slope(v, z)

    def scaled(g: Any, v: Any, z: Any, out: Any) -> Any:
        if far is None or numpy_dtype(z.dtype).kind == "c":
            return g * slope(v, z) + (scaling or _unscaled)(g, z, out)
        away = z > 40 + 2 * v * v
        inside = where(away, 1, z)
        plainly = g * slope(v, inside) + (scaling or _unscaled)(g, inside, out)
        return where(away, g * far(v, where(away, z, 1), out), plainly)

    if whole:
        itself = special(name, formula, n=no_rule(name, "n"), x=lambda g, n, x: g * slope(n, x))
    else:
        note = "The order v is real."
        itself = special(name, formula, complex=True, note=note, v=no_rule(name, "v"), z=scaled if scaling else rule)
    return itself


def _unscaled(g: Any, z: Any, out: Any) -> Any:
    return 0


def _real_part(g: Any, z: Any, out: Any) -> Any:
    """The gradient by way of exp(-abs(real(z))), which is not holomorphic: it goes to the real part of z."""
    return -sign(real(z)) * real(g * out)


def _imaginary_part(g: Any, z: Any, out: Any) -> Any:
    """The gradient by way of exp(-abs(imag(z))): it goes to the imaginary part of z, in the conjugate that sweeps carry."""
    if numpy_dtype(z.dtype).kind != "c":
        return 0
    return astype_like(sign(imag(z)) * real(g * out), complex=True) * 1j


def _next_order(v: Any, z: Any, sign: int) -> Any:
    """The order v + 1 less the order v in Hankel's expansions (DLMF 10.40.1, 10.40.2), term by term: sign is -1 for I, 1 for K."""
    term: Any = 1.0
    rise: Any = 0.0
    total: Any = 0.0
    for k in range(1, 19):
        factor = (4 * v * v - (2 * k - 1) ** 2) * (sign / (8 * k)) / z
        more = (v + 0.5) * (sign / k) / z
        rise = rise * (factor + more) + term * more
        term = term * factor
        total = total + rise
    return total


def _far_ive(v: Any, z: Any, out: Any) -> Any:
    return _next_order(v, z, -1) / sqrt(z * (2 * math.pi)) + out * (v / z)


def _far_kve(v: Any, z: Any, out: Any) -> Any:
    return out * (v / z) - _next_order(v, z, 1) * sqrt(math.pi / 2 / z)


_J, _Y = "The Bessel function of the first kind of order v", "The Bessel function of the second kind of order v"
_I, _K = (
    "The modified Bessel function of the first kind of order v",
    "The modified Bessel function of the second kind of order v",
)
_H1, _H2 = "The Hankel function of the first kind of order v", "The Hankel function of the second kind of order v"

jv = jn = _any_order("jv", _J, 0.5, -0.5)
jve = _any_order("jve", "jv(v, z) exp(-abs(imag(z)))", 0.5, -0.5, _imaginary_part)
yv = _any_order("yv", _Y, 0.5, -0.5)
yve = _any_order("yve", "yv(v, z) exp(-abs(imag(z)))", 0.5, -0.5, _imaginary_part)
iv = _any_order("iv", _I, 0.5, 0.5)
ive = _any_order("ive", "iv(v, z) exp(-abs(real(z)))", 0.5, 0.5, _real_part, far=_far_ive)
kv = _any_order("kv", _K, -0.5, -0.5)
kve = _any_order("kve", "kv(v, z) exp(z)", -0.5, -0.5, lambda g, z, out: g * out, far=_far_kve)
hankel1 = _any_order("hankel1", _H1, 0.5, -0.5)
hankel1e = _any_order("hankel1e", "hankel1(v, z) exp(-1j z)", 0.5, -0.5, lambda g, z, out: g * out * -1j)
hankel2 = _any_order("hankel2", _H2, 0.5, -0.5)
hankel2e = _any_order("hankel2e", "hankel2(v, z) exp(1j z)", 0.5, -0.5, lambda g, z, out: g * out * 1j)
yn = _any_order("yn", "The Bessel function of the second kind of whole order n", 0.5, -0.5, whole=True)
kn = _any_order("kn", "The modified Bessel function of the second kind of whole order n", -0.5, -0.5, whole=True)


# Their derivatives ----------------------------------------------------------------------------------------------------


def _derivatives(name: str, of: Callable[..., Any], below: float, above: float) -> Callable[..., Any]:
    """The n-th derivative in z of a function f with the derivative below * f(v - 1, z) + above * f(v + 1, z)."""

    def derivative(v: Any, z: Any, n: SupportsIndex = 1) -> Any:
        if not isinstance(n, SupportsIndex) or n.__index__() < 0:
            raise OptionError(f"{name}: n is {n!r}, expected a whole number, 0 or more")
        n = n.__index__()
        terms = [of(v - n + 2 * k, z) * (math.comb(n, k) * below ** (n - k) * above**k) for k in range(n + 1)]
        return sum(terms[1:], terms[0])

    derivative.__name__ = derivative.__qualname__ = name
    derivative.__module__ = "gpugrad.special"
    derivative.__doc__ = (
        f"The n-th derivative of {of.__name__}(v, z) with respect to z, elementwise; n is a whole number of Python.\n\n"
        "Shapes: v and z broadcast. Dtypes: real and complex floating; integers are taken as float64; the order v is real.\n"
        "Differentiable, but not in v, for which a backward pass raises GraphError.\n\n"
        "Raises OptionError for another n, DTypeError for a dtype that it does not take, ShapeError if the shapes do not broadcast.\n"
        f"Source: https://docs.scipy.org/doc/scipy/reference/generated/scipy.special.{name}.html"
    )
    return explaining(derivative)


jvp = _derivatives("jvp", jv, 0.5, -0.5)
yvp = _derivatives("yvp", yv, 0.5, -0.5)
ivp = _derivatives("ivp", iv, 0.5, 0.5)
kvp = _derivatives("kvp", kv, -0.5, -0.5)
h1vp = _derivatives("h1vp", hankel1, 0.5, -0.5)
h2vp = _derivatives("h2vp", hankel2, 0.5, -0.5)
