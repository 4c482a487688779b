"""marray, differentiated through missing values: pip install gpugrad marray; python examples/interop/marray_missing.py

``from marray import gpugrad`` makes a namespace of masked arrays over gpugrad's Tensors: the standard's functions, each of which knows
what is missing. The gradient with respect to missing elements is zero. It is checked against central differences.
"""

import numpy as np
from marray import gpugrad as mgg

import gpugrad as gg

rng = np.random.default_rng(0)
DATA = rng.normal(size=(6, 5))
MISSING = rng.random(size=(6, 5)) < 0.25
WEIGHT = rng.normal(size=(5, 3))


def masked(data):
    return mgg.asarray(data, mask=gg.asarray(MISSING))


def known(x):
    """What a masked array holds, zero where it is missing."""
    return gg.where(x.mask, 0.0, x.data)


def standardized(data):
    """Columns with mean 0 and variance 1, over what is known of them."""
    x = masked(data)
    z = (x - mgg.mean(x, axis=0)) / mgg.std(x, axis=0, correction=1)
    return gg.sum(known(z) ** 3)


def softmax(data):
    """Of each row, over what is known of it."""
    e = mgg.exp(masked(data) - mgg.max(masked(data), axis=1, keepdims=True))
    return gg.sum(known(e / mgg.sum(e, axis=1, keepdims=True)) ** 2)


def product(data, weight):
    """A matrix product that leaves out the missing terms of each sum."""
    return gg.sum(gg.tanh(known(masked(data) @ mgg.asarray(weight))))


def cumulated(data):
    return gg.sum(known(mgg.cumulative_sum(masked(data), axis=0)) ** 2)


def undefined(data):
    """A logarithm of negative numbers: what is not a number becomes missing, and its gradient zero."""
    x = masked(data)
    return gg.sum(known(mgg.log(mgg.asarray(x.data, mask=x.mask | (x.data <= 0)))))


CALLS = {
    "mean, std": (standardized, DATA),
    "max, exp, sum": (softmax, DATA),
    "matmul": (product, DATA, WEIGHT),
    "cumulative_sum": (cumulated, DATA),
    "log": (undefined, DATA),
}


def main():
    with np.errstate(invalid="ignore"):  # the logarithms of what is missing
        for name, (function, *arrays) in CALLS.items():
            value, gradients = gg.value_and_grad(function, argnums=tuple(range(len(arrays))))(*arrays)
            gg.testing.check_grads(function, *arrays, order=1)
            assert not gradients[0][MISSING].any(), f"{name}: a gradient reached a missing element"
            largest = max(np.abs(gradient).max() for gradient in gradients)
            print(f"{name:16} {float(value):10.4f}  largest derivative {largest:8.4f}  equals central differences")


if __name__ == "__main__":
    main()
