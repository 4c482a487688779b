"""Spherical Bessel functions of whole order n: j, y and the modified i, k."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gpugrad.ops.elementwise import maximum, where
from gpugrad.ops.special.family import inexact, no_rule, special


def _spherical(name: str, formula: str, below: float, above: float) -> Callable[..., Any]:
    """Declare f_n(z) with the derivative (below * n * f_(n - 1) + above * (n + 1) * f_(n + 1)) / (2 n + 1): no division by z."""

    def slope(n: Any, z: Any) -> Any:
        previous = where(n > 0, value(maximum(n - 1, 0.0), z) * n, 0)
        return (previous * below + value(n + 1, z) * ((n + 1) * above)) / (n + n + 1)

    def rule(g: Any, n: Any, z: Any) -> Any:
        return g * slope(n, z)

    value = special(name, formula, complex=True, source="https://dlmf.nist.gov/10.51", n=no_rule(name, "n"), z=rule)

    def function(n: Any, z: Any, derivative: bool = False) -> Any:
        return slope(inexact(n), z) if derivative else value(n, z)

    function.__name__ = function.__qualname__ = name
    function.__module__ = "gpugrad.special"
    function.__doc__ = f"{value.__doc__}\n\n`derivative` asks for the derivative with respect to z in place of the function."
    return function


_FIRST, _SECOND = "pherical Bessel function of the first kind", "pherical Bessel function of the second kind"

spherical_jn = _spherical("spherical_jn", f"The s{_FIRST} of whole order n", 1, -1)
spherical_yn = _spherical("spherical_yn", f"The s{_SECOND} of whole order n", 1, -1)
spherical_in = _spherical("spherical_in", f"The modified s{_FIRST} of whole order n", 1, 1)
spherical_kn = _spherical("spherical_kn", f"The modified s{_SECOND} of whole order n", -1, -1)
