"""Quick reductions in C, with vectors spelled out.

A compiler that vectorises a sum keeps one vector of partial sums, and every addition waits for the one before it. Where little
else is to be done, that is what the time goes to. So sums of plain arithmetic are written with several
vectors side by side, in the vector types that GCC and Clang have in common; what is less than a vector is left to a plain loop.
"""

from __future__ import annotations

from gpugrad.compile.emit import Axis, Emitter, Scope
from gpugrad.compile.expressions import suffix
from gpugrad.compile.graph import LEAVES, Node
from gpugrad.compile.schedule import is_computed, walk

_ARITHMETIC = frozenset({"add", "subtract", "multiply", "divide", "negative"})
_VIEWS = frozenset({"broadcast", "reshape", "permute"})

BYTES = 64
"""Of a vector: one register of AVX-512, two of AVX2, four of NEON."""

SIDES = 4
"""Vectors side by side: an addition takes about four cycles."""

MOST = 12
"""Ops for an element, above which the additions at the end do not matter, and five copies of the rest would."""


def possible(group: list[Node], emitter: Emitter, axis: Axis) -> bool:
    """Whether sums along `axis` can be written with vectors: of plain arithmetic on what lies in memory one after the other."""
    dtype = group[0].dtype
    if dtype.kind != "f" or dtype.itemsize < 4 or not all(n.dtype == dtype and n.attributes[0] == "sum" for n in group):
        return False
    last = axis.members[-1]
    ops = 0
    for reduction in group:
        for node, index in walk(reduction.inputs[0], emitter.loaded):
            if is_computed(index):
                return False
            if last not in index:
                continue  # one number for all elements
            if emitter.loaded(node):
                long = [i for i in index if i is not None]
                if node.dtype != dtype or node.number in emitter.strided or long[-1] != last:
                    return False
            elif ops > MOST or node.op in LEAVES or node.dtype != dtype or not (node.op in _ARITHMETIC or node.op in _VIEWS):
                return False
            else:
                ops += node.op in _ARITHMETIC
    return True


def reduce(group: list[Node], names: dict[int, str], emitter: Emitter, scope: Scope, axis: Axis, begin: str, end: str) -> str:
    """Add the elements from `begin` on to the variables `names`. What is returned is where the rest, up to `end`, begins."""
    end_of = suffix(group[0].dtype)
    kind = f"gg_v_{end_of}"
    width = BYTES // group[0].dtype.itemsize
    place = emitter.name("e")
    sides = [{number: emitter.name("q") for number in names} for _ in range(SIDES)]
    for side in sides:
        for node in group:
            scope.write(f"{kind} {side[node.number]} = gg_all_{end_of}(0);")
    scope.write(f"int64_t {place} = {begin};")
    step = SIDES * width
    with scope.loop(f"for (; {place} + {step} <= {end}; {place} += {step}) {{", variables=(place,)) as loop:
        loop.vector = True
        for k, side in enumerate(sides):
            emitter.set_index(axis, f"({place} + {k * width})" if k else place, frozenset({place}))
            for node in group:
                found = emitter.value(node.inputs[0], emitter.everywhere(node.inputs[0]), loop)
                loop.write(f"{side[node.number]} = {side[node.number]} + {found};")
    with scope.loop(f"for (; {place} + {width} <= {end}; {place} += {width}) {{", variables=(place,)) as loop:
        loop.vector = True
        emitter.set_index(axis, place, frozenset({place}))
        for node in group:
            found = emitter.value(node.inputs[0], emitter.everywhere(node.inputs[0]), loop)
            loop.write(f"{sides[0][node.number]} = {sides[0][node.number]} + {found};")
    for node in group:
        first, second, third, fourth = (side[node.number] for side in sides)
        name = names[node.number]
        scope.write(f"{name} = {name} + gg_sum_{end_of}(({first} + {second}) + ({third} + {fourth}));")
    return place
