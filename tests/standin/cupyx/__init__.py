"""The few names of `cupyx` that gpugrad can meet, on the stand-in."""

import contextlib

import cupy
from cupy import _linalg


def scatter_add(a, slices, value):
    """Add at indices, counting repeated ones, in place."""
    a._scatter(slices, value, "add")


def scatter_max(a, slices, value):
    """Maximum at indices, in place."""
    a._scatter(slices, value, "maximum")


def scatter_min(a, slices, value):
    """Minimum at indices, in place."""
    a._scatter(slices, value, "minimum")


def rsqrt(x):
    """One over the square root."""
    return cupy.reciprocal(cupy.sqrt(x))


@contextlib.contextmanager
def errstate(*, divide=None, over=None, under=None, invalid=None, linalg=None):
    """Only `linalg` matters: "raise" makes linalg check its results, which reads them on the host."""
    previous = _linalg.checking()
    _linalg.set_checking(linalg or previous)
    try:
        yield
    finally:
        _linalg.set_checking(previous)
