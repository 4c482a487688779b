"""gg.special: special functions, with SciPy's names (``scipy.special``)."""

from gpugrad.ops.special.error import erf

__all__ = ["erf"]
