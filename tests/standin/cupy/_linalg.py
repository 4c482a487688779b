"""`cupy.linalg`, `cupy.fft` and `cupy.random`: the functions real CuPy has, by NumPy."""

import sys
import threading
import types

import cupy
import numpy as np
from cupy import standin
from cupy._calls import function
from cupy._names import FUNCTIONS

_checks = threading.local()


def checking():
    """ "ignore" by default: cuSOLVER's status is not looked at (cupyx/_ufunc_config.py, get_config_linalg)."""
    return getattr(_checks, "linalg", "ignore")


def set_checking(mode):
    """Set by `cupyx.errstate(linalg=...)`."""
    _checks.linalg = mode


def _unchecked(name, target):
    """Without the check, a singular or indefinite matrix gives garbage in silence; NaN here. With it, a host read."""

    def call(a, *args, **kwargs):
        if checking() == "raise":
            standin.count_read(f"linalg.{name}")
        try:
            return target(a, *args, **kwargs)
        except np.linalg.LinAlgError as error:
            if checking() == "raise" or "Last" in str(error) or "square" in str(error):
                raise
            return np.full_like(args[0] if name == "solve" else a, np.nan)

    return call


def _complex(target):
    """Eigenvalues of a real matrix are complex even if all are real (linalg/_eigenvalue.py, _geev), save where there are none."""

    def call(a):
        out = target(a)
        parts = [
            x.astype(np.promote_types(x.dtype, np.complex64)) if x.size else x
            for x in (out if isinstance(out, tuple) else [out])
        ]
        return parts[0] if len(parts) == 1 else tuple(parts)

    return call


def _without_empty(target):
    """Over several axes, which it transforms at once, CuPy refuses arrays without elements (fft/_fft.py, _fftn)."""

    def call(a, s=None, axes=None, norm=None):
        if np.size(a) == 0 and len(axes if axes is not None else s or np.shape(a)) > 1:
            raise ValueError("Invalid number of FFT data points (0) specified.")
        return target(a, s=s, axes=axes, norm=norm)

    return call


def _complex(target):
    """Eigenvalues of a general matrix are complex, also where NumPy finds all of them real (linalg/_eigenvalue.py, _geev)."""

    def call(a):
        a = np.asarray(a)
        return target(a.astype(np.result_type(a.dtype, np.complex64), copy=False))

    return call


def module(name, source):
    """A module with the functions of `source` that real CuPy has under `name`."""
    made = types.ModuleType(f"cupy.{name}", f"`numpy.{name}` for stand-in arrays.")
    for dotted in FUNCTIONS:
        place, _, short = dotted.rpartition(".")
        target = getattr(source, short, None)
        if place == name and target is not None:
            if dotted in ("linalg.solve", "linalg.inv", "linalg.cholesky"):
                target = _unchecked(short, target)
            if dotted in ("linalg.eig", "linalg.eigvals"):
                target = _complex(target)
            if dotted in ("fft.fftn", "fft.ifftn", "fft.rfftn", "fft.irfftn"):
                target = _without_empty(target)
            if dotted in ("linalg.eig", "linalg.eigvals"):
                target = _complex(target)
            setattr(made, short, function(dotted, target))
    sys.modules[made.__name__] = made
    return made


def random_module():
    """A few functions of `cupy.random`. The numbers are NumPy's: no seed gives the same ones as on a GPU."""
    made = types.ModuleType("cupy.random", random_module.__doc__)
    state = np.random.RandomState(0)

    def sampler(name):
        def sample(*args, dtype=None, **kwargs):
            with np.errstate(all="ignore"):
                host = np.asarray(getattr(state, name)(*args, **kwargs))
            return cupy.array(host, dtype=dtype)

        return sample

    for name in ("rand", "randn", "random", "random_sample", "uniform", "normal", "standard_normal", "randint"):
        setattr(made, name, sampler(name))
    made.permutation = lambda n: cupy.array(state.permutation(n))
    made.seed = state.seed
    sys.modules[made.__name__] = made
    return made
