"""`cupyx.scipy.linalg`: solve_triangular (cupyx/scipy/linalg/_solve_triangular.py)."""

import numpy as np
import scipy.linalg
from cupy._array import check_devices, wrap
from cupy._ufunc import host


def solve_triangular(a, b, trans=0, lower=False, unit_diagonal=False, overwrite_b=False, check_finite=False):
    """By trsm, which divides by a zero on the diagonal in silence. The leading axes do not broadcast. `trans` must be 0."""
    check_devices([a, b])
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError("expected one square matrix or a batch of square matrices")
    if a.shape[:-2] != b.shape[: a.ndim - 2]:
        raise ValueError("incompatible batch count")
    if b.ndim < a.ndim - 1 or a.shape[-2] != b.shape[a.ndim - 2]:
        raise ValueError("incompatible dimensions")
    assert trans == 0 and not overwrite_b and not check_finite and a.size and b.size
    dtype = np.promote_types(a.dtype, np.float32)
    matrices, columns = host(a).astype(dtype), host(b).astype(dtype)
    columns = columns if b.ndim == a.ndim else columns[..., None]
    (trsm,) = scipy.linalg.get_blas_funcs(("trsm",), (matrices,))
    pairs = zip(matrices.reshape(-1, *matrices.shape[-2:]), columns.reshape(-1, *columns.shape[-2:]), strict=True)
    found = [trsm(1.0, x, y, lower=lower, diag=unit_diagonal) for x, y in pairs]
    return wrap(np.ascontiguousarray(np.stack(found).reshape(b.shape)), [a, b])
