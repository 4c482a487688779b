"""Loops in C whose iterations run side by side, and the random bits in them, which are made a stretch ahead.

A block of Philox is eight integers of 32 bits, or four of 64: too much work for one element. Where the elements of a loop are
neighbours in the stream, as nearly always, the loop is cut into stretches, and for each the bits are written to a buffer first
(see ``philox.h``)::

    for (int64_t ib = begin; ib < end; ib += GG_PHILOX_STRETCH) {
        const int64_t ie = ib + GG_PHILOX_STRETCH < end ? ib + GG_PHILOX_STRETCH : end;
        uint64_t p1_[GG_PHILOX_WORDS_u32];
        const uint32_t *const p1 = gg_philox_fill_u32(p1_, x1, ib, ib + (ie - ib));
        for (int64_t i = ib; i < ie; ++i) ... p1[i - ib] ...
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from gpugrad.compile.emit import Emitter, Ix, Scope
from gpugrad.compile.expressions import stored_type
from gpugrad.compile.graph import Node
from gpugrad.compile.sizes import same


class VectorLoop(Scope):
    """The body of a loop whose iterations run side by side."""

    def __init__(self, parent: Scope, variable: str) -> None:
        super().__init__(parent, frozenset({variable}))
        self.variable = variable
        self.stretch: list[str] = []  # what is written before each stretch; if nothing, there are none


@contextmanager
def vector_loop(parent: Scope, variable: str, begin: str, end: str, clauses: str = "") -> Iterator[VectorLoop]:
    """A loop in `parent` from `begin` to `end`, with clauses of OpenMP."""
    inner = VectorLoop(parent, variable)
    yield inner
    found: Scope = inner
    if inner.stretch:
        first, last = f"{variable}b", f"{variable}e"
        found = Scope(parent)
        found.head = [f"for (int64_t {first} = {begin}; {first} < {end}; {first} += GG_PHILOX_STRETCH) {{"]
        found.lines = [
            f"const int64_t {last} = {first} + GG_PHILOX_STRETCH < {end} ? {first} + GG_PHILOX_STRETCH : {end};", *inner.stretch, inner,
        ]  # fmt: skip
        found.tail = ["}"]
        begin, end = first, last
    inner.head = [f"#pragma omp simd{clauses}", f"for (int64_t {variable} = {begin}; {variable} < {end}; ++{variable}) {{"]
    inner.tail = ["}"]
    parent.lines.append(found)


def stretched(emitter: Emitter, node: Node, index: tuple[Ix, ...], scope: Scope) -> str | None:
    """C source of an element of a philox node, from a buffer of the loop over `index`; None if its elements are no neighbours."""
    loop = scope.home(frozenset().union(*(i.variables for i in index)))
    if not isinstance(loop, VectorLoop):
        return None
    v = loop.variable
    own = [axis for axis, i in enumerate(index) if v in i.variables]
    if len(own) != 1 or not all(same(n, 1) for n in node.shape[own[0] + 1 :]):
        return None
    (axis,) = own
    before = re.fullmatch(rf"{v}|\((\w+) \+ {v}\)", index[axis].text or "")
    if before is None:
        return None
    start = f"({before[1]} + {v}b)" if before[1] else f"{v}b"
    first = emitter.offset(node.shape, (*index[:axis], Ix(start), *index[axis + 1 :]))
    name, width = emitter.name("p"), f"u{8 * node.dtype.itemsize}"
    loop.stretch += [
        f"uint64_t {name}_[GG_PHILOX_WORDS_{width}];",
        f"const {stored_type(node.dtype)} *const {name} = "
        f"gg_philox_fill_{width}({name}_, {emitter.array(node.inputs[0])}, {first}, {first} + ({v}e - {v}b));",
    ]
    return f"{name}[{v} - {v}b]"
