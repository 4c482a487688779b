"""SciPy's special functions as references of records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import scipy.special

from gpugrad.arrays.dtypes import real_dtype


def reference(name: str) -> Callable[..., Any]:
    """``scipy.special.<name>`` with results in the dtype to which its arrays promote, integers as float64.

    SciPy's own are float64 for some functions where a Python number stands beside an array of float32.
    """
    function = getattr(scipy.special, name)

    def of_arrays(*operands: Any, **options: Any) -> Any:
        arrays = [x.dtype for x in (*operands, *options.values()) if hasattr(x, "dtype")]
        dtype = numpy.result_type(*(x if x.kind in "fc" else numpy.float64 for x in arrays))
        if name in ("bdtr", "bdtrc", "bdtri"):  # a number of trials that is floating-point is deprecated
            operands = (operands[0], numpy.asarray(operands[1], "int64"), operands[2])
        found = function(*operands, **options)
        return tuple(_with(x, dtype) for x in found) if isinstance(found, tuple) else _with(found, dtype)

    return of_arrays


def _with(x: Any, dtype: Any) -> Any:
    """x with the precision of `dtype`, real or complex as it is."""
    real = real_dtype(dtype)
    return numpy.asarray(x, numpy.result_type(real, numpy.complex64) if numpy.iscomplexobj(x) else real)[()]
