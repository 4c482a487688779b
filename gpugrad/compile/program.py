"""Programs: a graph, cut into kernels and calls, compiled, and run on arrays of any size that fits its pattern."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from gpugrad.compile.graph import Node
from gpugrad.compile.schedule import Call, Kernel, schedule, walk
from gpugrad.compile.sizes import evaluator
from gpugrad.errors import UntraceableError

Run = Callable[..., Any]


class Program:
    """The compiled form of a graph.

    `outputs` are its results, of which a run returns a tuple, or with `single` the only one itself; `into` says which of them are
    written into an input: {number of the output: number of the input}.
    `strided` holds the numbers of the inputs that are not contiguous, `target` is the module that compiles for a kind of array.
    Raises UntraceableError for an op without a kernel; `runs` is False where nothing can be compiled.
    """

    def __init__(
        self,
        name: str,
        outputs: Sequence[Node],
        inputs: Sequence[Node],
        scalars: int,
        strided: set[int],
        into: dict[int, int],
        target: ModuleType,
        *,
        single: bool = False,
    ) -> None:
        self.name = identifier(name)
        self.outputs = outputs
        self._single = single
        into = {o: i for o, i in into.items() if o < len(outputs)}
        self.target = target
        self.steps = schedule(outputs, target.beside)
        self._inputs = {node.number: f"x{i}" for i, node in enumerate(inputs)}
        self._numbers = {node.attributes[0]: node.number for node in inputs}
        self._arguments = [f"x{i}" for i in range(len(inputs))] + [f"k{i}" for i in range(scalars)]
        self._strided = {self._numbers[i] for i in strided}
        self._into = {outputs[o].number: i for o, i in into.items()}
        self._check_in_place(outputs, into)
        found = sources(self.steps, name, self._strided, target.generate)
        self.source = "\n".join(source.text for _, source in found)
        library = target.Library(self.source, self.name) if found else None
        self.runs = library is None or library.launch is not None
        if self.runs:
            self._compose(library, {id(kernel): source for kernel, source in found})

    def _check_in_place(self, outputs: Sequence[Node], into: dict[int, int]) -> None:
        """Raise UntraceableError unless every element that is written in place is read only by the item that writes it."""
        written = {self._numbers[i] for i in into.values()}
        if not written:
            return
        if len(self.steps) != 1 or not isinstance(self.steps[0], Kernel) or any(self.steps[0].space.reduced):
            raise UntraceableError(f"{self.name}: only what is elementwise can be written in place")
        for root in outputs:
            for node, index in walk(root, lambda node: False):
                plain = tuple(i for i in index if i is not None)
                if node.number in written and (node.number in self._strided or plain != tuple(range(len(self.steps[0].shape)))):
                    raise UntraceableError(f"{self.name}: an element that is written in place is read elsewhere")

    def _compose(self, library: Any, sources: dict[int, Any]) -> None:
        """Write the function that runs the steps, and what must be computed for it from sizes."""
        target = self.target
        scope: dict[str, Any] = {"empty": target.empty}
        self._binders: list[Callable[[tuple[int, ...], dict[int, tuple[int, ...]]], Any]] = []
        names = dict(self._inputs)
        lines: list[str] = []
        last_use: dict[str, int] = {}

        def bound(make: Callable[[tuple[int, ...], dict[int, tuple[int, ...]]], Any]) -> str:
            self._binders.append(make)
            return f"P{len(self._binders) - 1}"

        def allocate(node: Node) -> None:
            names[node.number] = name = f"a{len(names)}"
            if node.number in self._into:
                lines.append(f"{name} = x{self._into[node.number]}")
                return
            shape = evaluator(list(node.shape))
            scope[f"{name}_dtype"] = node.dtype
            lines.append(f"{name} = empty({bound(lambda s, _: shape(s))}, {name}_dtype)")

        if library is not None:
            scope["launch"] = library.launch
        for step in self.steps:
            if isinstance(step, Call):
                self._compose_call(step, names, scope, lines)
                continue
            source = sources[id(step)]
            for root in step.roots:
                allocate(root)
            partial = []
            for dtype, items in source.partial:
                partial.append(f"z{len(scope)}")
                scope[f"{partial[-1]}_dtype"] = dtype
                evaluate = target.count(items)
                lines.append(f"{partial[-1]} = empty({bound(lambda s, _, e=evaluate: e(s))}, {partial[-1]}_dtype)")  # type: ignore[misc]
            for function in source.functions:
                arguments = [partial[a] if isinstance(a, int) else names[a.number] for a in function.arrays]
                arguments += [f"k{i}" for i in function.scalars]
                plan = bound(library.binder(function))
                lines.append(f"launch({', '.join([plan, *arguments])})")
        results = "".join(f"{names[node.number]}, " for node in self.outputs)
        results = results.removesuffix(", ") if self._single else f"({results})"
        for i, line in enumerate(lines):
            for name in re.findall(r"\b[az]\d+\b", line):
                last_use[name] = i
        kept = {names[node.number] for node in self.outputs}
        for name, i in last_use.items():
            if name not in kept:
                lines[i] += f"; del {name}"
        body = "".join(f"        {line}\n" for line in lines)
        parameters = ", ".join(f"P{i}" for i in range(len(self._binders)))
        code = f"def make({parameters}):\n    def run({', '.join(self._arguments)}):\n{body}        return {results}\n    return run"
        exec(compile(code, f"<gpugrad program {self.name}>", "exec"), scope)
        self._make: Callable[..., Run] = scope["make"]

    def _compose_call(self, step: Call, names: dict[int, str], scope: dict[str, Any], lines: list[str]) -> None:
        name, options = step.node.attributes
        function = self.target.function(name)
        if function is None:
            raise UntraceableError(f"{name} has no counterpart for these arrays")
        names[step.node.number] = result = f"a{len(names)}"
        scope[f"call{result}"] = function

        def argument(x: Node) -> str:
            return names.get(x.number) or f"{argument(x.inputs[0])}.transpose({x.attributes[0]})"

        given = [argument(x) for x in step.node.inputs] + [f"{key}={value!r}" for key, value in options]
        lines.append(f"{result} = contiguous(call{result}({', '.join(given)}))")
        scope["contiguous"] = self.target.as_contiguous

    def bind(self, sizes: tuple[int, ...], strides: dict[int, tuple[int, ...]]) -> Run:
        """The function of arrays and floats that runs the program for these values of the sizes.

        `strides` holds those of the inputs that are not contiguous, by their numbers, in elements.
        """
        by_node = {self._numbers[number]: given for number, given in strides.items()}
        return self.target.placed(self._make(*(make(sizes, by_node) for make in self._binders)))


def sources(
    steps: Sequence[Kernel | Call], name: str, strided: set[int], generate: Callable[..., Any]
) -> list[tuple[Kernel, Any]]:
    """The kernels among the steps, each with its source. `strided` holds the numbers of the inputs that are not contiguous."""
    stored = {root.number for step in steps for root in (step.roots if isinstance(step, Kernel) else [step.node])}
    kernels = [step for step in steps if isinstance(step, Kernel)]
    return [(kernel, generate(kernel, f"{identifier(name)}_{i}", stored, strided)) for i, kernel in enumerate(kernels)]


def identifier(name: str) -> str:
    """A name that C takes for a function of this name."""
    return re.sub(r"\W", "_", name) or "kernel"
