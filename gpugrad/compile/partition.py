"""What a forward program keeps for its backward program, so that the fewest bytes are moved.

The graph of a function and of its gradients is one graph, in which some nodes depend on the gradients of the results and the
others do not. A set of the latter is kept from which all that the backward part needs can be computed again: a minimum cut of
the graph (T. Chen et al., "Training deep nets with sublinear memory cost", 2016, for the idea; H. He and S. Yu, "Transcending
runtime-memory tradeoffs in checkpointing by being fusion aware", MLSys 2023, for the cut). A kept node costs the bytes that are
written and read for it. Arguments and results are there anyway and cost one reading. Elementwise nodes are computed again at no
cost in bytes; reductions and calls never are.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from gpugrad.compile.graph import LEAVES, Graph, Node, reachable
from gpugrad.compile.sizes import value

_FREE = LEAVES - {"input"}
_ENDLESS = 1 << 62


def kept(results: Sequence[Node], gradients: Sequence[Node], seeds: Sequence[Node]) -> list[Node]:
    """The nodes to keep, in order of creation; arguments and results among them.

    `gradients` are computed from `seeds`, the gradients of the `results`, and from forward nodes.
    """
    nodes = reachable(gradients)
    backward = {seed.number for seed in seeds}
    for node in nodes:
        if any(x.number in backward for x in node.inputs):
            backward.add(node.number)
    needed = {x.number: x for node in nodes if node.number in backward for x in node.inputs if x.number not in backward}
    needed |= {node.number: node for node in gradients if node.number not in backward}
    forward = reachable(needed.values())
    written = {node.number for node in results}
    cut = _Cut()
    for node in forward:
        if node.op in _FREE:
            continue
        size = max(1, math.prod(map(value, node.shape)) * node.dtype.itemsize)
        there = node.op == "input" or node.number in written
        # Of as many bytes moved, arguments come first: what is kept beside them takes memory.
        cut.node(node.number, 4 * size if there else 9 * size)
        if node.op in ("input", "reduce", "call"):
            cut.source(node.number)
        for x in node.inputs:
            if x.op not in _FREE:
                cut.edge(x.number, node.number)
        if node.number in needed:
            cut.sink(node.number)
    chosen = cut.minimum()
    return [node for node in forward if node.number in chosen]


class _Cut:
    """A minimum set of nodes that separates the source from the sink, as close to the sink as possible (Ford and Fulkerson)."""

    def __init__(self) -> None:
        self.capacity: dict[tuple[int, int], dict[tuple[int, int], int]] = {}

    def _arc(self, a: tuple[int, int], b: tuple[int, int], capacity: int) -> None:
        self.capacity.setdefault(a, {})[b] = capacity
        self.capacity.setdefault(b, {}).setdefault(a, 0)

    def node(self, number: int, cost: int) -> None:
        self._arc((number, 0), (number, 1), cost)  # into the node, out of the node

    def edge(self, a: int, b: int) -> None:
        self._arc((a, 1), (b, 0), _ENDLESS)

    def source(self, number: int) -> None:
        self._arc((-1, 0), (number, 0), _ENDLESS)

    def sink(self, number: int) -> None:
        self._arc((number, 1), (-2, 0), _ENDLESS)

    def minimum(self) -> set[int]:
        start, end = (-1, 0), (-2, 0)
        if start not in self.capacity or end not in self.capacity:
            return set()
        while True:
            before = {start: start}
            waiting = deque([start])
            while waiting and end not in before:
                a = waiting.popleft()
                for b, left in self.capacity[a].items():
                    if left > 0 and b not in before:
                        before[b] = a
                        waiting.append(b)
            if end not in before:
                break
            path = [end]
            while path[-1] != start:
                path.append(before[path[-1]])
            arcs = list(zip(path[1:], path[:-1], strict=True))
            flow = min(self.capacity[a][b] for a, b in arcs)
            for a, b in arcs:
                self.capacity[a][b] -= flow
                self.capacity[b][a] += flow
        # Nodes from which the sink can still be reached: the cut runs along their border, as late as it can.
        reaches = {end}
        waiting = deque([end])
        while waiting:
            b = waiting.popleft()
            for a in self.capacity[b]:
                if a not in reaches and self.capacity[a][b] > 0:
                    reaches.add(a)
                    waiting.append(a)
        return {number for number, side in reaches if side == 1 and number >= 0 and (number, 0) not in reaches}


def copied(outputs: Sequence[Node], replaced: dict[int, Node], graph: Graph) -> list[Node]:
    """`outputs` in another graph, with the nodes in place of others that `replaced` says, by number."""
    copies = dict(replaced)
    waiting = list(outputs)
    while waiting:
        node = waiting[-1]
        if node.number in copies:
            waiting.pop()
            continue
        missing = [x for x in node.inputs if x.number not in copies]
        if missing:
            waiting += missing
            continue
        inputs = [copies[x.number] for x in node.inputs]
        copies[node.number] = graph.node(node.op, inputs, node.attributes, dtype=node.dtype, shape=node.shape)
        waiting.pop()
    return [copies[node.number] for node in outputs]
