"""Universal functions with CuPy's rules for arguments, on top of NumPy's."""

import numpy as np
from cupy._array import check_devices, ndarray, wrap
from cupy._dtypes import BFLOAT16, SCALARS

# Which ufuncs have an `at` (_core/_routines_math.pyx and others, create_ufunc(scatter_op=...)).
SCATTERS = frozenset("add subtract maximum minimum bitwise_and bitwise_or bitwise_xor".split())
REDUCES = {"add": ("sum", "cumsum"), "multiply": ("prod", "cumprod")}


def host(value):
    """The NumPy side of one operand. Exact scalar types only (_scalar.pyx, CScalar.__init__ and scalar_type_set)."""
    if isinstance(value, ndarray):
        return value._host
    if type(value) in SCALARS:
        return value
    raise TypeError(f"Unsupported type {type(value)}")


class ufunc:
    """A function applied element by element."""

    def __init__(self, target):
        """`target` is the NumPy ufunc that does the work."""
        self._target = target
        self.__name__ = target.__name__
        self.name = f"cupy_{target.__name__}"
        self.nin, self.nout, self.nargs = target.nin, target.nout, target.nargs

    def __repr__(self):
        return f"<ufunc {self.name!r}>"

    def __call__(self, *args, out=None, dtype=None, casting="same_kind", **kwargs):
        """Only `out`, `dtype` and `casting` exist: no `where=` (_kernel.pyx, ufunc.__call__)."""
        if kwargs:
            raise TypeError(f"Wrong arguments {kwargs}")
        if not self.nin <= len(args) <= self.nargs:
            raise TypeError(f"Wrong number of arguments for {self.name!r}.")
        outs = args[self.nin :] or (out if isinstance(out, tuple) else (out,) * (out is not None))
        for given in outs:
            if given is not None and not isinstance(given, ndarray):
                raise TypeError("Output arguments type must be cupy.ndarray")
        inputs = args[: self.nin]
        check_devices([x for x in (*inputs, *outs) if isinstance(x, ndarray)])
        options = {"casting": casting}
        if dtype is not None:
            options["dtype"] = np.dtype(dtype)
        if outs:
            options["out"] = tuple(None if x is None else x._host for x in outs)
            for x in outs:
                if x is not None:
                    x._memory.write()
        with np.errstate(all="ignore"):  # the GPU gives inf and nan in silence
            results = self._target(*map(host, inputs), **options)
        if self.nout == 1:
            results = (results,)
        results = tuple(wrap(r, [x for x in outs if x is not None]) for r in results)
        return results[0] if self.nout == 1 else results

    def outer(self, A, B, **kwargs):
        """All pairs of elements."""
        return self(A.reshape(A.shape + (1,) * B.ndim), B.reshape((1,) * A.ndim + B.shape), **kwargs)

    def at(self, a, indices, b=None):
        """Apply in place at indices, counting repeated ones (_kernel.pyx, ufunc.at)."""
        if self.__name__ not in SCATTERS:
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        a._scatter(indices, b, self.__name__)

    def _method(self, position, name, array, axis, dtype, out, **kwargs):
        # _kernel.pyx, ufunc.reduce and ufunc.accumulate: add and multiply only.
        if self.__name__ not in REDUCES:
            raise NotImplementedError(f"`{self.name}.{name}` is not supported yet")
        return getattr(array, REDUCES[self.__name__][position])(axis=axis, dtype=dtype, out=out, **kwargs)

    def reduce(self, array, axis=0, dtype=None, out=None, keepdims=False):
        """Sum or product."""
        return self._method(0, "reduce", array, axis, dtype, out, keepdims=keepdims)

    def accumulate(self, array, axis=0, dtype=None, out=None):
        """Cumulative sum or product."""
        return self._method(1, "accumulate", array, axis, dtype, out)

    def reduceat(self, array, indices, axis=0, dtype=None, out=None):
        """Left out of the stand-in."""
        raise NotImplementedError(f"`{self.name}.reduceat` is not in the cupy stand-in")


class matmul(ufunc):
    """Matrix products: a generalised ufunc in CuPy (_core/_gufuncs.py), with cuBLAS's limits."""

    def __call__(self, a, b, out=None, **kwargs):
        """bfloat16 is computed in float32 and stays bfloat16 (NumPy would give float32)."""
        if BFLOAT16 not in (getattr(a, "dtype", None), getattr(b, "dtype", None)):
            return super().__call__(a, b, out=out, **kwargs)
        if max(a.ndim, b.ndim) > 2:
            # _routines_linalg.pyx, matmul: a dtype outside "efdFD" goes to the kernel for integers, which has no
            # bfloat16. What is raised there is [not verified on a GPU].
            raise TypeError("bfloat16 matmul of more than 2 dimensions fails in CuPy 14.2 (pull request #10317)")
        product = super().__call__(a.astype(np.float32), b.astype(np.float32), **kwargs)
        product = product.astype(np.promote_types(a.dtype, b.dtype))
        if out is None:
            return product
        out[...] = product
        return out
