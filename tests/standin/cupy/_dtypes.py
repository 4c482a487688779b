"""Which dtypes and which scalars CuPy knows."""

import ml_dtypes
import numpy as np

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)

# No strings, objects, dates or long doubles (_core/_dtype.pyx, all_type_chars and check_supported_dtype). Structured
# dtypes, which CuPy 14 has, are left out.
SUPPORTED = frozenset(np.dtype(char) for char in "?bhilqBHILQefdFD") | {BFLOAT16}

# Exactly these types, no subclasses (_core/_scalar.pyx, scalar_type_set).
SCALARS = frozenset({int, float, bool, complex} | {dtype.type for dtype in SUPPORTED})


def check_supported(dtype):
    """Raises as _dtype.pyx, check_supported_dtype."""
    if np.dtype(dtype) not in SUPPORTED:
        raise ValueError(f"Unsupported dtype {np.dtype(dtype)}")
