"""Functions of raw arrays that run as kernels: traced, compiled and remembered by what they are called with.

A call looks up what was prepared for arrays of the same dtypes, shapes and strides. A new shape is prepared in microseconds:
*programs* are shared by all shapes of one *pattern*, which says which axes have size 1 and which are as long as each other.
"""

from __future__ import annotations

import enum
import functools
import importlib
import inspect
import logging
import math
from collections.abc import Callable, Sequence
from numbers import Number
from types import ModuleType
from typing import Any, NamedTuple, TypeAlias

import numpy

from gpugrad.arrays.dtypes import get_default_dtype
from gpugrad.arrays.kernels import is_cupy
from gpugrad.compile import c, cpu, cuda_source, namespace  # noqa: F401  (gives Symbols their operators)
from gpugrad.compile.functions import asarray
from gpugrad.compile.graph import FLOAT64, Node
from gpugrad.compile.keys import UnkeyedError, is_array, key_of, reader
from gpugrad.compile.layout import contiguous, stretched, strides, unstretched
from gpugrad.compile.locks import Lock
from gpugrad.compile.pieces import Pieces
from gpugrad.compile.program import Program, Run, sources
from gpugrad.compile.schedule import schedule
from gpugrad.compile.sizes import Size, evaluator, variable
from gpugrad.compile.symbols import Draw, Symbol, Trace, check_dtype, current_trace, tracing
from gpugrad.errors import TracingError, UntraceableError
from gpugrad.trees import leaves, rebuild

_log = logging.getLogger("gpugrad")

_REMEMBERED = 4096
"""Calls with different shapes for which a function remembers what to run."""

_VARIANTS = 32
"""Programs for one pattern of arrays. Where a function needs more, one for each value of a number say, it runs as it is from then on:
compiling takes far longer than it saves."""


class Array(NamedTuple):
    """What a trace has to know of an array argument."""

    kind: type
    dtype: Any
    pattern: tuple[int, ...]  # of each axis: 1 for size 1, else -1 - the number of its size variable
    contiguous: bool
    stretched: tuple[int, ...]  # axes along which one element is repeated: they are not read as often


class Traced(NamedTuple):
    """A function's graph and the conditions under which it holds."""

    outputs: list[Node]
    inputs: list[Node]
    scalars: int
    rebuild: Callable[[Sequence[Any]], Any]  # from the outputs' arrays to what the function returns
    guard: Callable[[tuple[int, ...], Sequence[float]], bool] | None
    trace: Trace


_Prepared: TypeAlias = tuple[Callable[[list[float]], bool] | None, Callable[..., Any], bool]
"""For which floats, what is called, and whether with (*args, *floats) or with (args, options, floats)."""


class _Definition(Exception):  # noqa: N818
    """Not an error: the definition is to run."""


class _Unaligned(_Definition):
    """This once: elements of an array do not lie where kernels may read them."""


class Compiled:
    """`function` of arrays and numbers, run as kernels where that can be; where not, the function itself runs.

    Arrays are NumPy's or CuPy's. Floats are arguments of the kernels; all else (ints, strings, None) is part of the program. With
    an argument that may change without notice, an object with attributes, the function itself runs. With `into`,
    ``{number of a result: number of an argument}``, results are written into arguments.

    With `strict`, what cannot be traced raises TracingError rather than run as it is.
    """

    def __init__(
        self, function: Callable[..., Any], name: str = "", *, strict: bool = False, into: dict[int, int] | None = None,
        otherwise: Callable[..., Any] | None = None,
    ) -> None:  # fmt: skip
        self.function = function
        self.otherwise = otherwise or function
        self.name = name or getattr(function, "__name__", "kernel")
        self.strict = strict
        self.into = into or {}
        self.programs: dict[Any, list[tuple[Traced, Program]]] = {}
        self._calls: dict[Any, list[_Prepared]] = {}
        self._lock = Lock()
        self.definition = function  # whose parameters have names
        self.told: set[str] = set()

    def __call__(self, *args: Any, **options: Any) -> Any:
        given = (*args, *options.values()) if options else args
        try:
            key, floats = reader(tuple(map(type, given)))(*given)
            if options:
                key = (*key, *options)
            found = self._calls.get(key, ())
        except UnkeyedError as error:
            return self._unkeyed(error.kind)(*args, **options)
        except TypeError:  # an array of another library, with something that cannot be hashed
            return self.otherwise(*args, **options)
        for guard, call, plain in found:
            if guard is None or guard(floats):
                return call(*args, *floats) if plain else call(args, options, floats)
        return self._first_call(key, args, options, floats)

    # Preparing -------------------------------------------------------------------------------------------------------

    def _unkeyed(self, kind: type) -> Callable[..., Any]:
        """The function that runs for an argument of a type by which a call cannot be remembered."""
        if current_trace():  # a Symbol: this is a part of what is traced
            return self.function
        self._tell(
            "object", f"an argument is an object of type {kind.__name__}, which may change from call to call, so the function itself "
            "runs, without kernels; pass the numbers and arrays that it reads as arguments"
        )  # fmt: skip
        return self.otherwise

    def _tell(self, cause: str, message: str) -> None:
        """One line of information for each cause, to the author of the function; nobody else can do something about it."""
        if self.strict and cause not in self.told:
            self.told.add(cause)
            _log.warning("gpugrad: %s: %s", self.name, message)

    def _first_call(self, key: Any, args: tuple[Any, ...], options: dict[str, Any], floats: list[float]) -> Any:
        """The result of a call, for whose like from now on is remembered what to run."""
        with self._lock:
            try:
                prepared = self._bound(args, options, floats)
            except _Unaligned:  # which the key does not tell
                prepared = None
            except _Definition:
                prepared = None, self._run_definition, False
            if prepared is not None:
                if len(self._calls) >= _REMEMBERED:
                    self._calls.clear()
                self._calls.setdefault(key, []).append(prepared)
        if prepared is None:
            return self.otherwise(*args, **options)
        _, call, plain = prepared
        return call(*args, *floats) if plain else call(args, options, floats)

    def _run_definition(self, args: tuple[Any, ...], options: dict[str, Any], floats: list[float]) -> Any:
        return self.otherwise(*args, **options)

    def _bound(self, args: tuple[Any, ...], options: dict[str, Any], floats: list[float]) -> _Prepared:
        target = self._target(args, options)
        arrays = [x for x in args if is_array(x)]
        traced, program, sizes = self.specialized(args, options, target)
        if not program.runs:
            raise _Definition
        strided = {i: strides(x) for i, x in enumerate(arrays) if not contiguous(unstretched(x))}
        run = program.bind(sizes, strided)
        condition = traced.guard
        guard = None if condition is None or "k" not in traced.trace.guards.source() else functools.partial(condition, sizes)
        call = self._caller(run, args, traced, _drawer(traced.trace.draws, sizes, target))
        return guard, call, call is run

    def _caller(self, run: Run, args: tuple[Any, ...], traced: Traced, drawn: Callable[[], list[Any]]) -> Callable[..., Any]:
        """The function of (args, options, floats) that a call is; `run` itself where that gets the arguments as they are."""
        places = [i for i, x in enumerate(args) if is_array(x)]
        build = traced.rebuild
        single = build is _first
        if len(places) == len(args) and not traced.trace.draws and (single or build is tuple):
            return run

        def call(args: tuple[Any, ...], options: dict[str, Any], floats: list[float]) -> Any:
            found = run(*[args[i] for i in places], *drawn(), *floats)
            return found if single else build(found)

        return call

    def specialized(
        self, args: tuple[Any, ...], options: dict[str, Any], target: ModuleType
    ) -> tuple[Traced, Program, tuple[int, ...]]:
        """The trace and program for arguments like these, and the values of its size variables.

        Raises what tracing raises if `strict`; else _Definition.
        """
        spec, static, values = self._spec(args, options, target)
        floats = [x for x in (*args, *options.values()) if type(x) is float]
        variants = self.programs.get((spec, static, target.__name__), [])
        for traced, program in variants:
            if traced.guard is None or traced.guard(values, floats):
                return traced, program, values
        self._check_limit(spec, static, target)
        try:
            traced = self.trace(args, options, spec, values)
            program = self._program(traced, spec, target)
        except (UntraceableError, RecursionError):  # the latter for reductions inside of hundreds of others
            raise _Definition from None
        except Exception:
            if self.strict:
                raise
            raise _Definition from None
        self.programs.setdefault((spec, static, target.__name__), []).append((traced, program))
        return traced, program, values

    def _target(self, args: tuple[Any, ...], options: dict[str, Any]) -> ModuleType:
        """The module that compiles for these arguments; _Definition if there is none."""
        arrays = [x for x in args if is_array(x)]
        target = target_of(arrays)
        if target is None or any(0 in x.shape for x in arrays) or any(map(is_array, options.values())):
            raise _Definition
        return target

    def _spec(
        self, args: tuple[Any, ...], options: dict[str, Any], target: ModuleType
    ) -> tuple[tuple[Any, ...], tuple[Any, ...], tuple[int, ...]]:
        """What a trace depends on, of the arguments and of the options and the default dtype; and the values of the sizes."""
        sizes: dict[int, int] = {}
        try:
            spec = tuple(_array_spec(x, sizes, target) if is_array(x) else _number_spec(x) for x in args)
            static = (*((name, _number_spec(x)) for name, x in options.items()), ("", get_default_dtype()))
        except (UntraceableError, UnkeyedError):
            raise _Definition from None
        return spec, static, tuple(sizes)

    def _check_limit(self, spec: tuple[Any, ...], static: tuple[Any, ...], target: ModuleType) -> None:
        """_Definition, after a line of information, if there are enough programs for arrays of this pattern."""
        pattern = _pattern(spec), tuple(name for name, _ in static), target.__name__
        alike = {k: v for k, v in self.programs.items() if (_pattern(k[0]), tuple(name for name, _ in k[1]), k[2]) == pattern}
        if sum(map(len, alike.values())) < _VARIANTS:
            return
        given = [(*zip(self._names(len(k[0])), k[0], strict=True), *k[1][:-1]) for k in alike]
        values: dict[str, set[Any]] = {}
        for name, x in (pair for pairs in given for pair in pairs):
            values.setdefault(name, set()).add(x)
        name = max(values, key=lambda name: len(values[name]))
        if len(values[name]) > 1:
            cause = f"for different values of the argument {name!r}; if they are numbers, pass floats or arrays"
        else:
            cause = "since Python decides or computes by floats or sizes; use gpugrad's functions, such as where"
        self._tell("limit", f"there are {_VARIANTS} programs for arrays of one pattern, {cause}. New ones run without kernels")
        raise _Definition

    def _names(self, count: int) -> list[str]:
        """Names for that many positional arguments, for people."""
        try:
            parameters = list(inspect.signature(self.definition).parameters.values())
        except (TypeError, ValueError):
            parameters = []
        named = [x.name for x in parameters if x.kind in (x.POSITIONAL_ONLY, x.POSITIONAL_OR_KEYWORD)]
        return [*named[:count], *(f"number {i}" for i in range(len(named), count))]

    def described(self, args: tuple[Any, ...]) -> tuple[Traced, set[int], ModuleType]:
        """The trace for arguments like these, which of the inputs are strided, and the module that would compile it.

        Nothing is compiled or remembered. Raises what tracing raises, UntraceableError where the definition runs instead.
        """
        try:
            target = self._target(args, {})
            spec, _, values = self._spec(args, {}, target)
        except _Definition:
            raise UntraceableError(f"{self.name} has no kernels for these arguments: the function itself runs") from None
        return self.trace(args, {}, spec, values), strided_arrays(spec), target

    def _program(self, traced: Traced, spec: Sequence[Any], target: ModuleType) -> Program:
        strided = strided_arrays(spec)
        single = traced.rebuild is _first
        return Program(self.name, traced.outputs, traced.inputs, traced.scalars, strided, self.into, target, single=single)

    def trace(self, args: tuple[Any, ...], options: dict[str, Any], spec: Sequence[Any], values: tuple[int, ...]) -> Traced:
        """Run the function on Symbols like these arguments. Raises TracingError, and what the function raises."""
        trace = Trace(self.name)
        variables = [variable(i, n, trace) for i, n in enumerate(values)]
        inputs: list[Node] = []
        scalars: list[Node] = []

        def symbol(x: Any, s: Any) -> Any:
            if isinstance(s, Array):
                shape = tuple(1 if p == 1 else variables[-1 - p] for p in s.pattern)
                read = tuple(1 if i in s.stretched else n for i, n in enumerate(shape))
                inputs.append(trace.graph.node("input", (), (len(inputs), s.contiguous), dtype=s.dtype, shape=read))
                return trace.symbol(trace.graph.broadcast(inputs[-1], shape))
            if type(x) is float:
                scalars.append(trace.graph.node("scalar", (), (len(scalars),), dtype=FLOAT64, shape=()))
                return trace.symbol(scalars[-1], x, number=True)
            return x

        with tracing(trace):
            arguments = [symbol(x, s) for x, s in zip(args, spec, strict=True)]
            given = {name: symbol(x, None) for name, x in options.items()}
            trace.arguments = len(inputs)
            try:
                out = self.function(*arguments, **given)
            except RecursionError:
                raise TracingError(f"{self.name}: the function calls itself without end while it is traced") from None
            found, build = _results(out, trace, [x for x in (*arguments, *given.values()) if isinstance(x, Symbol)])
        inputs += [draw.node for draw in trace.draws]
        source = trace.guards.source()
        guard = None
        if source != "True":
            names = [f"s{i}" for i in range(len(values))]
            lines = [f"    {', '.join(names)}{',' if names else ''} = s\n"] if names else []
            lines += [f"    {', '.join(f'k{i}' for i in range(len(scalars)))}, = k\n"] if scalars else []
            scope: dict[str, Any] = {"numpy": numpy, "math": math, "inf": math.inf, "nan": math.nan}
            exec(f"def guard(s, k):\n{''.join(lines)}    return bool({source})", scope)
            guard = scope["guard"]
        return Traced(found, inputs, len(scalars), build, guard, trace)


def _drawer(draws: list[Draw], sizes: tuple[int, ...], target: ModuleType) -> Callable[[], list[Any]]:
    """A function that makes the arrays that each call draws, for these values of the sizes."""
    if not draws:
        return list
    counts = evaluator([draw.numbers for draw in draws])(sizes)

    def drawn() -> list[Any]:
        return [target.uploaded(draw.make(count)) for draw, count in zip(draws, counts, strict=True)]

    return drawn


def _pattern(spec: Sequence[Any]) -> tuple[Any, ...]:
    """The arrays and floats alone."""
    return tuple(s if s is float or isinstance(s, Array) else None for s in spec)


def strided_arrays(spec: Sequence[Any]) -> set[int]:
    """Which of the arrays are not contiguous, by their number among the arrays."""
    return {i for i, s in enumerate(s for s in spec if isinstance(s, Array)) if not s.contiguous}


def _number_spec(x: Any) -> Any:
    """What a trace depends on, of an argument that is no array: of a float, that it is one."""
    return float if type(x) is float else key_of(x)


def _array_spec(x: Any, sizes: dict[int, int], target: ModuleType) -> Array:
    """The pattern of an array. `sizes` numbers the sizes in order of appearance."""
    check_dtype(x.dtype)
    if not target.supported(x.dtype):
        raise UntraceableError(f"{x.dtype} has no kernels here")
    if type(x) is numpy.ndarray and not x.flags.aligned:
        raise _Unaligned
    pattern = tuple(1 if n == 1 else -1 - sizes.setdefault(n, len(sizes)) for n in x.shape)
    dense = contiguous(unstretched(x))
    if not dense:
        strides(x)  # which raises where kernels could not follow them
    return Array(type(x), x.dtype, pattern, dense, stretched(x))


def target_of(arrays: Sequence[Any]) -> ModuleType | None:
    """The module that compiles for these arrays; None if they are of several kinds, of one without kernels, or on several GPUs."""
    kinds = {type(x) for x in arrays}
    if kinds and all(
        kind is numpy.ndarray or kind is Pieces or issubclass(kind, numpy.generic) for kind in kinds
    ):  # no subclass: it may be masked
        return cpu
    if len(kinds) == 1 and is_cupy(next(iter(kinds))) and len({x.device.id for x in arrays}) == 1:
        return importlib.import_module("gpugrad.compile.cuda")  # it imports CuPy
    return None


_CONSTANTS = (Number, str, bytes, numpy.dtype, enum.Enum)
"""What a function may return besides arrays: what cannot hold any."""


def _results(out: Any, trace: Trace, arguments: Sequence[Symbol]) -> tuple[list[Node], Callable[[Sequence[Any]], Any]]:
    """The nodes of what a traced function returned, and how to make the same of arrays.

    Results that are equal, or equal to an argument, are arrays of their own unless the function returned the very same object.
    """
    found = leaves(out)
    owners = {x.node: x for x in arguments}
    nodes: list[Node] = []
    for x in found:
        if isinstance(x, Symbol):
            if owners.setdefault(x.node, x) is x:
                nodes.append(x.node)
            else:
                nodes.append(trace.graph.node("positive", (x.node,), (len(nodes),), dtype=x.dtype, shape=x.shape))
        elif isinstance(x, Size):
            nodes.append(asarray(x).node)
        elif is_array(x):
            raise trace.fail(
                "an array that does not depend on the arguments is returned", "make it outside of the fused function"
            )
        elif x is not None and not isinstance(x, _CONSTANTS):
            raise trace.fail(
                f"an object of type {type(x).__name__} is returned, which may hold arrays",
                "return arrays and numbers, in tuples, lists and dicts",
            )
    if not any(isinstance(x, Symbol) and x.is_number for x in found):
        if isinstance(out, Symbol):
            return nodes, _first
        if type(out) is tuple and all(isinstance(x, Symbol) for x in out):
            return nodes, tuple

    def build(arrays: Sequence[Any]) -> Any:
        given = iter(arrays)

        def result(x: Any) -> Any:
            if isinstance(x, Symbol):
                return next(given).item() if x.is_number else next(given)
            return next(given).item() if isinstance(x, Size) else x

        return rebuild(out, map(result, found))

    return nodes, build


def _first(arrays: Sequence[Any]) -> Any:
    """What a function returns that has one result and returns that; programs that are told so have no tuple around it."""
    return arrays[0]


def generated(language: str, name: str, outputs: Sequence[Node], inputs: Sequence[Node], strided: set[int]) -> str:
    """The source of a graph's kernels, "c" or "cuda". `strided` says which of the inputs are not contiguous."""
    steps = schedule(outputs, beside=language == "c")
    apart = {inputs[i].number for i in strided}
    return "\n".join(source.text for _, source in sources(steps, name, apart, _GENERATORS[language]))


_GENERATORS: dict[str, Callable[..., Any]] = {"c": c.generate, "cuda": cuda_source.generate}
