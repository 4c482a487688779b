"""Statements in loops: the part of code generation that C and CUDA share.

Values are written where they are first asked for, in the outermost loop that has all the variables they depend on: what depends
on the row alone is computed once per row, without any pass that moves code.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from gpugrad.arrays.dtypes import DType
from gpugrad.compile.expressions import compute_type, cost, expression, number_text, stored_type, suffix
from gpugrad.compile.graph import Node, Shape, number
from gpugrad.compile.schedule import Index, Kernel, computed, is_computed, operand_indices, walk
from gpugrad.compile.sizes import Size, polynomial, same, text


class Ix(NamedTuple):
    """An index along one axis: C source, and the loop variables in it. No source: the axis is merged into the next."""

    text: str | None
    variables: frozenset[str] = frozenset()


ZERO = Ix("0")
MERGED = Ix(None)


class Scope:
    """The body of a loop, or of the function: statements in order, some of which are loops."""

    def __init__(self, parent: Scope | None = None, variables: frozenset[str] = frozenset()) -> None:
        self.parent = parent
        self.variables: frozenset[str] = variables | (parent.variables if parent else frozenset())
        self.lines: list[str | Scope] = []
        self.known: dict[Any, str] = {}  # names of values by node and index
        self.vector = False  # whether values here are vectors of neighbouring elements: see vectors.py
        self.head: list[str] = []
        self.tail: list[str] = []

    def home(self, variables: frozenset[str]) -> Scope:
        """The outermost scope, from here, that has these variables."""
        scope = self
        while scope.parent is not None and variables <= scope.parent.variables:
            scope = scope.parent
        return scope

    @contextmanager
    def loop(self, *head: str, variables: tuple[str, ...] = (), tail: tuple[str, ...] = ("}",)) -> Iterator[Scope]:
        """A loop in this scope: what its body needs from outside is written before it."""
        inner = Scope(self, frozenset(variables))
        inner.head, inner.tail = list(head), list(tail)
        yield inner
        self.lines.append(inner)

    def write(self, line: str) -> None:
        self.lines.append(line)

    def source(self, indent: int = 0) -> Iterator[str]:
        space = "    " * indent
        for line in self.head:
            yield line if line.startswith("#") else space + line
        deeper = indent + bool(self.head)
        for item in self.lines:
            if isinstance(item, Scope):
                yield from item.source(deeper)
            else:
                yield "    " * deeper + item
        for line in self.tail:
            yield space + line


class Axis(NamedTuple):
    """Axes of a space that run as one loop."""

    members: tuple[int, ...]
    size: int | Size
    reduced: bool


def places(axes: Iterable[Axis]) -> Any:
    """The number of places on axes."""
    return math.prod(axis.size for axis in axes)


class Emitter:
    """Writes the values of one kernel."""

    def __init__(self, kernel: Kernel, stored: set[int], strided: set[int]) -> None:
        self.kernel = kernel
        self.every = tuple(range(len(kernel.shape)))  # the axes of the space
        self.members = {root.number for root in kernel.roots}
        self.stored = stored
        self.strided = strided  # numbers of the inputs that are not contiguous
        self.reductions = self._reductions()
        self.axes = self._merged()
        self.arrays: dict[int, str] = {}  # of what is read, by node number: the names
        self.nodes: dict[int, Node] = {root.number: root for root in kernel.roots}
        self.outputs = {root.number: f"y{i}" for i, root in enumerate(kernel.roots)}
        self.sizes: set[int] = set()  # numbers of the size variables in the source
        self.strides: dict[tuple[int, int], str] = {}  # of strided inputs: (input, axis) -> name
        self.scalars: set[int] = set()
        self.results: dict[int, str] = {}  # of reductions that are done
        self.counter = 0
        self.cost = 0
        self.reuse: Callable[[Node, tuple[Ix, ...], Any, Scope], str | None] = lambda node, index, key, scope: None
        self.bits: Callable[[Node, tuple[Ix, ...], Scope], str | None] = lambda node, index, scope: None  # of philox nodes
        self.vectors: set[str] = set()  # names of values that are vectors
        self.random = False  # whether there are random bits in the source
        self.index: dict[int, Ix] = {}  # of the axes of the space

    # What is where ---------------------------------------------------------------------------------------------------

    def loaded(self, node: Node) -> bool:
        """Whether the kernel reads a node from memory."""
        return node.op == "input" or (node.number in self.stored and node.number not in self.members)

    def _reductions(self) -> list[list[Node]]:
        """The reductions that the kernel computes, in passes: each needs those of earlier passes only."""
        levels: dict[int, int] = {}
        nodes: dict[int, Node] = {}

        def below(top: Node) -> int:
            depth = -1
            for node, _ in walk(top, self.loaded):
                if node.op == "reduce" and not self.loaded(node):
                    if node.number not in levels:
                        levels[node.number] = 1 + (below(node.inputs[0]) if not self.loaded(node.inputs[0]) else -1)
                        nodes[node.number] = node
                    depth = max(depth, levels[node.number])
            return depth

        for root in self.kernel.roots:
            below(root)
        count = 1 + max(levels.values(), default=-1)
        return [[nodes[n] for n in sorted(nodes) if levels[n] == level] for level in range(count)]

    def tops(self) -> list[tuple[Node, tuple[int, ...]]]:
        """What the loops evaluate, roots and operands of reductions, each with the axes of the space that are its own."""
        tops = [(root, self.own(root)) for root in self.kernel.roots if root.op != "reduce"]
        return tops + [(node.inputs[0], self.every) for group in self.reductions for node in group]

    def is_kept(self, root: Node) -> bool:
        """Whether a root has one element per place on the kept axes (rather than one per place in the space)."""
        long = sum(not same(n, 1) for n in root.shape)
        return root.op == "reduce" or (any(self.kernel.space.reduced) and long < len(self.kernel.shape))

    def _merged(self) -> list[Axis]:
        """The axes of the space, neighbours merged where every array has both, one after the other, or neither."""
        shape, reduced = self.kernel.shape, self.kernel.space.reduced
        accesses: list[Index] = []
        for top, own in self.tops():
            accesses.append(own)  # where it is stored, or reduced
            for node, index in walk(top, self.loaded):
                mapped = tuple(_mapped(i, own) for i in index if i is not None)
                if node.op == "pad":  # asks of every place whether it is inside
                    accesses.append(tuple(map(computed, mapped)))
                elif self.loaded(node) and node.number in self.strided:
                    accesses += [(i,) for i in mapped]
                elif self.loaded(node) or node.op in ("iota", "philox"):
                    accesses.append(mapped)
        axes: list[Axis] = []
        for i, n in enumerate(shape):
            if axes and axes[-1].reduced == reduced[i] and all(_together(access, i - 1, i) for access in accesses):
                last = axes.pop()
                axes.append(Axis((*last.members, i), last.size * n, reduced[i]))
            else:
                axes.append(Axis((i,), n, reduced[i]))
        return axes

    def set_index(self, axis: Axis, source: str, variables: frozenset[str]) -> None:
        """The C source of the place on an axis."""
        for member in axis.members[:-1]:
            self.index[member] = MERGED
        self.index[axis.members[-1]] = Ix(source, variables)

    def place(self, node: Node, own: tuple[int, ...]) -> tuple[Ix, ...]:
        """The index of a top in the loops."""
        axes = iter(own)
        return tuple(ZERO if same(n, 1) else self.index[next(axes)] for n in node.shape)

    def everywhere(self, node: Node) -> tuple[Ix, ...]:
        """The index of a top that has all axes of the space."""
        return self.place(node, self.every)

    def own(self, node: Node) -> tuple[int, ...]:
        """The axes of the space that a root has."""
        return tuple(i for i in self.every if not self.kernel.space.reduced[i]) if self.is_kept(node) else self.every

    # Values ----------------------------------------------------------------------------------------------------------

    def name(self, prefix: str) -> str:
        self.counter += 1
        return f"{prefix}{self.counter}"

    def size(self, size: Any) -> str:
        """C source of a size, noting which variables it needs."""
        for variables, _ in polynomial(size):
            self.sizes.update(variables)
        return text(size)

    def value(self, node: Node, index: tuple[Ix, ...], scope: Scope) -> str:
        """C source of an element, computed in the scope where it belongs: a variable or a constant."""
        if node.op == "constant":
            return number_text(node)
        if node.op == "reduce" and not self.loaded(node):
            return self.results[node.number]
        if node.op in ("reshape", "permute", "slice", "broadcast") and not self.loaded(node):
            return self._view(node, index, scope)
        variables = frozenset().union(*(i.variables for i in index))
        home = scope.home(variables)
        key = (node.number, tuple(i.text for i in index))
        found = home.known.get(key) or (None if home.vector else self.reuse(node, index, key, scope))
        if found is None:
            kind = f"gg_v_{suffix(node.dtype)}" if home.vector else compute_type(node.dtype)
            source = self._vector_source(node, index, scope) if home.vector else self._source(node, index, scope)
            self.cost += cost(node) if home is scope and not home.vector else 0
            found = self.name("t")
            if home.vector:
                self.vectors.add(found)
            home.write(f"const {kind} {found} = {source};")
            home.known[key] = found
        return found

    def _source(self, node: Node, index: tuple[Ix, ...], scope: Scope) -> str:
        if self.loaded(node):
            return f"{self.array(node)}[{self.address(node, index)}]"
        if node.op == "scalar":
            self.scalars.add(node.attributes[0])
            return f"k{node.attributes[0]}"
        if node.op == "size":
            return f"(int64_t)({self.size(number(node))})"
        if node.op == "iota":
            return f"(int64_t)({index[0].text})"
        if node.op in ("gather", "take"):
            return self._gather(node, index, scope)
        if node.op == "pad":
            return self._pad(node, index, scope)
        if node.op == "philox":
            self.random = True
            name = f"gg_philox_u{8 * node.dtype.itemsize}"
            return self.bits(node, index, scope) or f"{name}({self.array(node.inputs[0])}, {self.offset(node.shape, index)})"
        operands = [self.value(x, _broadcast_index(x, node.shape, index), scope) for x in node.inputs]
        return expression(node, operands)

    def _vector_source(self, node: Node, index: tuple[Ix, ...], scope: Scope) -> str:
        """C source of a vector of neighbouring elements, of arithmetic: operands that are one number for all stay so, but not results."""
        end = suffix(node.dtype)
        if self.loaded(node):
            return f"gg_load_{end}({self.array(node)} + {self.address(node, index)})"
        operands = [self.value(x, _broadcast_index(x, node.shape, index), scope) for x in node.inputs]
        source = expression(node, operands)
        return source if any(x in self.vectors for x in operands) else f"gg_all_{end}({source})"

    def _view(self, node: Node, index: tuple[Ix, ...], scope: Scope) -> str:
        (x,) = node.inputs
        if node.op == "broadcast":
            return self.value(x, _broadcast_index(x, node.shape, index), scope)
        if node.op == "permute":
            (axes,) = node.attributes
            return self.value(x, tuple(index[axes.index(i)] for i in range(len(index))), scope)
        if node.op == "slice":
            inner = [self._affine(i, start, step) for i, (start, step) in zip(index, node.attributes, strict=True)]
            return self.value(x, tuple(inner), scope)
        (plain,) = operand_indices(node, tuple(None if same(n, 1) else i for i, n in enumerate(node.shape)))
        if not is_computed(plain):
            return self.value(x, tuple(ZERO if i is None else index[i] for i in plain), scope)
        flat = Ix(f"({self.offset(node.shape, index)})", frozenset().union(*(i.variables for i in index)))
        unflat: list[Ix] = []
        after: Any = 1
        for axis in range(len(x.shape) - 1, -1, -1):
            n = x.shape[axis]
            quotient = flat.text if same(after, 1) else f"({flat.text} / ({self.size(after)}))"
            unflat.insert(
                0, ZERO if same(n, 1) else Ix(f"({quotient} % ({self.size(n)}))" if axis else quotient, flat.variables)
            )
            after = after * n
        return self.value(x, tuple(unflat), scope)

    def _affine(self, index: Ix, start: Any, step: int) -> Ix:
        """start + index * step."""
        if start == 0 and step == 1:
            return index
        begin = start if isinstance(start, int) else Size(start, 0, None)  # type: ignore[arg-type]
        scaled = index.text if step == 1 else f"{step} * {index.text}"
        return Ix(f"({self.size(begin)} + {scaled})", index.variables)

    def _gather(self, node: Node, index: tuple[Ix, ...], scope: Scope) -> str:
        """An element at a computed place; nan or 0 for a place out of range, where index 0 is read."""
        x, positions = node.inputs
        (axis,) = node.attributes
        stop = axis + (1 if node.op == "gather" else len(positions.shape))
        position = self.value(positions, index if node.op == "gather" else index[axis:stop], scope)
        variables = frozenset().union(*(i.variables for i in (index if node.op == "gather" else index[axis:stop])))
        home = scope.home(variables)
        n = self.size(x.shape[axis])
        key = ("place", position, n)
        if key not in home.known:
            wrapped, safe = self.name("t"), self.name("t")
            home.write(f"const int64_t {wrapped} = {position} < 0 ? {position} + {n} : {position};")
            home.write(f"const int64_t {safe} = {wrapped} >= 0 && {wrapped} < {n} ? {wrapped} : 0;")
            home.known[key] = f"{wrapped} {safe}"
        wrapped, safe = home.known[key].split()
        chosen = self.value(x, (*index[:axis], Ix(safe, variables), *index[stop:]), scope)
        return f"{wrapped} == {safe} ? {chosen} : {_missing(node.dtype)}"

    def _pad(self, node: Node, index: tuple[Ix, ...], scope: Scope) -> str:
        (x,) = node.inputs
        inner: list[Ix] = []
        conditions: list[str] = []
        for i, (start, step), n in zip(index, node.attributes, x.shape, strict=True):
            begin = self.size(start if isinstance(start, int) else Size(start, 0, None))  # type: ignore[arg-type]
            away = i.text if begin == "0" else f"({i.text} - {begin})"
            place = away if step == 1 else f"({away} / {step})"
            inside = f"{place} >= 0 && {place} < {self.size(n)}" + (f" && {away} % {step} == 0" if step != 1 else "")
            conditions.append(f"({inside})")
            inner.append(ZERO if same(n, 1) else Ix(f"({inside} ? {place} : 0)", i.variables))
        return f"{' && '.join(conditions) or '1'} ? {self.value(x, tuple(inner), scope)} : 0"

    # Memory ----------------------------------------------------------------------------------------------------------

    def array(self, node: Node) -> str:
        if node.number not in self.arrays:
            self.arrays[node.number] = f"x{len(self.arrays)}"
            self.nodes[node.number] = node
        return self.arrays[node.number]

    def address(self, node: Node, index: tuple[Ix, ...]) -> str:
        if node.number not in self.strided:
            return self.offset(node.shape, index)
        terms = []
        for axis, i in enumerate(index):
            if i.text != "0":
                name = self.strides.setdefault((node.number, axis), f"d{len(self.strides)}")
                terms.append(f"{i.text} * {name}")
        return " + ".join(terms) or "0"

    def offset(self, shape: Shape, index: tuple[Ix, ...]) -> str:
        """The place of an element in a contiguous array."""
        terms: list[str] = []
        after: Any = 1
        for n, i in zip(reversed(shape), reversed(index), strict=True):
            if i.text not in (None, "0"):
                terms.insert(0, str(i.text) if same(after, 1) else f"{i.text} * {self.size(after)}")
            after = after * n
        return " + ".join(terms) or "0"

    def store(self, root: Node, scope: Scope) -> None:
        """Write an element of a root."""
        index = self.place(root, self.own(root))
        found = self.value(root, index, scope)
        scope.write(f"{self.outputs[root.number]}[{self.offset(root.shape, index)}] = {to_memory(root.dtype, found)};")


def to_memory(dtype: DType, source: str) -> str:
    return source if dtype.kind != "f" or dtype.itemsize > 2 else f"({stored_type(dtype)})({source})"


def _missing(dtype: DType) -> str:
    return "0" if dtype.kind in "biu" else f"gg_nan_{'f64' if dtype.itemsize == 8 else 'f32'}"


def _mapped(place: Any, own: tuple[int, ...]) -> Any:
    """A place in terms of the axes of the space, from one in terms of a top's own axes."""
    return frozenset(own[i] for i in place) if isinstance(place, frozenset) else own[place]


def _together(access: Index, first: int, second: int) -> bool:
    """Whether an array has both axes, the second right after the first, or neither."""
    if {first, second}.isdisjoint(computed(*access)):
        return True
    return first in access and second in access and access.index(second) == access.index(first) + 1


def _broadcast_index(x: Node, shape: Shape, index: tuple[Ix, ...]) -> tuple[Ix, ...]:
    """The index of an operand that broadcasts to `shape`."""
    missing = len(shape) - len(x.shape)
    return tuple(ZERO if same(n, 1) else index[missing + i] for i, n in enumerate(x.shape))
