"""A function and its gradient: one joint graph, cut in two programs where the fewest bytes have to be kept, and the backward pass.

For :class:`gpugrad.fuse`. The gradient is written by the sweep of the tape, run on Tensors that hold Symbols.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from gpugrad.arrays.dtypes import is_inexact
from gpugrad.compile.compiled import Traced
from gpugrad.compile.graph import BOOL, Graph, Node
from gpugrad.compile.locks import Lock
from gpugrad.compile.partition import copied, kept
from gpugrad.compile.program import Program, Run
from gpugrad.compile.symbols import Symbol, tracing
from gpugrad.errors import UntraceableError
from gpugrad.modes import enable_grad
from gpugrad.ops.elementwise import where
from gpugrad.ops.random_bits import given_states
from gpugrad.ops.shape import broadcast_to
from gpugrad.sweep import sweep
from gpugrad.tape import Leaf, Tensor, raw
from gpugrad.tape import Node as TapeNode
from gpugrad.trees import leaves


class JointTrace:
    """The graph of a function's results and, asked for later, of the gradients for some of them."""

    def __init__(self, out: Any, arguments: list[Any], inputs: int, trace: Any) -> None:
        self.arguments = arguments
        self.trace = trace
        self.outputs = [x if isinstance(x, Tensor) else None for x in leaves(out)]
        self.results = [raw(x).node for x in leaves(out) if isinstance(raw(x), Symbol)]
        # The results that have a gradient, by their place among the leaves; without a path to an argument there is none.
        self.seeded = [
            i for i, x in enumerate(self.outputs) if x is not None and x.node is not None and is_inexact(x.array.dtype)
        ]
        seeded: list[Any] = [self.outputs[i] for i in self.seeded]
        self.seeds = [
            trace.graph.node("input", (), (inputs + k, True), dtype=x.array.dtype, shape=x.array.shape)
            for k, x in enumerate(seeded)
        ]
        # Masks of live gradients, one for each seed, which a gradient from a branch not taken comes with (see branches.py).
        self.masks = [
            trace.graph.node("input", (), (inputs + len(self.seeds) + k, True), dtype=BOOL, shape=seed.shape)
            for k, seed in enumerate(self.seeds)
        ]
        self.whole: list[Node | None] = []  # the gradients for all seeds

    def differentiate(self) -> None:
        """Find the gradients for all seeds, as a part of the trace: on what rules decide by numbers and sizes its guard depends, too."""
        self.whole = self.gradients(["whole"] * len(self.seeded))

    def gradients(self, kinds: Sequence[str]) -> list[Node | None]:
        """The gradients of the arguments, None where there is none, for seeds of these kinds: see ``Pair.backward``."""
        roots: list[tuple[TapeNode, Any]] = []
        with tracing(self.trace), enable_grad():
            for i, seed, mask, kind in zip(self.seeded, self.seeds, self.masks, kinds, strict=True):
                result: Any = self.outputs[i]
                if "masked" in kind:
                    result = where(self.trace.symbol(mask), result, 0)
                if kind:
                    roots.append((result.node, self.trace.symbol(seed)))
            found = sweep(roots, self.arguments, retain_graph=True)
        return [None if g is None else g.node for g in found]


class Cut:
    """A joint graph, cut in two: `kept` is what the backward part needs, `extra` what the forward part stores for it alone."""

    def __init__(self, traced: Traced) -> None:
        self.joint: JointTrace = traced.trace.joint
        found = [g for g in self.joint.whole if g is not None]
        self.kept = kept(self.joint.results, found, self.joint.seeds)
        there = {node.number for node in (*traced.outputs, *traced.inputs)}
        self.extra = [node for node in self.kept if node.number not in there]

    def backward_graph(self, kinds: tuple[str, ...]) -> tuple[list[Node], list[Node], set[int], list[int]]:
        """The gradients, their inputs, which are what is kept and then the seeds, and which of these inputs are strided.

        Last the numbers of the arguments whose gradients these are. The kinds are those of ``Pair.backward``.
        """
        found = self.joint.gradients(kinds)
        present = [i for i, g in enumerate(found) if g is not None]
        graph = Graph()
        replaced: dict[int, Node] = {}
        inputs: list[Node] = []
        strided: set[int] = set()
        masks = [mask for mask, kind in zip(self.joint.masks, kinds, strict=True) if "masked" in kind]
        seeds = [(seed, kind) for seed, kind in zip(self.joint.seeds, kinds, strict=True) if kind]
        for node, kind in [*((node, "whole") for node in self.kept), *seeds, *((mask, "whole") for mask in masks)]:
            contiguous = node.attributes[1] if node.op == "input" else True
            shape = () if "uniform" in kind else node.shape
            leaf = graph.node("input", (), (len(inputs), contiguous), dtype=node.dtype, shape=shape)
            if not contiguous:
                strided.add(len(inputs))
            inputs.append(leaf)
            replaced[node.number] = graph.broadcast(leaf, node.shape)
        outputs = copied([g for g in found if g is not None], replaced, graph)
        return outputs, inputs, strided, present


class Pair(Cut):
    """The forward program and, for each combination of gradients that arrives, the backward program."""

    def __init__(self, name: str, traced: Traced, strided: set[int], target: ModuleType) -> None:
        super().__init__(traced)
        self.name = name
        self.scalars = traced.scalars
        self.target = target
        written = {node.number: k for k, node in enumerate([*traced.outputs, *self.extra])}
        self._places = [(True, x.attributes[0]) if x.op == "input" else (False, written[x.number]) for x in self.kept]
        self.forward = Program(name, [*traced.outputs, *self.extra], traced.inputs, traced.scalars, strided, {}, target)
        self.runs = self.forward.runs
        self._backward: dict[tuple[str, ...], tuple[Program, list[int]]] = {}
        self._reached: dict[tuple[bool, ...], list[int]] = {}
        self._lock = Lock()

    def saved(self, arguments: Sequence[Any], results: Sequence[Any]) -> list[Any]:
        """The arrays that are kept, of a call with these arguments and results."""
        return [arguments[i] if argument else results[i] for argument, i in self._places]

    def backward(self, kinds: tuple[str, ...]) -> tuple[Program, list[int]]:
        """The program for seeds of these kinds and the numbers of the arguments whose gradients it gives.

        The kinds are "whole", "uniform" for a seed of equal elements, given as one, and "" for none; with " masked" where a mask of
        live gradients comes with it, after all seeds.
        """
        with self._lock:
            found = self._backward.get(kinds)
            if found is None:
                outputs, inputs, strided, present = self.backward_graph(kinds)
                program = Program(f"{self.name}_backward", outputs, inputs, self.scalars, strided, {}, self.target)
                found = self._backward[kinds] = program, present
        if not found[0].runs:
            raise UntraceableError(f"{self.name}: the kernels of the backward pass could not be compiled")
        return found

    def reached(self, given: tuple[bool, ...]) -> list[int]:
        """The numbers of the arguments that have a gradient, where these of the results have one."""
        with self._lock:
            if given not in self._reached:
                found = self.joint.gradients(["whole" if there else "" for there in given])
                self._reached[given] = [i for i, g in enumerate(found) if g is not None]
            return self._reached[given]

    def bind(self, sizes: tuple[int, ...], strides: dict[int, tuple[int, ...]]) -> Bound:
        return Bound(self, sizes, strides)


class Bound:
    """The programs for given sizes."""

    def __init__(self, pair: Pair, sizes: tuple[int, ...], strides: dict[int, tuple[int, ...]]) -> None:
        self.pair = pair
        self.sizes = sizes
        self.strides = strides
        self.forward = pair.forward.bind(sizes, strides)
        self._backward: dict[tuple[str, ...], tuple[Run, list[int]]] = {}

    def backward(self, kinds: tuple[str, ...]) -> tuple[Run, list[int]]:
        found = self._backward.get(kinds)
        if found is None:
            program, present = self.pair.backward(kinds)
            strides = {
                place: self.strides[node.attributes[0]]
                for place, node in enumerate(self.pair.kept)
                if node.op == "input" and node.attributes[0] in self.strides
            }
            found = self._backward[kinds] = program.bind(self.sizes, strides), present
        return found


class Pull:
    """The backward pass of one call."""

    def __init__(
        self, owner: Any, numbers: tuple[int, ...], args: tuple[Any, ...], arrays: list[Any], options: dict[str, Any],
        bound: Bound, saved: Sequence[Any], floats: list[float], states: list[Any], nodes: list[TapeNode],
    ) -> None:  # fmt: skip
        self.owner = owner
        self.numbers = numbers
        self.arrays = arrays
        self.linked = [x.node if isinstance(x, Tensor) else None for x in args]
        self.wrapped = [isinstance(x, Tensor) for x in args]
        self.options = options
        self.bound = bound
        self.saved = saved
        self.floats = floats
        self.states = states
        self.nodes = nodes

    def __call__(self, gradients: list[Any], create_graph: bool, live: Mapping[int, Any]) -> list[tuple[TapeNode, Any]]:
        if create_graph:
            return self._linked(gradients, live)
        target = self.bound.pair.target
        kinds = []
        seeds = []
        masks = []
        for i, g in enumerate(gradients):
            if g is None:
                kinds.append("")
            elif g.size > 1 and not any(g.strides):  # the gradient of a sum: one number, broadcast
                kinds.append("uniform")
                seeds.append(g.reshape(-1)[:1].reshape(()) if g.ndim else g)
            else:
                kinds.append("whole")
                seeds.append(target.as_contiguous(g))
            if i in live:
                kinds[-1] += " masked"
                masks.append(target.as_contiguous(broadcast_to(live[i], g.shape)))
        try:
            run, present = self.bound.backward(tuple(kinds))
        except UntraceableError:
            return self._eager(gradients, live)
        found = run(*self.saved, *seeds, *masks, *self.floats)
        return [(self.nodes[i], g) for i, g in zip(present, found, strict=True)]

    def _eager(self, gradients: list[Any], live: Mapping[int, Any]) -> list[tuple[TapeNode, Any]]:
        """The gradients without kernels: the function is recorded again, op by op."""
        given = [Tensor(x) if wrapped else x for x, wrapped in zip(self.arrays, self.wrapped, strict=True)]
        for i in self.numbers:
            given[i] = Tensor(self.arrays[i], Leaf(self.arrays[i].shape, self.arrays[i].dtype))
        roots = []
        with enable_grad():
            with given_states(self.states):  # the random numbers of the forward pass
                results = leaves(self.owner._function(*given, **self.options))
            for k, (i, g) in enumerate(zip(self.bound.pair.joint.seeded, gradients, strict=True)):
                if g is not None:
                    roots.append(((where(live[k], results[i], 0) if k in live else results[i]).node, g))
        targets: list[Any] = [given[i].node for i in self.numbers]
        found = sweep(roots, targets)
        return [(node, g) for node, g in zip(self.nodes, found, strict=True) if g is not None]

    def _linked(self, gradients: list[Any], live: Mapping[int, Any]) -> list[tuple[TapeNode, Any]]:
        """The gradients as Tensors that record: from the fused vector-Jacobian product of the arguments."""
        arguments = [
            Tensor(x, node) if wrapped else x for x, node, wrapped in zip(self.arrays, self.linked, self.wrapped, strict=True)
        ]
        seeded = self.bound.pair.joint.seeded
        given = [(i, g, k in live) for k, (i, g) in enumerate(zip(seeded, gradients, strict=True)) if g is not None]
        masks = [broadcast_to(live[k], g.shape) for k, g in enumerate(gradients) if k in live]
        outputs = tuple((i, masked) for i, _, masked in given)
        reached = self.bound.pair.reached(tuple(g is not None for g in gradients))
        numbers = tuple(self.numbers[i] for i in reached)
        product = self.owner._vjp(len(arguments), numbers, outputs, tuple(self.options), len(self.states))
        found = product(*arguments, *self.options.values(), *(g for _, g, _ in given), *masks, *self.states)
        return [(self.nodes[i], g) for i, g in zip(reached, found, strict=True)]
