"""How a NumPy function becomes a function of the stand-in: unwrap the arrays, call NumPy, wrap what comes out."""

import functools
import warnings

import numpy as np
from cupy import standin
from cupy._array import check_devices, ndarray, wrap
from cupy._dtypes import BFLOAT16
from cupy._names import FUNCTIONS, METHODS

# Must know a value to know a shape, so they wait for the GPU (for example _routines_indexing.pyx, _ndarray_argwhere:
# "synchronize!").
READS = frozenset(
    "argwhere bincount compress delete digitize extract flatnonzero histogram intersect1d nonzero percentile place "
    "putmask quantile setdiff1d setxor1d trim_zeros union1d unique unique_all unique_counts unique_inverse "
    "unique_values".split()
)
# NumPy gives a Python number; CuPy a 0-d array, so as not to synchronise (_sorting/count.py, _logic/comparison.py).
GIVES_ARRAY = frozenset("allclose array_equal array_equiv count_nonzero".split())
# Ask for a dtype or a shape only, or turn indices into an array (_routines_indexing.pyx, _take).
TAKES_NUMPY = frozenset("can_cast iscomplexobj isrealobj isscalar ndim result_type shape size take".split())
# CuPy has them as methods too, but the function does more than call the method.
NOT_METHODS = frozenset("choose compress conj conjugate imag real round searchsorted".split())
# Stable whatever is asked (_sorting/sort.py; cupy_thrust.cu calls stable_sort).
STABLE = frozenset(("argsort", "sort"))
# Add up bfloat16 in float and round once (_routines_math.pyx, _sumprod_types; _routines_statistics.pyx, _ndarray_mean).
ACCUMULATES = frozenset(("sum", "prod", "mean"))
# NumPy warns about empty input or all-NaN slices; CuPy never warns about values.
WARNS = (
    "mean",
    "var",
    "std",
    "median",
    "average",
    "nan",
    "poly",
    "percentile",
    "quantile",
    "linalg.",
    "corrcoef",
    "cov",
)

_PYTHON_SCALARS = (bool, int, float, complex)


def unwrap(value, arrays, numpy_allowed=False):
    """The NumPy values within an argument; the stand-in arrays met are appended to `arrays`."""
    if isinstance(value, ndarray):
        arrays.append(value)
        return value._host
    if isinstance(value, np.ndarray) and not numpy_allowed:
        # _scalar.pyx, CScalar.__init__: what is neither an array of CuPy nor a scalar.
        raise TypeError(f"Unsupported type {type(value)}")
    if type(value) in (list, tuple):
        return type(value)(unwrap(item, arrays, numpy_allowed) for item in value)
    return value


def wrap_result(result, arrays, scalars=False):
    """NumPy arrays and scalars become 0-d or n-d stand-in arrays, also inside tuples and lists."""
    if isinstance(result, (np.ndarray, np.generic)) or (scalars and isinstance(result, _PYTHON_SCALARS)):
        return wrap(result, arrays)
    if isinstance(result, (tuple, list)):
        items = [wrap_result(item, arrays) for item in result]
        return items if isinstance(result, list) else tuple(items)
    return result


def _bind(signature, args, kwargs):
    """Raises TypeError where CuPy lacks a parameter NumPy has; passes required ones by place, as names may differ."""
    signature.bind(*args, **kwargs)
    args, kwargs = list(args), dict(kwargs)
    for parameter in list(signature.parameters.values())[len(args) :]:
        if parameter.name in kwargs and parameter.default is parameter.empty and parameter.kind < parameter.VAR_POSITIONAL:
            args.append(kwargs.pop(parameter.name))
    return tuple(args), kwargs


def function(name, target):
    """`cupy.<name>` on top of the NumPy function `target`, with the parameters that real CuPy has."""
    signature = FUNCTIONS.get(name)

    @functools.wraps(target)
    def call(*args, **kwargs):
        if signature is not None:
            args, kwargs = _bind(signature, args, kwargs)
        if name in METHODS - NOT_METHODS and args and not isinstance(args[0], ndarray):
            # Most functions are `return a.method(...)` in CuPy, so lists and scalars fail (_math/sumprod.py, sum).
            raise AttributeError(f"{type(args[0]).__name__!r} object has no attribute {name!r} (cupy stand-in)")
        arrays = []
        host_args = unwrap(args, arrays, name in TAKES_NUMPY)
        host_kwargs = {key: unwrap(value, arrays) for key, value in kwargs.items()}
        check_devices(arrays)
        if name == "take":
            host_kwargs["mode"] = "wrap"  # out of range wraps around (_routines_indexing.pyx, _take_kernel_core)
        if (
            name in ACCUMULATES
            and arrays[0].dtype == BFLOAT16
            and len(host_args) < 3
            and host_kwargs.get("dtype") in (None, BFLOAT16)
        ):
            return call(*args, **{**kwargs, "dtype": np.float32}).astype(BFLOAT16)
        if name in STABLE and len(host_args) < 3:
            host_kwargs["kind"] = "stable"
        if name in READS:
            standin.count_read(name)
        with np.errstate(all="ignore"):
            if name.startswith(WARNS):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", RuntimeWarning)
                    result = target(*host_args, **host_kwargs)
            else:
                result = target(*host_args, **host_kwargs)
        return wrap_result(result, arrays, name in GIVES_ARRAY)

    call.__name__ = call.__qualname__ = name
    return call
