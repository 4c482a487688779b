"""Views that are written into: ``row = x[0]; row += 1`` changes x, as in NumPy and PyTorch, recorded or not.

Arrays are never changed in place where somebody else may hold them, so a view is no memory that is shared. Instead a Tensor that was
taken by slices remembers from which Tensors, and by which keys; when it is given other values, these are put into them, and
the gradient passes. Only what is still alive is updated, and only what the view was taken from: other views of it, taken
before, keep the values that they had until they are indexed or written into. Then they are brought up to date first, so that no write
undoes another.
"""

from __future__ import annotations

import weakref
from typing import Any, cast

import numpy

from gpugrad.ops.indexing import getitem, put
from gpugrad.tape import Tensor

_PARTS = frozenset({slice, int, type(None), type(Ellipsis), *(numpy.dtype(code).type for code in "bhilqBHILQ")})


def _is_view(key: Any) -> bool:
    """Whether ``x[key]`` is a view in NumPy, if it has more than one element."""
    return _PARTS.issuperset(map(type, key)) if type(key) is tuple else type(key) in _PARTS


def remember(view: Tensor, source: Tensor, key: Any) -> None:
    """Note that `view` is ``source[key]``, unless that is a copy in NumPy too: a single element, or chosen by arrays."""
    if view.array.shape and _is_view(key):
        view.origin = (*(source.origin or ()), (weakref.ref(source), key, source.array))


def current(view: Tensor) -> Tensor | None:
    """`view` taken anew, if what it was taken from has changed since; else None."""
    path = iter(view.origin or ())
    for reference, key, array in path:
        source = reference()
        if source is not None:
            if source.array is array:
                return None
            out = getitem(source, key)
            for _, inner, _ in path:
                out = getitem(out, inner)
            return cast(Tensor, out)
    return None


def synchronized(view: Tensor) -> None:
    """Note that `view` has the values of what it was taken from."""
    sources = ((reference(), reference, key, array) for reference, key, array in view.origin or ())
    view.origin = tuple((ref, key, array if source is None else source.array) for source, ref, key, array in sources)


def written(view: Tensor, values: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The Tensors that `view` was taken from and that are still alive, each with its new values, once `view` has `values`."""
    sources = [(reference(), key) for reference, key, _ in view.origin or ()]
    while sources and sources[0][0] is None:
        del sources[0]
    if not sources:
        return []
    nested: list[Any] = [sources[0][0]]  # what each key was applied to, from the oldest that is alive on
    for _, key in sources[:-1]:
        nested.append(getitem(nested[-1], key))
    updated = []
    for (source, key), whole in zip(reversed(sources), reversed(nested), strict=True):
        values = put(whole, values, key)
        if source is not None:
            updated.append((source, values))
    return updated


_latest: weakref.ref[Tensor] | None = None  # the view that was written into, if nothing was written since


def note(x: Tensor) -> None:
    """Note that x was given other values, and what it is a view of with it."""
    global _latest
    _latest = None if x.origin is None else weakref.ref(x)


def is_written(value: Any, target: Tensor, key: Any) -> bool:
    """Whether ``target[key] = value`` has just been done: so Python ends ``target[key] += ...``, after ``value += ...``."""
    global _latest
    latest, _latest = _latest, None
    view = None if latest is None else latest()
    if view is None or value is not view or view.origin is None or not _is_view(key):
        return False
    reference, taken, _ = view.origin[-1]
    return reference() is target and bool(taken == key)
