"""How far results are from exact ones: in units of the precision of their dtype."""

from __future__ import annotations

from typing import Any

import numpy


def error(found: Any, exact: Any, scale: Any = None) -> float:
    """The largest ``abs(found - exact)`` in units of ``eps * scale``; the scale is abs(exact) and at least the least normal number.

    Where `exact` is nan or infinite, `found` must be the same, or the error is infinite.
    """
    found, exact = numpy.asarray(found), numpy.asarray(exact, numpy.float64)
    assert found.shape == exact.shape
    limits = numpy.finfo(found.dtype)
    finite = numpy.isfinite(exact)
    if not numpy.array_equal(found[~finite].astype(float), exact[~finite], equal_nan=True):
        return numpy.inf
    scale = numpy.abs(exact) if scale is None else numpy.broadcast_to(scale, exact.shape).astype(float)
    unit = float(limits.eps) * numpy.maximum(scale[finite], float(limits.smallest_normal))
    found = found[finite].astype(float)
    if not numpy.isfinite(found).all():
        return numpy.inf
    return float(numpy.max(numpy.abs(found - exact[finite]) / unit, initial=0.0))
