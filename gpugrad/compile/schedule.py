"""From a graph to kernels: what is computed together, in which loops, and what has to be stored in between.

Every kernel loops over a *space*, the axes of the largest arrays in it. Some of them may be *reduced*; the others are *kept* and
run in parallel. For each place on the kept axes a kernel makes one pass over the reduced ones for each level of reductions that
depend on one another, and a last one for what has the shape of the whole space::

    softmax(x, 1) of x: float32[s0, s1]      space (s0, s1), reduced (s1):
        for i in s0:  m = max over j of x[i, j];  s = sum over j of exp(x[i, j] - m);  y[i, j] = exp(x[i, j] - m) / s

One kernel computes all that has one space and the same reduced axes and does not need what another kernel must finish first.
What does not fit is stored: a reduction over other axes, what a call such as matmul takes and returns. Of a reduction whose
operand holds another that does not fit, the smaller is stored, the operand or the inner reduction: few bytes are moved.
Elementwise nodes are stored only where they are results: recomputing them costs less than a trip to memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gpugrad.compile.graph import LEAVES, Node, Shape, shape_key
from gpugrad.compile.sizes import Polynomial, same, value


class Space(NamedTuple):
    """The axes that a kernel loops over, without those of size 1, and which of them are reduced."""

    sizes: tuple[Polynomial, ...]
    reduced: tuple[bool, ...]

    @property
    def kept_sizes(self) -> tuple[Polynomial, ...]:
        return tuple(n for n, r in zip(self.sizes, self.reduced, strict=True) if not r)


@dataclass
class Kernel:
    """Results that are computed together. `roots` are stored, each in its shape."""

    space: Space
    shape: Shape  # of the space, as sizes
    level: int
    roots: list[Node] = field(default_factory=list)


@dataclass
class Call:
    """A function outside the kernels, on stored arrays."""

    node: Node
    level: int


class _Other:
    """An index that is no axis of the space as it is: a computed one, or part of an axis."""


OTHER = _Other()
Index = tuple[Any, ...]  # of axis numbers, OTHER, and None for axes of size 1


def schedule(outputs: Sequence[Node]) -> list[Kernel | Call]:
    """What to run, in order, so that `outputs` are stored."""
    return _Schedule(outputs).steps()


class _Schedule:
    def __init__(self, outputs: Sequence[Node]) -> None:
        self.spaces: dict[int, tuple[Space, Shape]] = {}
        self.stored: dict[int, Node] = {}
        for node in outputs:
            self._store(node)
        self._settle()

    def _store(self, node: Node) -> bool:
        """Note that a node must be stored. Returns whether that is new."""
        if node.op == "input" or node.number in self.stored:
            return False
        self.stored[node.number] = node
        if node.op == "call":
            for x in node.inputs:
                self._store(untransposed(x))
        return True

    def _settle(self) -> None:
        """Store what does not fit, until all that is left fits."""
        for call in [x for root in list(self.stored.values()) for x in _calls_below(root)]:
            self._store(call)
        changed = True
        while changed:
            changed = False
            for number in sorted(self.stored):
                root = self.stored[number]
                if root.op != "call":
                    for node in list(self._misfits(root)):
                        changed |= self._store(node)

    # Fitting ---------------------------------------------------------------------------------------------------------

    def space_of(self, root: Node) -> tuple[Space, Shape]:
        """The space of a kernel that computes `root`, if nothing below it is stored: that of the largest reduction that fits."""
        if root.number in self.spaces:
            return self.spaces[root.number]
        if root.op == "reduce":
            best = reduction_space(root)
        else:
            shape = _long(root.shape)
            best, size = (Space(shape_key(shape), (False,) * len(shape)), shape), -1
            for node, index in walk(root, lambda node: False):
                if node.op != "reduce":
                    continue
                found = _embedded(node, index, shape)
                # A whole array that waits for one number is better cut in two: the first kernel can then run in parallel.
                if found is not None and not (shape and all(found[0].reduced)) and _bytes(node.inputs[0]) > size:
                    best, size = found, _bytes(node.inputs[0])
        self.spaces[root.number] = best
        return best

    def _loaded(self, space: Space) -> Callable[[Node], bool]:
        """Whether a kernel of this space reads a node from memory rather than computing it."""
        return lambda node: node.number in self.stored and self.space_of(node)[0] != space

    def _misfits(self, root: Node) -> Iterator[Node]:
        """What must be stored for `root` to be computed in one kernel."""
        space, _ = self.space_of(root)
        if root.op == "reduce":
            yield from self._operand_misfits(root, space)
            return
        shape = _long(root.shape)
        for node, index in walk(root, self._loaded(space)):
            if node.op != "reduce" or self._loaded(space)(node):
                continue
            found = _embedded(node, index, shape)
            if found is None or found[0] != space:
                yield node
            else:
                yield from self._operand_misfits(node, space)

    def _operand_misfits(self, reduction: Node, space: Space) -> Iterator[Node]:
        operand = reduction.inputs[0]
        loaded = self._loaded(space)
        if loaded(operand):
            return
        misfits = []
        for node, index in walk(operand, loaded):
            if node.op == "reduce" and not loaded(node):
                # A kernel that reduces all axes runs in parallel over them: none of its passes can wait for another.
                if _fits(node, index, space) and not all(space.reduced):
                    yield from self._operand_misfits(node, space)
                else:
                    misfits.append(node)
        if misfits and operand.op != "reduce" and _bytes(operand) <= sum(map(_bytes, misfits)):
            yield operand
        else:
            yield from misfits

    # Steps -----------------------------------------------------------------------------------------------------------

    def steps(self) -> list[Kernel | Call]:
        levels: dict[int, int] = {}
        latest: dict[int, int] = {}  # the last level at which a result is in time for all that need it
        kernels: dict[tuple[Space, int], Kernel] = {}
        steps: list[Kernel | Call] = []
        for number in sorted(self.stored):
            root = self.stored[number]
            if root.op == "call":
                needs = [(x, False) for x in map(untransposed, root.inputs) if x.number in levels]
            else:
                space, shape = self.space_of(root)
                needs = list(self._needs(root, space))
            level = levels[number] = max((levels[node.number] + (not together) for node, together in needs), default=0)
            for node, together in needs:
                latest[node.number] = min(latest.get(node.number, level), level - (not together))
            if root.op == "call":
                steps.append(Call(root, level))
                continue
            kernel = kernels.get((space, level))
            if kernel is None:
                kernel = kernels[space, level] = Kernel(space, shape, level)
                steps.append(kernel)
            kernel.roots.append(root)
        # A kernel that nobody waits for joins a later one of its space, which may read the same arrays.
        for (space, level), kernel in sorted(kernels.items(), key=lambda item: item[0][1]):
            until = min(latest.get(root.number, len(steps)) for root in kernel.roots)
            later = next((kernels[space, n] for n in range(level + 1, until + 1) if (space, n) in kernels), None)
            if later is not None:
                later.roots = sorted(kernel.roots + later.roots, key=lambda root: root.number)
                steps.remove(kernel)
        return sorted(steps, key=lambda step: step.level)

    def _needs(self, root: Node, space: Space) -> Iterator[tuple[Node, bool]]:
        """The stored nodes that `root` needs, each with whether one kernel can compute both."""
        loaded = self._loaded(space)
        waiting = [(root, len(_long(root.shape)))] if root.op != "reduce" else [(root.inputs[0], len(space.sizes))]
        seen: set[int] = set()
        while waiting:
            top, axes = waiting.pop()
            if top.number in seen:
                continue
            seen.add(top.number)
            for node, index in walk(top, loaded):
                if node.number in self.stored and node is not root:
                    yield node, not loaded(node) and node.op != "call" and _in_place(node, index, space, axes)
                if node.op == "reduce" and not loaded(node):
                    waiting.append((node.inputs[0], len(space.sizes)))


def untransposed(x: Node) -> Node:
    """What a call reads: a transposed view costs it nothing, another array would have to be written."""
    while x.op == "permute":
        (x,) = x.inputs
    return x


def walk(root: Node, ends: Callable[[Node], bool]) -> Iterator[tuple[Node, Index]]:
    """Every node below `root`, with its index in terms of the axes of `root`, down to reductions, calls and where `ends` says so."""
    axes = iter(range(len(root.shape)))
    start = tuple(None if same(n, 1) else next(axes) for n in root.shape)
    waiting: list[tuple[Node, Index]] = [(root, start)]
    seen: set[tuple[int, Index]] = set()
    while waiting:
        node, index = waiting.pop()
        if (node.number, index) not in seen:
            seen.add((node.number, index))
            yield node, index
            if not (node.op in LEAVES or node.op in ("reduce", "call") or ends(node)):
                waiting += zip(node.inputs, operand_indices(node, index), strict=True)


def _in_place(node: Node, index: Index, space: Space, axes: int) -> bool:
    """Whether `index`, in terms of the whole space or of its kept axes, is where a kernel of the space computes `node`."""
    plain = tuple(i for i in index if i is not None)
    if axes < len(space.sizes) or not any(space.reduced):
        return plain == tuple(range(axes))
    if all(space.reduced):
        return False  # runs in parallel over its axes: no place can wait for what all of them give
    kept = tuple(i for i, r in enumerate(space.reduced) if not r)
    return plain == tuple(range(axes)) or (plain == kept and shape_key(_long(node.shape)) == space.kept_sizes)


def reduction_space(node: Node) -> tuple[Space, Shape]:
    """The space of a reduction: its operand's axes, which has none of size 1 (see ``Graph.reduce``)."""
    shape = node.inputs[0].shape
    axes = node.attributes[1]
    return Space(shape_key(shape), tuple(i in axes for i in range(len(shape)))), shape


def _embedded(node: Node, index: Index, shape: Shape) -> tuple[Space, Shape] | None:
    """The space in which a reduction with this index serves elements of an array of `shape` (without axes of size 1), if any."""
    space, whole = reduction_space(node)
    plain = tuple(i for i in index if i is not None)
    kept = tuple(i for i, r in enumerate(space.reduced) if not r)
    if shape_key(shape) == space.sizes and plain == kept:
        return space, whole  # broadcast back
    if shape_key(shape) == space.kept_sizes and plain == tuple(range(len(shape))):
        return space, whole  # of the shape of the kept axes itself
    return None


def _fits(node: Node, index: Index, space: Space) -> bool:
    """Whether a reduction demanded in the whole space can be computed in that kernel."""
    own, _ = reduction_space(node)
    kept = tuple(i for i, r in enumerate(space.reduced) if not r)
    return own == space and tuple(i for i in index if i is not None) == kept


def _calls_below(root: Node) -> Iterator[Node]:
    """The calls that `root` needs."""
    waiting, seen = list(root.inputs), set()
    while waiting:
        node = waiting.pop()
        if node.number not in seen:
            seen.add(node.number)
            if node.op == "call":
                yield node
            waiting += node.inputs


def operand_indices(node: Node, index: Index) -> list[Index]:
    """The index of each operand for that of the node: axis numbers where the operand has the node's axis whole."""
    if node.op == "reshape":
        (x,) = node.inputs
        long = [i for i, n in zip(index, node.shape, strict=True) if not same(n, 1)]
        if shape_key(_long(x.shape)) == shape_key(_long(node.shape)):
            axes = iter(long)
            return [tuple(None if same(n, 1) else next(axes) for n in x.shape)]
        return [tuple(None if same(n, 1) else OTHER for n in x.shape)]
    if node.op == "permute":
        (axes_of,) = node.attributes
        return [tuple(index[axes_of.index(i)] for i in range(len(index)))]
    if node.op == "slice":
        pairs = zip(index, node.attributes, node.inputs[0].shape, node.shape, strict=True)
        return [tuple(i if start == 0 and step == 1 and same(n, m) else OTHER for i, (start, step), n, m in pairs)]
    if node.op == "philox":
        return [(None,)]  # of the state all is read for every element
    if node.op == "pad":
        return [tuple(None if same(n, 1) else OTHER for n in node.inputs[0].shape)]
    if node.op == "gather":
        x, positions = node.inputs
        (axis,) = node.attributes
        return [tuple(OTHER if i == axis else a for i, a in enumerate(index)), index]
    if node.op == "take":
        x, positions = node.inputs
        (axis,) = node.attributes
        stop = axis + len(positions.shape)
        return [(*index[:axis], OTHER, *index[stop:]), index[axis:stop]]
    return [_aligned(x, node, index) for x in node.inputs]


def _aligned(x: Node, node: Node, index: Index) -> Index:
    """The index of an operand that broadcasts to the node's shape."""
    missing = len(node.shape) - len(x.shape)
    return tuple(None if same(n, 1) else index[missing + i] for i, n in enumerate(x.shape))


def _long(shape: Shape) -> Shape:
    return tuple(n for n in shape if not same(n, 1))


def _bytes(node: Node) -> int:
    return math.prod(map(value, node.shape)) * node.dtype.itemsize
