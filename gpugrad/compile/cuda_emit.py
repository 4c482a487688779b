"""Values in CUDA C++: those of ``emit.py``, with arrays read and written 16 bytes at a time where a thread takes neighbours.

In a loop over vectors a thread takes elements ``start + l`` of the last axis, ``l`` running over a *lane* loop that the compiler
unrolls. An array whose last axis is that one is read as a whole before the lane loop and written as a whole after it; what does
not depend on the lane is computed once, before it, by the rule of ``emit.py``.
"""

from __future__ import annotations

from typing import Any

from gpugrad.compile.emit import Emitter, Ix, Scope, to_memory
from gpugrad.compile.expressions import stored_type
from gpugrad.compile.graph import Node, Shape, number
from gpugrad.compile.schedule import Kernel, walk
from gpugrad.compile.sizes import same, text

ACCESS = 16
"""Bytes that a thread reads or writes at once, at most."""

BLOCK = 32
"""Bytes in a block of Philox: a thread takes as many elements as have random bits in one."""


class CudaEmitter(Emitter):
    """Writes the values of one kernel in CUDA C++."""

    def __init__(self, kernel: Kernel, stored: set[int], strided: set[int]) -> None:
        super().__init__(kernel, stored, strided)
        self.lane: Ix | None = None  # in a loop over vectors: the index on the last axis ...
        self.start = Ix("0")  # ... and that of the vector's first element
        self.vector = self._vector()  # elements in a vector
        self.aligned: dict[str, None] = {}  # arrays accessed by vectors
        self.whole_rows = False  # whether vectors are aligned only if they divide the last axis
        self._stores: list[str] = []

    def _vector(self) -> int:
        """How many elements a thread takes at once: 16 bytes of the widest dtype, and at least 4 if the narrowest allows it."""
        widths: set[int] = set()
        random = [1]
        for root in self.kernel.roots:
            if self.every and not self.is_kept(root):
                widths.add(root.dtype.itemsize)
        for top, own in self.tops():
            for node, index in walk(top, self.loaded):
                last = self._last(node.shape)
                place = index[last] if last is not None else None
                if isinstance(place, int) and own[place] == self.every[-1]:
                    if self._neighbours(node, last):
                        widths.add(node.dtype.itemsize)
                    elif node.op == "philox":
                        random.append(BLOCK // node.dtype.itemsize)
        if not widths:
            return max(random)
        return max(ACCESS // max(widths), min(ACCESS // min(widths), 4), *random)

    def _last(self, shape: Shape) -> int | None:
        """The last axis of a size other than 1."""
        return max((i for i, n in enumerate(shape) if not same(n, 1)), default=None)

    def _neighbours(self, node: Node, last: int | None) -> bool:
        """Whether a node is read from memory where neighbours on the last axis of the space are neighbours."""
        return self._whole_axis(node, last) and self.loaded(node) and node.number not in self.strided

    def _whole_axis(self, node: Node, last: int | None) -> bool:
        """Whether the last axis of a node is that of the space."""
        return last is not None and same(node.shape[last], self.kernel.shape[-1])

    # Reading ---------------------------------------------------------------------------------------------------------

    def _source(self, node: Node, index: tuple[Ix, ...], scope: Scope) -> str:
        if node.op == "size":  # may exceed what a place needs: from the parameter of 64 bits
            self.size(number(node))
            return f"({text(number(node), 's{}_'.format)})"
        last = self._last(node.shape)
        random = node.op == "philox" and not self.loaded(node) and self._whole_axis(node, last)
        if self.lane is None or last is None or index[last] != self.lane or not (random or self._neighbours(node, last)):
            return super()._source(node, index, scope)
        if any("l" in i.variables for i in index[:last]):
            return super()._source(node, index, scope)
        first = self._first(index, last)
        home = scope.home(frozenset().union(*(i.variables for i in first)))
        key = ("vector", node.number, tuple(i.text for i in first))
        if key not in home.known:
            home.known[key] = name = self.name("v")
            if random:  # elements of one block of Philox share it
                state = self.array(node.inputs[0])
                home.write(f"{stored_type(node.dtype)} {name}[{self.vector}];")
                home.write(f"gg_philox_vector({name}, {state}, (uint64_t)({self.offset(node.shape, first)}));")
            else:
                array = self.array(node)
                home.write(f"const {self._type(node)} {name} = {self._whole(node, array, first, 'const ')};")
        return f"{home.known[key]}[l]"

    def _first(self, index: tuple[Ix, ...], last: int) -> tuple[Ix, ...]:
        """The index of the first element of a vector, noting what its alignment takes."""
        self.whole_rows |= any(i.text not in (None, "0") for i in index[:last])
        return (*index[:last], self.start, *index[last + 1 :])

    def _type(self, node: Node) -> str:
        return f"gg_vector<{stored_type(node.dtype)}, {self.vector}>"

    def _whole(self, node: Node, array: str, first: tuple[Ix, ...], constant: str) -> str:
        self.aligned[array] = None
        return f"*({constant}{self._type(node)} *)({array} + {self.offset(node.shape, first)})"

    # Writing ---------------------------------------------------------------------------------------------------------

    def store(self, root: Node, scope: Scope) -> None:
        """Write an element of a root; in a lane loop, into a vector that ``flush`` writes."""
        if self.lane is None:
            super().store(root, scope)
            return
        index = self.place(root, self.own(root))
        found = self.value(root, index, scope)
        last = self._last(root.shape)
        assert last is not None and index[last] == self.lane and scope.parent is not None
        name = self.name("w")
        scope.parent.write(f"{self._type(root)} {name};")
        scope.write(f"{name}[l] = {to_memory(root.dtype, found)};")
        self._stores.append(f"{self._whole(root, self.outputs[root.number], self._first(index, last), '')} = {name};")

    def flush(self, scope: Scope) -> None:
        """Write the vectors, after the lane loop."""
        for line in self._stores:
            scope.write(line)
        self._stores.clear()

    def compute(self, roots: list[Node], scope: Scope) -> None:
        """The values of roots, all before any is stored: arrays may be written in place."""
        for root in roots:
            self.value(root, self.place(root, self.own(root)), scope)

    def condition(self, last: Any) -> str:
        """C++ source of whether vectors can be used, for the size of the last axis."""
        terms = [f"gg_aligned({array})" for array in self.aligned]
        if self.whole_rows:
            terms.append(f"{self.size(last)} % {self.vector} == 0")
        return " && ".join(terms) or "true"
