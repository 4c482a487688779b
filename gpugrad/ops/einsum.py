"""einsum: sums of products over named axes, as a sequence of matrix products."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy

from gpugrad.errors import DTypeError, ShapeError
from gpugrad.families import composite
from gpugrad.ops.contraction import matmul
from gpugrad.ops.elementwise import multiply
from gpugrad.ops.indexing import getitem
from gpugrad.ops.reduction import sum
from gpugrad.ops.shape import permute_dims, reshape

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@composite
def einsum(subscripts: str, /, *operands: Any) -> Any:
    """Sums of products of the operands over named axes: ``einsum("ij,jk->ik", a, b)`` is the matrix product.

    Every letter names an axis; letters that are not in the result are summed over; a letter twice in one operand takes its
    diagonal; ``...`` stands for axes that broadcast. Without ``->`` the result has the letters that occur once, in
    alphabetical order (NumPy's rule). Several operands are contracted in pairs, in the order that ``numpy.einsum_path``
    finds, each pair as one batched matrix product. Complex operands are not conjugated.
    Raises ShapeError if subscripts and shapes do not fit, DTypeError for subscripts that are no string.
    """
    if not isinstance(subscripts, str):
        raise DTypeError(f"einsum: the subscripts are {type(subscripts).__name__}, expected a string such as 'ij,jk->ik'")
    shapes = tuple([tuple(x.shape) for x in operands])
    # The sizes of a trace are not those of another one, though they be equal: they are not kept.
    known = {type(n) for shape in shapes for n in shape} <= {int}
    inputs, output, sizes = (_parse if known else _parse.__wrapped__)(subscripts, shapes)
    terms = [_own_axes(x, labels, inputs, i, output, sizes) for i, (x, labels) in enumerate(zip(operands, inputs, strict=True))]
    for step in _path(tuple([labels for _, labels in terms]), output, sizes):
        chosen = [terms.pop(i) for i in sorted(step, reverse=True)][::-1]
        while len(chosen) > 1:  # a step of more than two is a product that saves nothing by being reordered
            first, second, *others = chosen
            rest = set(output).union(*(labels for _, labels in terms + others))
            chosen = [_contract(*first, *second, rest, sizes), *others]
        terms += chosen
    ((result, labels),) = terms
    missing = [a for a, label in enumerate(labels) if label not in output]
    if missing:
        result = sum(result, axis=tuple(missing))
        labels = "".join(label for label in labels if label in output)
    return _permuted(result, tuple(labels.index(label) for label in output))


@functools.lru_cache(maxsize=1024)
def _parse(subscripts: str, shapes: tuple[tuple[int, ...], ...]) -> tuple[list[str], str, Mapping[str, int]]:
    """One string of letters per operand, one for the result, and the size of each letter; an ellipsis has become letters."""
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    inputs = left.split(",")
    if len(inputs) != len(shapes):
        raise ShapeError(f"einsum: {subscripts!r} names {len(inputs)} operands, but {len(shapes)} were given")
    if any(not (c in _LETTERS or c in ".,->") for c in text):
        raise ShapeError(f"einsum: {subscripts!r} may only contain letters, ',', '...' and '->'")
    free = [c for c in _LETTERS if c not in text]
    longest = 0
    for i, (labels, shape) in enumerate(zip(inputs, shapes, strict=True)):
        named = labels.replace("...", "")
        extra = len(shape) - len(named)
        if "." in named or extra < 0 or (extra and "..." not in labels):
            raise ShapeError(f"einsum: {labels!r} of {subscripts!r} does not fit operand {i} of shape {shape}")
        longest = max(longest, extra if "..." in labels else 0)
    ellipsis = "".join(free[:longest])
    inputs = [
        labels.replace("...", ellipsis[longest - (len(shape) - len(labels.replace("...", ""))) :] if "..." in labels else "")
        for labels, shape in zip(inputs, shapes, strict=True)
    ]
    if arrow:
        output = right.replace("...", ellipsis)
    else:
        every = "".join(inputs)
        output = ellipsis + "".join(sorted(c for c in set(every) - set(ellipsis) if every.count(c) == 1))
    if len(set(output)) != len(output) or not set(output) <= set("".join(inputs)):
        raise ShapeError(
            f"einsum: the result of {subscripts!r} must name each of its axes once, and each must be an axis of an operand"
        )
    return inputs, output, _sizes(subscripts, inputs, shapes)


def _sizes(subscripts: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Mapping[str, int]:
    sizes: dict[str, int] = {}
    for i, (labels, shape) in enumerate(zip(inputs, shapes, strict=True)):
        own: dict[str, int] = {}
        for label, n in zip(labels, shape, strict=True):
            if own.setdefault(label, n) != n:  # a diagonal, which a size of 1 does not broadcast along
                raise ShapeError(
                    f"einsum: in {subscripts!r} axis {label!r} has sizes {own[label]} and {n} in operand {i} of shape {shape}"
                )
            if sizes.get(label, 1) == 1:
                sizes[label] = n
            elif n not in (1, sizes[label]):
                raise ShapeError(f"einsum: in {subscripts!r} axis {label!r} has sizes {sizes[label]} and {n}; shapes {shapes}")
    return sizes


def _own_axes(x: Any, labels: str, inputs: Sequence[str], index: int, output: str, sizes: Mapping[str, int]) -> tuple[Any, str]:
    """An operand with its diagonals taken, axes of size 1 that broadcast dropped, and axes that only it has summed over."""
    while len(set(labels)) < len(labels):
        label = next(c for c in labels if labels.count(c) > 1)
        first, second = [i for i, c in enumerate(labels) if c == label][:2]
        order = (first, second, *(i for i in range(len(labels)) if i not in (first, second)))
        moved = permute_dims(x, order)
        n = moved.shape[0]
        flat = reshape(moved, (n * n, *moved.shape[2:]))
        x = getitem(flat, (slice(None, None, n + 1), ...))  # the diagonal of an n by n matrix is every (n + 1)-th element
        labels = label + "".join(labels[i] for i in order[2:])
    shape = tuple(x.shape)
    narrow = [i for i, c in enumerate(labels) if shape[i] == 1 and sizes[c] != 1]
    if narrow:
        x = reshape(x, tuple(n for i, n in enumerate(shape) if i not in narrow))
        labels = "".join(c for i, c in enumerate(labels) if i not in narrow)
    elsewhere = set(output).union(*(o for j, o in enumerate(inputs) if j != index))
    alone = tuple(i for i, c in enumerate(labels) if c not in elsewhere)
    if alone:
        x = sum(x, axis=alone)
        labels = "".join(c for i, c in enumerate(labels) if i not in alone)
    return x, labels


_UNLIMITED = 2**62
"""Elements of a result on the way. By default NumPy allows no more than operands have, and would rather multiply all of them at once."""


def _path(labels: tuple[str, ...], output: str, sizes: Mapping[str, int]) -> Sequence[tuple[int, ...]]:
    """Which terms to contract in turn."""
    if len(labels) <= 2:
        return [tuple(range(len(labels)))]
    return _searched(labels, output, tuple([tuple([sizes[c] for c in term]) for term in labels]))


@functools.lru_cache(maxsize=1024)
def _searched(labels: tuple[str, ...], output: str, shapes: tuple[tuple[int, ...], ...]) -> Sequence[tuple[int, ...]]:
    """The same for three and more terms of these shapes."""
    present = set("".join(labels))
    subscripts = ",".join(labels) + "->" + "".join(c for c in output if c in present)
    stands = [numpy.broadcast_to(numpy.empty(()), shape) for shape in shapes]
    path, _ = numpy.einsum_path(subscripts, *stands, optimize=("greedy", _UNLIMITED))
    return list(path[1:])


def _contract(x: Any, x_labels: str, y: Any, y_labels: str, rest: set[str], sizes: Mapping[str, int]) -> tuple[Any, str]:
    """Two terms as one batched matrix product, keeping the axes that `rest` names."""
    if set(x_labels) < set(y_labels):  # not a row times a matrix: then the gradient of the matrix would lie transposed
        x, x_labels, y, y_labels = y, y_labels, x, x_labels
    batch = [c for c in x_labels if c in y_labels and c in rest]
    inner = [c for c in x_labels if c in y_labels and c not in rest]
    left = [c for c in x_labels if c not in y_labels]
    right = [c for c in y_labels if c not in x_labels]
    labels = "".join(batch + left + right)

    def arranged(z: Any, z_labels: str, order: list[str], shape: list[int]) -> Any:
        return _reshaped(_permuted(z, tuple([z_labels.index(c) for c in order])), (*head, *shape))

    def size(names: list[str]) -> list[int]:
        return [sizes[c] for c in names]

    # The axes of the batch stay apart, and those of a group keep the order they have in x: reshapes are views where that is possible.
    head, full = size(batch), tuple(sizes[c] for c in labels)
    if not inner:  # an outer or elementwise product: no sum, so no matrix product
        a = arranged(x, x_labels, batch + left, size(left) + [1] * len(right))
        return _reshaped(multiply(a, arranged(y, y_labels, batch + right, [1] * len(left) + size(right))), full), labels
    n, k, m = math.prod(size(left)), math.prod(size(inner)), math.prod(size(right))
    a, b = arranged(x, x_labels, batch + left + inner, [n, k]), arranged(y, y_labels, batch + inner + right, [k, m])
    return _reshaped(matmul(a, b), full), labels


def _permuted(x: Any, order: tuple[int, ...]) -> Any:
    """x with its axes in this order, itself if they are: an op less to record."""
    return x if order == tuple(range(len(order))) else permute_dims(x, order)


def _reshaped(x: Any, shape: tuple[int, ...]) -> Any:
    """x in this shape, itself if it has that."""
    return x if tuple(x.shape) == shape else reshape(x, shape)
