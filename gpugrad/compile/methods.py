"""The methods that NumPy's arrays have, for Symbols: each with NumPy's signature, as a call of the standard's function.

So ``x.sum(0)`` and ``numpy.sum(x, axis=0)``, which calls the method, are traced as ``gg.sum(x, axis=0)`` is.
"""

from __future__ import annotations

from typing import Any


class Methods:
    """What a Symbol inherits: methods in terms of ``__array_namespace__``."""

    __slots__ = ()

    shape: Any
    ndim: Any
    trace: Any

    @property
    def T(self) -> Any:
        """All axes in reverse."""
        return self.transpose()

    @property
    def mT(self) -> Any:
        """The last two axes swapped."""
        return _functions(self).matrix_transpose(self)

    # Reductions ------------------------------------------------------------------------------------------------------

    def sum(self, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False) -> Any:
        return _functions(self, out).sum(self, axis=axis, dtype=dtype, keepdims=keepdims)

    def prod(self, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False) -> Any:
        return _functions(self, out).prod(self, axis=axis, dtype=dtype, keepdims=keepdims)

    def max(self, axis: Any = None, out: None = None, keepdims: bool = False) -> Any:
        return _functions(self, out).max(self, axis=axis, keepdims=keepdims)

    def min(self, axis: Any = None, out: None = None, keepdims: bool = False) -> Any:
        return _functions(self, out).min(self, axis=axis, keepdims=keepdims)

    def all(self, axis: Any = None, out: None = None, keepdims: bool = False) -> Any:
        return _functions(self, out).all(self, axis=axis, keepdims=keepdims)

    def any(self, axis: Any = None, out: None = None, keepdims: bool = False) -> Any:
        return _functions(self, out).any(self, axis=axis, keepdims=keepdims)

    def argmax(self, axis: Any = None, out: None = None, *, keepdims: bool = False) -> Any:
        return _functions(self, out).argmax(self, axis=axis, keepdims=keepdims)

    def argmin(self, axis: Any = None, out: None = None, *, keepdims: bool = False) -> Any:
        return _functions(self, out).argmin(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False) -> Any:
        return _functions(self, out).mean(_in(self, dtype), axis=axis, keepdims=keepdims)

    def var(self, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: bool = False) -> Any:
        return _functions(self, out).var(_in(self, dtype), axis=axis, correction=ddof, keepdims=keepdims)

    def std(self, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: bool = False) -> Any:
        return _functions(self, out).std(_in(self, dtype), axis=axis, correction=ddof, keepdims=keepdims)

    # Shapes ----------------------------------------------------------------------------------------------------------

    def reshape(self, *shape: Any, order: str | None = "C", copy: Any = None) -> Any:
        return _functions(self, order=order).reshape(self, _one_tuple(shape))

    def ravel(self, order: str | None = "C") -> Any:
        return _functions(self, order=order).reshape(self, (-1,))

    def flatten(self, order: str | None = "C") -> Any:
        return _functions(self, order=order).reshape(self, (-1,))

    def transpose(self, *axes: Any) -> Any:
        given = axes[0] if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))) else axes
        return _functions(self).permute_dims(self, tuple(given) if given else tuple(range(self.ndim))[::-1])

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        order = list(range(self.ndim))
        order[axis1], order[axis2] = order[axis2], order[axis1]
        return _functions(self).permute_dims(self, tuple(order))

    def squeeze(self, axis: Any = None) -> Any:
        ones = tuple(i for i, n in enumerate(self.shape) if n == 1) if axis is None else axis
        return _functions(self).squeeze(self, ones)

    # Elements --------------------------------------------------------------------------------------------------------

    def astype(self, dtype: Any, order: str = "K", casting: str = "unsafe", subok: bool = True, copy: bool = True) -> Any:
        return _functions(self).astype(self, dtype)

    def copy(self, order: str = "C") -> Any:
        return _functions(self).positive(self)

    def clip(self, min: Any = None, max: Any = None, out: None = None) -> Any:
        return _functions(self, out).clip(self, min, max)

    def round(self, decimals: int = 0, out: None = None) -> Any:
        if decimals:
            raise self.trace.fail(f"round() to {decimals} decimals was called", "scale the array and round to integers")
        return _functions(self, out).round(self)

    def conj(self) -> Any:
        return _functions(self).conj(self)

    def to_device(self, device: Any, /, stream: Any = None) -> Any:
        return self


def _functions(x: Any, out: Any = None, order: str | None = "C") -> Any:
    """The namespace of a Symbol. Raises TracingError for what only arrays in memory have."""
    if out is not None:
        raise x.trace.fail("a result was written to an array with out=", "use the array that is returned")
    if order not in ("C", "A", "K", None):
        raise x.trace.fail(f"elements were asked for in order {order!r}", 'only order "C" can be traced')
    return x.__array_namespace__()


def _in(x: Any, dtype: Any) -> Any:
    return x if dtype is None else _functions(x).astype(x, dtype)


def _one_tuple(given: tuple[Any, ...]) -> Any:
    """What ``f(2, 3)``, ``f((2, 3))`` and ``f(6)`` ask for."""
    return given[0] if len(given) == 1 else given
