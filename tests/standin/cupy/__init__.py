"""A stand-in for CuPy, for the tests of gpugrad on machines without a GPU. Not CuPy: see ../README.md.

Arrays live in NumPy memory and carry the number of a pretend device; the rules of CuPy 14.2 are kept where gpugrad can
meet them. `cupy.standin` counts host reads and sets the number of devices.
"""

import sys as _sys

if "_gpugrad_standin_active" not in _sys.modules:
    raise ImportError("this is the cupy stand-in of gpugrad's tests; import it only through tests/standin/activate.py")

import numpy as _numpy
from cupy import _array, _calls, _creation, _interchange, _linalg, _methods, _names, _ufunc, cuda, standin
from cupy._array import ndarray
from cupy._ufunc import ufunc

__version__ = "14.2.0"

for _name in _names.VALUES:
    if not hasattr(_sys.modules[__name__], _name) and hasattr(_numpy, _name):
        globals()[_name] = getattr(_numpy, _name)  # dtypes and constants are NumPy's own in CuPy too
for _name in _names.UFUNCS:
    _target = getattr(_numpy, _name, None)
    if isinstance(_target, _numpy.ufunc):
        globals()[_name] = (_ufunc.matmul if _name == "matmul" else ufunc)(_target)
for _name in _names.FUNCTIONS:
    if "." not in _name and callable(getattr(_numpy, _name, None)):
        globals()[_name] = _calls.function(_name, getattr(_numpy, _name))
globals().update(_creation.BY_HAND)

linalg = _linalg.module("linalg", _numpy.linalg)
linalg.LinAlgError = _numpy.linalg.LinAlgError
fft = _linalg.module("fft", _numpy.fft)
random = _linalg.random_module()
exceptions = _numpy.exceptions

from cupy._kernels import ElementwiseKernel, RawKernel, RawModule, ReductionKernel

_methods.install()
del _name, _target


def __getattr__(name):
    if name in _names.EVERYTHING:
        raise AttributeError(f"CuPy has {name!r}, but gpugrad's stand-in for it does not")
    raise AttributeError(f"module 'cupy' has no attribute {name!r} (cupy stand-in, names of CuPy 14.2)")
