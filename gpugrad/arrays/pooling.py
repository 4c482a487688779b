"""NumPy's kernel of the gradient of max pooling."""

from __future__ import annotations

import math
from typing import Any

import numpy

from gpugrad.arrays.windows import Sizes, Window


def pool_put(g: Any, indices: Any, /, *, shape: Sizes, window: Window) -> Any:
    """g and indices (N, C, *windows) -> (N, C, *shape): what is at an index more than once is added up, 16-bit numbers in float32."""
    planes, elements = math.prod(g.shape[:2]), math.prod(shape)
    places = indices.reshape(planes, math.prod(g.shape[2:])) + numpy.arange(0, planes * elements, elements)[:, None]
    if all(stride >= span for stride, span in zip(window.stride, window.spans, strict=True)):  # no element is in two windows
        out = numpy.zeros(planes * elements, g.dtype)
        out[places] = g.reshape(places.shape)
    else:
        out = numpy.zeros(planes * elements, numpy.float32 if g.dtype.itemsize == 2 else g.dtype)
        numpy.add.at(out, places.reshape(-1), g.reshape(-1).astype(out.dtype, copy=False))
    return out.reshape(*g.shape[:2], *shape).astype(g.dtype, copy=False)
