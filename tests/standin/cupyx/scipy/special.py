"""`cupyx.scipy.special`: SciPy's functions, under the names and with the loops that CuPy's have (see ../../record_names.py)."""

import numpy as np
import scipy.special
from cupy import _calls, _names
from cupy._array import check_devices, ndarray, wrap
from cupy._ufunc import host

_WEAK = (bool, int, float, complex)


class ufunc:
    """A function applied element by element, by the first loop that holds its operands (_kernel.pyx, _guess_routine_from_in_types)."""

    def __init__(self, name, target, types):
        """`target` is SciPy's function; `types` are CuPy's loops: `ff->f`, `dd->d`."""
        self.__name__, self.name, self._target, self.types = name, f"cupyx_scipy_special_{name}", target, types
        self.nin = len(types[0].partition("->")[0])

    def __call__(self, *args):
        """`out`, `dtype` and `casting` are left out."""
        if len(args) != self.nin:
            raise TypeError(f"Wrong number of arguments for {self.name!r}.")
        values = [host(x) for x in args]
        arrays = [x for x in args if isinstance(x, ndarray)]
        check_devices(arrays)
        loop = next((loop for loop in self.types if all(map(_fits, values, loop))), None)
        if loop is None:
            raise TypeError(f"Wrong type ({tuple(map(np.result_type, values))}) of arguments for {self.name}")
        taken, _, given = loop.partition("->")
        with np.errstate(all="ignore"):  # the GPU gives inf and nan in silence
            results = self._target(*(np.asarray(x, t)[()] for x, t in zip(values, taken, strict=True)))
        results = results if isinstance(results, tuple) else (results,)
        results = tuple(wrap(np.asarray(r, t)) for r, t in zip(results, given, strict=True))
        return results[0] if len(results) == 1 else results


def _fits(value, loop_type):
    if loop_type == "E":  # complex numbers of 2 x 16 bits, which no array has
        return False
    if type(value) in _WEAK:
        return np.result_type(value, np.dtype(loop_type)) == np.dtype(loop_type)
    return np.can_cast(value.dtype, loop_type)


def __getattr__(name):
    has = f"cupyx.scipy.special.{name}" in _names.EVERYTHING
    said = (
        f"CuPy has {name!r}, but gpugrad's stand-in for it does not" if has else f"no attribute {name!r} (names of CuPy 14.2)"
    )
    raise AttributeError(f"module 'cupyx.scipy.special' (cupy stand-in): {said}")


for _full in (*_names.UFUNCS, *_names.FUNCTIONS):
    _package, _, _name = _full.rpartition(".")
    if _package == __name__ and hasattr(scipy.special, _name):
        _target = getattr(scipy.special, _name)
        _ufunc = _full in _names.UFUNCS
        globals()[_name] = ufunc(_name, _target, _names.UFUNCS[_full]) if _ufunc else _calls.function(_full, _target)
