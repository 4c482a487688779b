"""Nested containers of arrays: dicts, lists, tuples and namedtuples, taken apart into leaves and put together again."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

Tree = Any
"""A leaf, or a dict, list, tuple or namedtuple of trees."""


def leaves(tree: Tree) -> list[Any]:
    """The leaves of `tree`, in order: dicts by insertion, sequences by position. None is a leaf."""
    if isinstance(tree, dict):
        return [leaf for value in tree.values() for leaf in leaves(value)]
    if isinstance(tree, (list, tuple)):
        return [leaf for value in tree for leaf in leaves(value)]
    return [tree]


def rebuild(tree: Tree, new_leaves: Iterator[Any]) -> Tree:
    """A tree of the same structure as `tree`, its leaves taken from `new_leaves` in order."""
    if isinstance(tree, dict):
        out = copy.copy(tree)  # keeps the type and what it carries, such as the factory of a defaultdict
        for key, value in tree.items():
            out[key] = rebuild(value, new_leaves)
        return out
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(rebuild(value, new_leaves) for value in tree))
    if isinstance(tree, (list, tuple)):
        return type(tree)(rebuild(value, new_leaves) for value in tree)
    return next(new_leaves)


def map_leaves(function: Callable[[Any], Any], tree: Tree) -> Tree:
    """`function` of every leaf, in the structure of `tree`."""
    return rebuild(tree, map(function, leaves(tree)))


def present(tree: Tree) -> list[Any]:
    """The leaves of `tree` that are not None, in order."""
    return [leaf for leaf in leaves(tree) if leaf is not None]


def refill(tree: Tree, new_leaves: Iterator[Any]) -> Tree:
    """As :func:`rebuild`, but None stays None and takes no new leaf."""
    return map_leaves(lambda leaf: None if leaf is None else next(new_leaves), tree)


def aligned(like: Tree, tree: Tree) -> list[Any]:
    """The leaves of `tree` in the order of those of `like`, which has the same structure: dicts may be filled in any order."""
    if isinstance(like, dict):
        return [leaf for key, value in like.items() for leaf in aligned(value, tree[key])]
    if isinstance(like, (list, tuple)):
        return [leaf for one, other in zip(like, tree, strict=True) for leaf in aligned(one, other)]
    return [tree]


def same_structure(one: Tree, other: Tree) -> bool:
    """Whether two trees nest alike, whatever their leaves."""
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(same_structure(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return isinstance(other, (list, tuple)) and len(one) == len(other) and all(map(same_structure, one, other))
    return not isinstance(other, (dict, list, tuple))
