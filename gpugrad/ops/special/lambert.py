"""Lambert's W function and the Wright omega function."""

from __future__ import annotations

from typing import Any

from gpugrad.arrays.special import evaluate
from gpugrad.families import primitive
from gpugrad.ops.elementwise import exp
from gpugrad.ops.special.family import special


# W exp(W) = z. Not W / (z (1 + W)), which is 0 / 0 at z = 0.
@primitive(elementwise=True, z=lambda g, out: g * (exp(-out) / (out + 1)), k=None)
def lambertw(z: Any, k: Any = 0, tol: float = 1e-8) -> Any:
    """Lambert's W function, elementwise: the solution W of W exp(W) = z on the branch k. The result is complex.

    Shapes: z and k broadcast. Dtypes: real and complex floating; whole numbers for k. `tol` is the tolerance of the iteration.
    Differentiable with respect to z; at the branch point z = -1 / e of k = 0 and -1 the derivative is inf.

    Raises DTypeError for a dtype that it does not take, ShapeError if the shapes do not broadcast.
    Source: https://docs.scipy.org/doc/scipy/reference/generated/scipy.special.lambertw.html
    """
    return evaluate("lambertw", z, k, tol)


wrightomega = special(
    "wrightomega",
    "The Wright omega function, the solution w of w + log(w) = z",
    complex=True,
    z=lambda g, out: g * (out / (out + 1)),
)
