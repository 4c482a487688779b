"""Searching, sorting and sets. Indices and memberships are constants; sorted values carry gradients."""

from __future__ import annotations

from typing import Any, NamedTuple

from array_api_compat import array_namespace

from gpugrad.errors import DTypeError
from gpugrad.families import REGISTRY, A, primitive
from gpugrad.ops.indexing import take, take_along_axis
from gpugrad.tape import Tensor, raw


@primitive(standard=True, x=None)
def argmax(x: Any, /, *, axis: int | None = None, keepdims: bool = False) -> Any:
    """The index of the largest element along `axis` (of the flattened array for None), the first of several. A constant.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.argmax.html
    """
    return array_namespace(x).argmax(x, axis=axis, keepdims=keepdims)


@primitive(standard=True, x=None)
def argmin(x: Any, /, *, axis: int | None = None, keepdims: bool = False) -> Any:
    """The index of the smallest element along `axis` (of the flattened array for None), the first of several. A constant.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.argmin.html
    """
    return array_namespace(x).argmin(x, axis=axis, keepdims=keepdims)


@primitive(standard=True, x=None)
def argsort(x: Any, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Any:
    """The indices that sort x along `axis`. A constant.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.argsort.html
    """
    return array_namespace(x).argsort(x, axis=axis, descending=descending, stable=stable)


def _sort_rule(g: Any, x: Any, axis: int, descending: bool, stable: bool) -> Any:
    order = argsort(raw(x), axis=axis, descending=descending, stable=stable)
    return take_along_axis(g, argsort(order, axis=axis), axis=axis)


@primitive(standard=True, x=_sort_rule)
def sort(x: A, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> A:
    """x sorted along `axis`; each gradient returns to where its element stood.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.sort.html
    """
    return array_namespace(x).sort(x, axis=axis, descending=descending, stable=stable)


@primitive(x1=None, x2=None, sorter=None)
def _searchsorted(x1: Any, x2: Any, sorter: Any, /, side: str) -> Any:
    return array_namespace(x1).searchsorted(x1, x2, side=side, sorter=sorter)


def searchsorted(x1: Any, x2: Any, /, *, side: str = "left", sorter: Any = None) -> Any:
    """Where each element of x2 would be inserted into the sorted 1-d x1: before ("left") or after ("right") equals. A constant.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.searchsorted.html
    """
    return _searchsorted(x1, x2, sorter, side)


REGISTRY["searchsorted"] = searchsorted


def _each(x: Any, name: str) -> Any:
    """A function of the standard that returns several constants, as its named tuple of Tensors (or of arrays, for an array)."""
    array = raw(x)
    if not hasattr(array, "shape"):
        raise DTypeError(f"{name}: got {type(x).__name__}, expected a Tensor or an array")
    out = getattr(array_namespace(array), name)(array)
    return tuple(map(Tensor, out)) if isinstance(x, Tensor) else tuple(out)


def nonzero(x: A, /) -> tuple[A, ...]:
    """The indices of the elements that are not zero, one array per axis. A constant. Waits for the GPU.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.nonzero.html
    """
    out: tuple[A, ...] = _each(x, "nonzero")
    return out


class UniqueAll(NamedTuple):
    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class UniqueCounts(NamedTuple):
    values: Any
    counts: Any


class UniqueInverse(NamedTuple):
    values: Any
    inverse_indices: Any


def unique_all(x: Any, /) -> UniqueAll:
    """The distinct values, the index of the first of each, the index of each element's value, and how often each occurs.

    The values are sorted on NumPy and CuPy and carry gradients, to the first occurrence; the rest are constants.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.unique_all.html
    """
    values, indices, inverse, counts = _each(x, "unique_all")
    return UniqueAll(_values(x, values, indices), indices, inverse, counts)


def unique_counts(x: Any, /) -> UniqueCounts:
    """The distinct values (as :func:`unique_all`) and how often each occurs.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.unique_counts.html
    """
    if isinstance(x, Tensor) and x.node is not None:
        values, _, _, counts = unique_all(x)
        return UniqueCounts(values, counts)
    return UniqueCounts(*_each(x, "unique_counts"))


def unique_inverse(x: Any, /) -> UniqueInverse:
    """The distinct values (as :func:`unique_all`) and the index of each element's value.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.unique_inverse.html
    """
    if isinstance(x, Tensor) and x.node is not None:
        values, _, inverse, _ = unique_all(x)
        return UniqueInverse(values, inverse)
    return UniqueInverse(*_each(x, "unique_inverse"))


def unique_values(x: Any, /) -> Any:
    """The distinct values (as :func:`unique_all`).

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.unique_values.html
    """
    if isinstance(x, Tensor) and x.node is not None:
        return unique_all(x).values
    array = raw(x)
    if not hasattr(array, "shape"):
        raise DTypeError(f"unique_values: got {type(x).__name__}, expected a Tensor or an array")
    out = array_namespace(array).unique_values(array)
    return Tensor(out) if isinstance(x, Tensor) else out


def _values(x: Any, values: Any, indices: Any) -> Any:
    if not isinstance(x, Tensor) or x.node is None:
        return values
    return take(x.reshape((-1,)), indices, axis=0)


@primitive(x1=None, x2=None)
def _isin(x1: Any, x2: Any, /, invert: bool) -> Any:
    found = array_namespace(x1, x2).isin(x1, x2)
    return ~found if invert else found  # array-api-strict 2.6 ignores its own `invert`


def isin(x1: Any, x2: Any, /, *, invert: bool = False) -> Any:
    """Whether each element of x1 occurs in x2; the opposite if `invert`. A constant.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.isin.html
    """
    return _isin(x1, x2, invert)


REGISTRY["isin"] = isin
for _function in (nonzero, unique_all, unique_counts, unique_inverse, unique_values):
    REGISTRY[_function.__name__] = _function
