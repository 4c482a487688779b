"""Fit a gamma distribution by maximum likelihood: SciPy's special functions, gpugrad's derivatives, SciPy's optimizer.

    SCIPY_ARRAY_API=1 python examples/interop/scipy_fit.py

``scipy.special.gammaln`` is called as it is, on Tensors, and differentiated twice: by the gradient for the optimizer, and by
the Hessian for the standard errors, which scipy.stats does not give.
"""

from __future__ import annotations

import os

os.environ["SCIPY_ARRAY_API"] = "1"  # before SciPy is imported: its functions then take arrays of any library

from typing import Any

import numpy
import scipy

import gpugrad as gg

gg.set_default_dtype(gg.float64)  # which SciPy expects of Python numbers


def negative_log_likelihood(parameters: Any, data: Any) -> Any:
    """Minus the mean log-density of gamma(shape, scale), of which `parameters` are the logarithms."""
    shape, scale = gg.exp(parameters)
    log_density = (shape - 1) * gg.log(data) - data / scale - shape * gg.log(scale) - scipy.special.gammaln(shape)
    return -gg.mean(log_density)


def fit(data: Any) -> tuple[Any, Any]:
    """The shape and scale that make `data` most likely, and their standard errors."""
    value_and_gradient = gg.value_and_grad(negative_log_likelihood)  # NumPy arrays in, NumPy arrays out, as minimize wants it
    found = scipy.optimize.minimize(value_and_gradient, numpy.zeros(2), args=(data,), jac=True, method="BFGS")
    information = len(data) * gg.hessian(negative_log_likelihood)(found.x, data)
    estimate = numpy.exp(found.x)
    return estimate, estimate * numpy.sqrt(numpy.diag(numpy.linalg.inv(information)))


def main() -> None:
    data = numpy.random.default_rng(0).gamma(2.5, 1.4, 2000)
    estimate, error = fit(data)
    expected = numpy.asarray(scipy.stats.gamma.fit(data, floc=0))[[0, 2]]
    for name, value, spread, reference in zip(("shape", "scale"), estimate, error, expected, strict=True):
        print(f"{name}: {value:.4f} +- {spread:.4f}, and {reference:.4f} by scipy.stats.gamma.fit")
    numpy.testing.assert_allclose(estimate, expected, rtol=1e-3)


if __name__ == "__main__":
    main()
