"""Views: what is written into one changes what it was taken from, and all other views of it, as in NumPy and PyTorch.

Arrays are never changed in place where somebody else may hold them, so a view shares no memory that is written into. Instead a
Tensor that was taken by slices, or that ``reshape``, ``flip`` and other functions made by moving elements (``moves`` in
``families.py``), knows the Tensor that it is a view of and the steps from there, and that one knows its views. Where one of them is
given other values, these are put into the Tensor that they all come from, recorded or not, and the others are taken anew.

``x.aliases`` is None for most Tensors; a tuple (root, steps) for a view, each step a key or a function; and a list of weak references
to its views for a root, some of which may be gone. Such a function, called with the Tensor that it was applied to, takes the view
anew; called with the values of a view and that Tensor, it gives that one's values.
"""

from __future__ import annotations

import weakref
from types import FunctionType
from typing import Any

import numpy

from gpugrad.ops.indexing import getitem, put
from gpugrad.ops.transfer import copy
from gpugrad.tape import Leaf, Tensor, alias, forget

_PARTS = frozenset({slice, int, type(None), type(Ellipsis), *(numpy.dtype(code).type for code in "bhilqBHILQ")})


def _is_view(key: Any) -> bool:
    """Whether ``x[key]`` is a view in NumPy, if it has more than one element."""
    return _PARTS.issuperset(map(type, key)) if type(key) is tuple else type(key) in _PARTS


def remember(view: Tensor, source: Tensor, key: Any) -> None:
    """Note that `view` is ``source[key]``, unless that is a copy in NumPy too: a single element, or chosen by arrays."""
    if view.array.shape and _is_view(key):
        alias(view, source, key)


def is_aliased(x: Tensor) -> bool:
    """Whether x is a view, or has views that are alive."""
    if x.aliases and type(x.aliases) is list:
        forget(x.aliases, len(x.aliases))
    return bool(x.aliases)


def root_of(x: Tensor) -> Tensor:
    """The Tensor that x is a view of, or x."""
    return x.aliases[0] if type(x.aliases) is tuple else x


def _taken(x: Any, step: Any) -> Any:
    return step(x) if type(step) is FunctionType else getitem(x, step)


def put_into_root(view: Tensor, values: Tensor) -> Tensor:
    """The values of the Tensor that `view` is a view of, once `view` has `values`."""
    if type(view.aliases) is not tuple:
        return values
    root, steps = view.aliases
    nested: list[Any] = [root]  # what each step was applied to
    for step in steps[:-1]:
        nested.append(_taken(nested[-1], step))
    for step, whole in zip(reversed(steps), reversed(nested), strict=True):
        # In order again, for what is a view of it now should be one later, too.
        values = copy(step(values, whole)) if type(step) is FunctionType else put(whole, values, step)
    return values


def taken_anew(root: Tensor, values: Tensor, written: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The views of `root` that are alive, but for the one written into and leaves, each with what it is once `root` has `values`."""
    anew: list[tuple[Tensor, Tensor]] = []
    for reference in tuple(root.aliases):
        view = reference()
        if view is not None and view.aliases is not None and view is not written and type(view.node) is not Leaf:  # on its own
            anew.append((view, taken(view, values)))
    return anew


def refresh(root: Tensor) -> None:
    """Give the views of `root`, into whose array something else has written, their values."""
    if type(root.aliases) is list and is_aliased(root):  # which forgets the views that are gone
        for view, anew in taken_anew(root, Tensor(root.array), root):
            view.array = anew.array


def part(x: Tensor) -> None:
    """Make x, which goes to another device or dtype, and its views Tensors of their own."""
    for reference in x.aliases if type(x.aliases) is list else ():
        view = reference()
        if view is not None:
            view.aliases = None
    x.aliases = None


def taken(view: Tensor, values: Any) -> Any:
    """What `view` is once the Tensor that it is a view of has `values`; of a raw array, a raw array."""
    for step in view.aliases[1]:
        values = _taken(values, step)
    return values


_latest: weakref.ref[Tensor] | None = None  # the view that was written into, if nothing was written since


def note(x: Tensor) -> None:
    """Note that x was given other values, and what it is a view of with it."""
    global _latest
    _latest = weakref.ref(x) if type(x.aliases) is tuple else None


def is_written(value: Any, target: Tensor, key: Any) -> bool:
    """Whether ``target[key] = value`` has just been done: so Python ends ``target[key] += ...``, after ``value += ...``."""
    global _latest
    latest, _latest = _latest, None
    view = None if latest is None else latest()
    if view is None or value is not view or not _is_view(key):
        return False
    root, steps = view.aliases
    before = target.aliases[1] if type(target.aliases) is tuple else ()
    return root is root_of(target) and bool(steps == (*before, key))
