"""Where SciPy is compiled, a Tensor that records is refused; three ways round: gpugrad's own, custom_vjp, implicit differentiation.

SCIPY_ARRAY_API=1 python examples/interop/scipy_compiled.py
"""

from __future__ import annotations

import os

os.environ["SCIPY_ARRAY_API"] = "1"  # before SciPy is imported: its functions then take arrays of any library

from typing import Any

import numpy
import scipy

import gpugrad as gg
from gpugrad.testing import check_grads

gg.set_default_dtype(gg.float64)  # which SciPy expects of Python numbers


# A filter is linear, and its gradient is the transposed filter: here the filter itself, as it is symmetric and wraps round.


@gg.custom_vjp
def blur(image: Any) -> Any:
    """``scipy.ndimage.gaussian_filter``, compiled."""
    return scipy.ndimage.gaussian_filter(image, 1.0, mode="wrap")


blur.defvjp(lambda image: (blur(image), None), lambda _, g: (blur(g),))


# An orthonormal transform has its inverse as its transpose.


@gg.custom_vjp
def dct(x: Any) -> Any:
    """``scipy.fft.dct``, compiled."""
    return scipy.fft.dct(x, norm="ortho")


dct.defvjp(lambda x: (dct(x), None), lambda _, g: (scipy.fft.idct(g, norm="ortho"),))


# The root x of f(x, p) = 0 moves with p by the implicit function theorem: dx/dp = -(df/dx)^-1 df/dp.


def residual(x: Any, p: Any) -> Any:
    """A system of equations in x: a circle of radius p[0] and a parabola of height p[1]."""
    return gg.stack([x[0] ** 2 + x[1] ** 2 - p[0] ** 2, x[1] - p[1] * x[0] ** 2])


@gg.custom_vjp
def root(p: Any) -> Any:
    """Where the two meet, by ``scipy.optimize.root``, compiled."""
    return scipy.optimize.root(lambda x: residual(x, p), numpy.ones(2), tol=1e-12).x


def _forward(p: Any) -> tuple[Any, Any]:
    x = root(p)
    return x, (x, p)


def _backward(residuals: Any, g: Any) -> tuple[Any]:
    x, p = residuals
    adjoint = gg.linalg.solve(gg.jacobian(residual)(x, p).T, -g)
    return (gg.vjp(lambda p: residual(x, p), p)[1](adjoint)[0],)


root.defvjp(_forward, _backward)


def main() -> None:
    rng = numpy.random.default_rng(0)
    image, matrix = rng.standard_normal((8, 8)), rng.standard_normal((3, 3))
    try:
        scipy.linalg.expm(gg.tensor(matrix, requires_grad=True))
    except gg.ConversionError as error:
        print(f"refused: {error}")
    check_grads(lambda a: gg.linalg.expm(a) @ gg.linalg.inv(a), matrix)  # gpugrad's own functions stand in
    check_grads(blur, image, order=1)
    check_grads(dct, image, order=1)
    check_grads(root, numpy.asarray([1.2, 0.8]), order=1)
    print("the gradients of expm, of a compiled filter, of a transform and of a root match central differences")


if __name__ == "__main__":
    main()
