"""gg.fuse: a function as one op, run by kernels that are derived from it, gradients of every order included.

The first call traces the function; see ``gpugrad/compile/``. Where a gradient is recorded, the function and its backward sweep
are traced together, and cut where the fewest bytes have to be kept. The derivative of the backward pass is that of another
fused function, the vector-Jacobian product of this one: so there is a gradient of every order.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from types import MethodType, ModuleType
from typing import Any, Generic, ParamSpec, TypeVar

from gpugrad.arrays.dtypes import is_inexact
from gpugrad.compile.compiled import Compiled, Traced, generated
from gpugrad.compile.graph import BOOL, Graph, Node, describe
from gpugrad.compile.partition import copied, kept
from gpugrad.compile.program import Program, Run
from gpugrad.compile.symbols import Symbol, current_trace, tracing
from gpugrad.debug import caller, examine
from gpugrad.differentiate import vjp
from gpugrad.errors import UntraceableError
from gpugrad.modes import DEBUG, RECORD, enable_grad, flags, no_grad
from gpugrad.ops.elementwise import where
from gpugrad.ops.random_bits import given_states
from gpugrad.ops.shape import broadcast_to
from gpugrad.sweep import sweep
from gpugrad.tape import Joint, Leaf, Tensor, raw
from gpugrad.tape import Node as TapeNode
from gpugrad.trees import leaves, map_leaves, rebuild

P = ParamSpec("P")
R = TypeVar("R")

# What an argument is: anything that is no Tensor, a Tensor, a Tensor that records, a container.
_ARRAY, _CONSTANT, _RECORDING, _TREE = 0, 1, 2, 3


class _Kinds(dict[type, int]):
    """_ARRAY, _CONSTANT or _TREE by the type of an argument, filled on first use."""

    def __missing__(self, kind: type) -> int:
        found = _CONSTANT if issubclass(kind, Tensor) else _TREE if issubclass(kind, (list, tuple, dict)) else _ARRAY
        self[kind] = found
        return found


_KINDS = _Kinds()


class fuse(Generic[P, R]):
    """`function`, a function of arrays written in gpugrad's ops, compiled to kernels that read and write memory as rarely as possible.

    ::

        @gg.fuse
        def swiglu(x, y):
            return x * gg.nn.functional.sigmoid(x) * y

        swiglu(x, y)             # one pass over memory, on NumPy and on CuPy; differentiable
        swiglu.graph(x, y)       # what was traced, as text
        swiglu.source("c", x, y) # the C source, or "cuda"

    The function runs once, on arrays without elements, for each combination of dtypes, numbers of axes, and pattern of sizes
    (which are 1, which are equal); other sizes of the same pattern compile nothing. So its program must not depend on
    elements of arrays (use :func:`gpugrad.where`), and all arrays that it uses must be arguments. Arguments and results are trees.
    Python floats may change from call to call; ints, bools and strings are part of the program. Matrix products and a few other
    ops (cumulative sums, sorting) run between kernels. Positions out of range in ``take`` and ``take_along_axis`` give nan.

    Where no C compiler is found, for arrays of other libraries, empty arrays, and what kernels cannot compute (complex numbers,
    results whose shape depends on data), the function itself runs. Results agree to a few units in the last place.

    Raises TracingError for a function that asks for elements of its arguments or uses an array that is no argument, and what the
    function itself raises, ShapeError for instance.
    """

    def __init__(self, function: Callable[P, R], *, name: str = "") -> None:
        functools.update_wrapper(self, function)
        self._function: Callable[..., Any] = function
        self._name = name or getattr(function, "__name__", "fused")
        self._variants: dict[tuple[int, ...], _Constant | _Recording] = {}
        self._nested: dict[Any, fuse[..., Any]] = {}
        self._vjps: dict[Any, fuse[..., Any]] = {}

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        if current_trace() is not None:
            return self._function(*args, **kwargs)  # a part of what is being traced
        kinds = []
        for x in args:
            kind = _KINDS[type(x)]
            if kind is _TREE:
                return self._flattened(args, kwargs)
            kinds.append(kind)
        for x in kwargs.values():
            if _KINDS[type(x)] is not _ARRAY or hasattr(x, "shape"):
                return self._flattened(args, kwargs)
        if _CONSTANT not in kinds:
            out: R = self._variant(tuple(kinds))(*args, **kwargs)
            return out
        given: Any = args
        record = flags() & RECORD
        for i, kind in enumerate(kinds):
            if kind is _CONSTANT and record and given[i].node is not None:
                kinds[i] = _RECORDING
        arrays = [x.array if kind else x for x, kind in zip(given, kinds, strict=True)]
        variant = self._variant(tuple(kinds))
        if isinstance(variant, _Recording):
            return variant.record(self, args, arrays, kwargs)
        return self._tensors(variant(*arrays, **kwargs), args)

    def _variant(self, kinds: tuple[int, ...]) -> _Constant | _Recording:
        variant = self._variants.get(kinds)
        if variant is None:
            made: _Constant | _Recording = _Recording(self, kinds) if _RECORDING in kinds else _Constant(self, kinds)
            variant = self._variants.setdefault(kinds, made)
        return variant

    def _tensors(self, out: Any, args: Sequence[Any]) -> Any:
        """Results as Tensors; in debug mode, AnomalyError for the first nan or inf."""
        wrapped = Tensor(out) if hasattr(out, "dtype") else map_leaves(lambda x: Tensor(x) if hasattr(x, "dtype") else x, out)
        if flags() & DEBUG:
            for x in leaves(wrapped):
                examine(x, self._name, tuple(args))
        return wrapped

    def _flattened(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The call with the leaves of its arguments."""
        tree = (args, kwargs)
        structure = _structure(tree)
        nested = self._nested.get(structure)
        if nested is None:
            shape = map_leaves(lambda x: None, tree)

            def flat(*given: Any) -> Any:
                inner, options = rebuild(shape, iter(given))
                return self._function(*inner, **options)

            flat.__name__ = self._name
            nested = self._nested.setdefault(structure, fuse(flat))
        return nested(*leaves(tree))

    # To look at ------------------------------------------------------------------------------------------------------

    def graph(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """The graph that is traced for arguments like these, as text; for Tensors that record, that of the gradient too."""
        return "\n\n".join(describe(outputs, name) for name, outputs, _, _ in self._programs(args, kwargs))

    def source(self, language: str, /, *args: P.args, **kwargs: P.kwargs) -> str:
        """The source of the kernels for arguments like these, in "c" or "cuda"; for Tensors that record, also of the gradient.

        Nothing is compiled: CUDA source can be read on a machine without a GPU. Raises ValueError for another language.
        """
        if language not in ("c", "cuda"):
            raise ValueError(f"source: got {language!r}, expected 'c' or 'cuda'")
        parts = [
            generated(language, name, outputs, inputs, strided)
            for name, outputs, inputs, strided in self._programs(args, kwargs)
        ]
        return "\n".join(parts)

    def _programs(self, args: Any, kwargs: Any) -> list[tuple[str, list[Node], list[Node], set[int]]]:
        """Name, outputs, inputs and strided inputs of each program for a call."""
        given = leaves((args, kwargs))
        kinds = tuple((_RECORDING if x.node is not None else _CONSTANT) if isinstance(x, Tensor) else _ARRAY for x in given)
        self._flattened(args, kwargs)  # raises what a call raises
        nested = self._nested[_structure((args, kwargs))]
        return nested._variant(kinds).describe([raw(x) for x in given])

    # Derivatives of higher order ---------------------------------------------------------------------------------------

    def _vjp(
        self, count: int, numbers: tuple[int, ...], outputs: tuple[tuple[int, bool], ...], options: tuple[str, ...], states: int
    ) -> fuse[..., Any]:
        """The fused function of (arguments, options, gradients of some outputs, masks, states) that gives the gradients of some arguments.

        The last are the `states` of random generators that the function drew, which it is to draw again.
        `outputs` holds the outputs' numbers, each with whether a mask of live gradients comes with its gradient.
        """
        key = (count, numbers, outputs, options, states)
        found = self._vjps.get(key)
        if found is None:

            def product(*given: Any) -> Any:
                arguments = list(given[:count])
                named = dict(zip(options, given[count : count + len(options)], strict=True))
                seeds = given[count + len(options) :][: len(outputs)]
                masks = given[count + len(options) + len(outputs) :]
                drawn = given[len(given) - states :]

                def chosen(*varied: Any) -> Any:
                    for number, x in zip(numbers, varied, strict=True):
                        arguments[number] = x
                    with given_states(drawn):
                        results = leaves(self._function(*arguments, **named))
                    left = iter(masks)
                    return tuple(where(next(left), results[i], 0) if masked else results[i] for i, masked in outputs)

                _, pullback = vjp(chosen, *(arguments[number] for number in numbers))
                return pullback(tuple(seeds))

            product.__name__ = f"{self._name}_vjp"
            found = self._vjps.setdefault(key, fuse(product))
        return found


class _Constant(Compiled):
    """The function of raw arrays, which sees Tensors where it was given some."""

    def __init__(self, owner: fuse[..., Any], kinds: tuple[int, ...]) -> None:
        self.owner = owner
        self.kinds = kinds
        super().__init__(self._run, owner._name, strict=True)

    def _run(self, *args: Any, **options: Any) -> Any:
        given = [Tensor(x) if kind else x for x, kind in zip(args, self.kinds, strict=True)]
        with no_grad():
            return map_leaves(raw, self.owner._function(*given, **options))

    def describe(self, arrays: list[Any]) -> list[tuple[str, list[Node], list[Node], set[int]]]:
        traced, _, _ = self.described(tuple(arrays))
        strided = {i for i, node in enumerate(traced.inputs) if not node.attributes[1]}
        return [(self.name, traced.outputs, traced.inputs, strided)]


class _Recording(Compiled):
    """The function and its gradient, traced together. `kinds` says which arguments record."""

    def __init__(self, owner: fuse[..., Any], kinds: tuple[int, ...]) -> None:
        self.owner = owner
        self.kinds = kinds
        self.numbers = tuple(i for i, kind in enumerate(kinds) if kind == _RECORDING)
        super().__init__(self._run, owner._name, strict=True, otherwise=self._eager)

    def _run(self, *args: Any, **options: Any) -> Any:
        """Traced: the results, and the gradients of the arguments that record for seeds that are further inputs."""
        trace = current_trace()
        assert trace is not None
        given = [
            Tensor(x, Leaf(x.shape, x.dtype) if kind == _RECORDING else None) if kind else x
            for x, kind in zip(args, self.kinds, strict=True)
        ]
        with enable_grad():
            out = self.owner._function(*given, **options)
        inputs = sum(
            kind != _ARRAY or (isinstance(x, Symbol) and not x.is_number) for x, kind in zip(args, self.kinds, strict=True)
        )
        trace.joint = _Trace(out, [given[i].node for i in self.numbers], inputs, trace)
        return map_leaves(raw, out)

    def _eager(self, *args: Any, **options: Any) -> Any:
        raise _Eager

    def _program(self, traced: Traced, spec: list[Any], target: ModuleType) -> Any:
        return _Pair(
            self, traced, {i for i, x in enumerate(s for s in spec if hasattr(s, "contiguous")) if not x.contiguous}, target
        )

    def describe(self, arrays: list[Any]) -> list[tuple[str, list[Node], list[Node], set[int]]]:
        _, pair, _ = self.described(tuple(arrays))
        joint = pair.joint
        outputs, inputs, strided = pair.backward_graph(tuple("whole" for _ in joint.seeded))
        return [
            (self.name, pair.traced.outputs + pair.extra, pair.traced.inputs, pair.strided),
            (f"{self.name}_backward", outputs, inputs, strided),
        ]

    def record(self, owner: fuse[..., Any], args: tuple[Any, ...], arrays: list[Any], options: dict[str, Any]) -> Any:
        """Call and record. `arrays` are the arguments without Tensors."""
        try:
            out, saved, bound, floats, states = self(*arrays, **options)
        except _Eager:
            return owner._function(*args, **options)
        results = leaves(out)
        joint = bound.pair.joint
        nodes = [args[i].node for i in self.numbers]
        pull = _Pull(owner, self.numbers, args, arrays, options, bound, saved, floats, states, nodes)
        record = Joint(owner._name, tuple(nodes), pull, len(joint.seeded))
        if flags() & DEBUG:
            record.site = caller()
        places = {i: k for k, i in enumerate(joint.seeded)}
        tensors = [
            Tensor(x, record.output(places[i], x) if i in places else None) if hasattr(x, "dtype") else x
            for i, x in enumerate(results)
        ]
        if flags() & DEBUG:
            for x in tensors:
                examine(x, owner._name, args)
        return tensors[0] if not isinstance(out, (list, tuple, dict)) else rebuild(out, iter(tensors))

    def _caller(self, run: Run, args: tuple[Any, ...], traced: Traced, drawn: Callable[[], list[Any]]) -> Callable[..., Any]:
        places = [i for i, x in enumerate(args) if hasattr(x, "shape")]
        count = len(traced.outputs)
        bound: _Bound = run  # type: ignore[assignment]

        def call(args: tuple[Any, ...], options: dict[str, Any], floats: list[float]) -> Any:
            states = drawn()
            given = [*(args[i] for i in places), *states]
            found = bound.forward(*given, *floats)
            return traced.rebuild(found[:count]), bound.pair.saved(given, found), bound, floats, states

        return call


class _Eager(Exception):  # noqa: N818
    """Not an error: the function is to run, op by op."""


class _Trace:
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

    def gradients(self, kinds: Sequence[str]) -> list[Node | None]:
        """The gradients of the arguments, None where there is none, for seeds of these kinds: see ``_Pair.backward``."""
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


class _Pair:
    """The forward program and, for each combination of gradients that arrives, the backward program."""

    def __init__(self, owner: _Recording, traced: Traced, strided: set[int], target: ModuleType) -> None:
        self.name = owner.name
        self.traced = traced
        self.strided = strided
        self.target = target
        self.joint: _Trace = traced.trace.joint
        found = [g for g in self.joint.gradients(["whole"] * len(self.joint.seeded)) if g is not None]
        self.kept = kept(self.joint.results, found, self.joint.seeds)
        there = {node.number for node in (*traced.outputs, *traced.inputs)}
        self.extra = [node for node in self.kept if node.number not in there]
        written = {node.number: k for k, node in enumerate([*traced.outputs, *self.extra])}
        self._places = [(True, x.attributes[0]) if x.op == "input" else (False, written[x.number]) for x in self.kept]
        self.forward = Program(self.name, [*traced.outputs, *self.extra], traced.inputs, traced.scalars, strided, {}, target)
        self.runs = self.forward.runs
        self._backward: dict[tuple[str, ...], tuple[Program, list[int]]] = {}
        self._reached: dict[tuple[bool, ...], list[int]] = {}
        self._lock = threading.Lock()

    def saved(self, arguments: Sequence[Any], results: Sequence[Any]) -> list[Any]:
        """The arrays that are kept, of a call with these arguments and results."""
        return [arguments[i] if argument else results[i] for argument, i in self._places]

    def backward_graph(self, kinds: tuple[str, ...]) -> tuple[list[Node], list[Node], set[int]]:
        """The gradients, from inputs which are what is kept and then the seeds, and which of these inputs are strided."""
        found = self.joint.gradients(kinds)
        self.present = [i for i, g in enumerate(found) if g is not None]
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
        return outputs, inputs, strided

    def backward(self, kinds: tuple[str, ...]) -> tuple[Program, list[int]]:
        """The program for seeds of these kinds and the numbers of the arguments whose gradients it gives.

        The kinds are "whole", "uniform" for a seed of equal elements, given as one, and "" for none; with " masked" where a mask of
        live gradients comes with it, after all seeds.
        """
        with self._lock:
            found = self._backward.get(kinds)
            if found is None:
                outputs, inputs, strided = self.backward_graph(kinds)
                program = Program(f"{self.name}_backward", outputs, inputs, self.traced.scalars, strided, {}, self.target)
                found = self._backward[kinds] = program, self.present
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

    def bind(self, sizes: tuple[int, ...], strides: dict[int, tuple[int, ...]]) -> _Bound:
        return _Bound(self, sizes, strides)


class _Bound:
    """The programs for given sizes."""

    def __init__(self, pair: _Pair, sizes: tuple[int, ...], strides: dict[int, tuple[int, ...]]) -> None:
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


class _Pull:
    """The backward pass of one call."""

    def __init__(
        self, owner: fuse[..., Any], numbers: tuple[int, ...], args: tuple[Any, ...], arrays: list[Any], options: dict[str, Any],
        bound: _Bound, saved: Sequence[Any], floats: list[float], states: list[Any], nodes: list[TapeNode],
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


def _structure(tree: Any) -> Any:
    """How a tree nests, as something that can be hashed."""
    if isinstance(tree, dict):
        return type(tree), tuple((key, _structure(value)) for key, value in tree.items())
    if isinstance(tree, (list, tuple)):
        return type(tree), tuple(map(_structure, tree))
    return None
