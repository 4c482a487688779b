"""What holds the memory of a GPU: the largest live tensors, and which op made them or keeps them for the backward pass.

Looked for among all objects of the process when it is asked for, so that it costs nothing before.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from gpugrad.arrays.allocator import in_bytes, workspaces
from gpugrad.arrays.kernels import is_cupy
from gpugrad.tape import Joint, Leaf, Node, Output, Tensor


def largest(device: int, count: int) -> list[str]:
    """The `count` largest arrays that Tensors and graphs hold on a GPU, as text: "64.00 MiB float32 (4096, 4096) made by matmul".

    Among them are the workspaces of libraries: "32.00 MiB cuBLAS workspace".
    """
    found: dict[tuple[int, int], tuple[int, set[str], Any]] = {}
    for reason, op, array in _held():
        if is_cupy(type(array)) and array.device.id == device:
            place = (array.data.ptr, array.nbytes)
            if place not in found or reason < found[place][0]:
                found[place] = (reason, set(), array)
            if reason == found[place][0]:
                found[place][1].add(op)
    sized = [
        (min(array.nbytes, array.data.mem.size), f"{array.dtype} {tuple(array.shape)} {_text(reason, ops)}")
        for reason, ops, array in found.values()
    ]
    sized += [entry for of_library in workspaces for entry in of_library(device)]
    sized.sort(key=lambda entry: -entry[0])
    return [f"{in_bytes(size)} {what}" for size, what in sized[:count]]


# Of several reasons why the same array is held, the first says it best.
_REASONS = (
    "(a parameter)",
    "(a gradient)",
    "made by",
    "saved for backward by",
    "(a constant)",
    "made in a graph that has been freed",
)
_PARAMETER, _GRADIENT, _MADE, _SAVED, _CONSTANT, _FREED = range(len(_REASONS))


def _text(reason: int, ops: set[str]) -> str:
    return f"{_REASONS[reason]} {' and '.join(sorted(ops))}".rstrip()


def _held() -> Iterator[tuple[int, str, Any]]:
    """(reason, op, array) for whatever Tensors and nodes hold."""
    for thing in gc.get_objects():
        if issubclass(type(thing), Tensor):  # isinstance would ask proxies what they are
            yield *_made(getattr(thing, "node", None)), getattr(thing, "array", None)
        elif issubclass(type(thing), Node):
            gradient = getattr(thing, "grad", None)
            if gradient is not None:
                yield _GRADIENT, "", gradient.array
            if isinstance(thing, Joint):
                for array in _within(getattr(thing, "pull", None)):
                    yield _SAVED, getattr(thing, "name", ""), array
            for _, rule, residuals in getattr(thing, "edges", None) or ():
                for array in residuals:
                    yield _SAVED, rule.op, array


def _made(node: Node | None) -> tuple[int, str]:
    if isinstance(node, Leaf):
        return _PARAMETER, ""
    if isinstance(node, Output):
        return _MADE, node.source.name
    if node is not None and node.edges:
        return _MADE, node.edges[0][1].op
    return (_CONSTANT if node is None else _FREED), ""


def _within(thing: Any, depth: int = 3) -> Iterator[Any]:
    """The arrays in what a function or an object holds, and in the containers there."""
    if isinstance(thing, FunctionType):
        inner: Any = gc.get_referents(*(thing.__closure__ or ()))
    elif depth == 3 or isinstance(thing, (list, tuple, dict)):
        inner = gc.get_referents(thing)
    else:
        inner = ()
    for x in inner:
        if is_cupy(type(x)) and hasattr(x, "data"):
            yield x
        elif depth and isinstance(x, (list, tuple, dict)):
            yield from _within(x, depth - 1)
