"""array-api-extra, differentiated: pip install gpugrad array-api-extra; python examples/interop/array_api_extra_functions.py

Functions that the standard lacks, written in the standard: they take gpugrad's Tensors as they are. Every gradient is checked against
central differences.
"""

import array_api_extra as xpx
import numpy as np

import gpugrad as gg

rng = np.random.default_rng(0)
X = rng.normal(size=8)
DATA = rng.normal(size=(4, 10))
GAPS = gg.asarray(np.arange(40).reshape(4, 10) % 7 == 0)


def branches(x):
    """A function that is evaluated only where it is defined."""
    return gg.sum(xpx.apply_where(x > 0, x, gg.sqrt, gg.exp))


def updates(x):
    """Elements written, added to and multiplied: ``at`` gives new arrays, so the gradient of what is overwritten is zero."""
    y = xpx.at(x)[:3].set(x[3:6] ** 2)
    y = xpx.at(y)[::2].multiply(x[:4])
    return gg.sum(xpx.at(y)[y > 1].add(1.0) ** 3)


def covariance(data):
    """The entropy of a normal distribution with the covariance of the data, but for a constant."""
    return 0.5 * gg.linalg.slogdet(xpx.cov(data)).logabsdet


def gaps(data):
    """Means and extremes of what is not missing."""
    known = gg.where(GAPS, gg.nan, data)
    return gg.sum(xpx.nanmean(known, axis=1) ** 2) + gg.sum(xpx.nanmax(known, axis=0))


def structured(x, data):
    """A linear map put together: a Kronecker product, a diagonal, a border of zeros."""
    blocks = xpx.kron(data[:2, :3], xpx.create_diagonal(x[:3], offset=-1))
    return gg.sum(gg.sin(xpx.pad(blocks, 1, constant_values=0.5)) ** 2)


def interpolation(x):
    """Samples of a band-limited signal between its given ones: sinc is smooth at zero, and so is its gradient."""
    times = gg.linspace(0.0, 7.0, 15, dtype=gg.float64)
    return gg.sum(gg.tanh(xpx.sinc(times[:, None] - gg.arange(8, dtype=gg.float64)) @ x))


CALLS = {
    "apply_where": (branches, X),
    "at: set, multiply, add": (updates, X),
    "cov": (covariance, DATA),
    "nanmean, nanmax": (gaps, DATA),
    "kron, create_diagonal, pad": (structured, X, DATA),
    "sinc": (interpolation, X),
}


def main():
    for name, (function, *arrays) in CALLS.items():
        value, gradients = gg.value_and_grad(function, argnums=tuple(range(len(arrays))))(*arrays)
        gg.testing.check_grads(function, *arrays, order=2)
        largest = max(np.abs(gradient).max() for gradient in gradients)
        print(f"{name:28} {float(value):10.4f}  largest derivative {largest:8.4f}  equals central differences")


if __name__ == "__main__":
    main()
