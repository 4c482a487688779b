"""Tensors to test with, and keys to index them with."""

import numpy as np

import gpugrad as gg

KEYS = [
    0, -1, slice(None), slice(None, None, -2), Ellipsis, (slice(1, 3), 0), (Ellipsis, -1), None, (1, slice(0, 2)),
    [0, 2], ([0, 2], [1, 1]), np.array([2, 0]), np.array([True, False, True]), (),
]  # fmt: skip
"""For arrays of shape (3, 2)."""


def leaf(values, dtype=np.float64):
    """A Tensor that requires a gradient."""
    return gg.tensor(np.asarray(values, dtype=dtype), requires_grad=True)


def values(x):
    """The numbers of a Tensor, as nested lists."""
    return x.tolist()
