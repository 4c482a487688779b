"""gg.fuse: a function as one op, run by kernels that are derived from it, gradients of every order included.

The first call traces the function; see ``gpugrad/compile/``. Where a gradient is recorded, the function and its backward sweep
are traced together, and cut where the fewest bytes have to be kept. The derivative of the backward pass is that of another
fused function, the vector-Jacobian product of this one: so there is a gradient of every order.
"""

from __future__ import annotations

import copy
import functools
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, Generic, ParamSpec, TypeVar

from gpugrad.compile.compiled import Compiled, Traced, generated, strided_arrays
from gpugrad.compile.graph import Node, describe
from gpugrad.compile.keys import is_array, lasting
from gpugrad.compile.program import Run
from gpugrad.compile.symbols import Symbol, current_trace
from gpugrad.debug import caller, examine
from gpugrad.differentiate import vjp
from gpugrad.errors import OptionError
from gpugrad.fused_gradient import Bound, Cut, JointTrace, Pair, Pull
from gpugrad.modes import AUTOCAST, DEBUG, RECORD, enable_grad, flags, no_grad, not_autocasting
from gpugrad.ops.elementwise import where
from gpugrad.ops.random_bits import given_states
from gpugrad.tape import Joint, Leaf, Tensor, raw
from gpugrad.trees import leaves, map_leaves, rebuild

P = ParamSpec("P")
R = TypeVar("R")

# What an argument is: anything that is no Tensor, a Tensor, a Tensor that records, a container.
_ARRAY, _CONSTANT, _RECORDING, _TREE = 0, 1, 2, 3


class _Kinds(dict[type, int]):
    """_ARRAY, _CONSTANT or _TREE by the type of an argument, filled on first use."""

    def __missing__(self, kind: type) -> int:
        found = _CONSTANT if issubclass(kind, Tensor) else _TREE if issubclass(kind, (list, tuple, dict)) else _ARRAY
        if len(self) >= 1024:
            self.clear()  # types need not live on
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
    Python floats may change from call to call; ints, bools, strings, dtypes and functions are part of the program, and so are the
    globals and the variables of enclosing functions that the function reads: the program keeps the values that they had.
    Matrix products and a few other ops (cumulative sums, sorting) run between kernels. Positions out of range in ``take`` and
    ``take_along_axis`` give nan.

    Where no C compiler is found, for arrays of other libraries, empty arrays, and what kernels cannot compute (complex numbers,
    results whose shape depends on data), the function itself runs. So it does, after a line of information, where an argument is
    an object with attributes, which may change from call to call, as `self` of a method is: fuse a function of the numbers and
    arrays that the method reads, and call it there. So it does for more than 32 combinations of ints, strings and the like.
    Results agree to a few units in the last place.

    Raises TypeError for what is no function; at a call TracingError for a function that asks for elements of its arguments, uses
    an array that is no argument, or returns anything but trees of arrays, numbers and text; and what the function itself raises,
    ShapeError for instance.
    """

    def __init__(self, function: Callable[P, R], *, name: str = "") -> None:
        if isinstance(function, (staticmethod, classmethod)):
            kind = type(function).__name__
            raise TypeError(f"fuse: got a {kind}, expected a function: write @{kind} above @gg.fuse, not below it")
        if not callable(function):
            raise TypeError(f"fuse: got {function!r}, expected a function of arrays")
        functools.update_wrapper(self, function)
        self._function: Callable[..., Any] = function
        self._name = name or getattr(function, "__name__", "fused")
        self._variants: dict[tuple[int, ...], _Constant | _Recording] = {}
        self._nested: dict[Any, fuse[..., Any]] = {}
        self._vjps: dict[Any, fuse[..., Any]] = {}
        self._told: set[str] = set()  # what the user has been told

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else _Method(self, instance)

    def __repr__(self) -> str:
        function = self._function
        return f"<gg.fuse of {getattr(function, '__module__', '')}.{getattr(function, '__qualname__', self._name)}>"

    def __copy__(self) -> fuse[P, R]:
        return fuse(self._function, name=self._name)

    def __deepcopy__(self, memo: dict[int, Any]) -> fuse[P, R]:
        return fuse(copy.deepcopy(self._function, memo), name=self._name)  # a method follows its object

    def __reduce__(self) -> Any:
        """By its name where it is found under it, as a function; else by its function."""
        name = getattr(self, "__qualname__", "")
        found: Any = sys.modules.get(getattr(self, "__module__", None) or "")
        for part in name.split("."):
            found = getattr(found, part, None)
        return name if found is self else (functools.partial(fuse, name=self._name), (self._function,))

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        if current_trace() is not None:
            return self._function(*args, **kwargs)  # a part of what is being traced
        if flags() & AUTOCAST:
            with not_autocasting():
                return self(*args, **kwargs)
        kinds = []
        for x in args:
            kind = _KINDS[type(x)]
            if kind is _TREE:
                return self._flattened(args, kwargs)
            kinds.append(kind)
        for x in kwargs.values():
            if _KINDS[type(x)] is not _ARRAY or is_array(x):
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
        wrapped = Tensor(out) if is_array(out) else map_leaves(lambda x: Tensor(x) if is_array(x) else x, out)
        if flags() & DEBUG:
            for x in leaves(wrapped):
                examine(x, self._name, tuple(args))
        return wrapped

    def _flattened(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The call with the leaves of its arguments."""
        tree = (args, kwargs)
        return self._of_leaves(tree)(*leaves(tree))

    def _of_leaves(self, tree: tuple[tuple[Any, ...], dict[str, Any]]) -> fuse[..., Any]:
        """The fused function of the leaves of arguments that nest like these."""
        structure = _structure(tree)
        nested = self._nested.get(structure)
        if nested is None:
            shape = map_leaves(lambda x: None, tree)

            def flat(*given: Any) -> Any:
                inner, options = rebuild(shape, iter(given))
                return self._function(*inner, **options)

            flat.__name__ = self._name
            made: fuse[..., Any] = fuse(flat)
            made._told = self._told
            nested = self._nested.setdefault(structure, made)
        return nested

    # To look at ------------------------------------------------------------------------------------------------------

    def graph(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """The graph that is traced for arguments like these, as text; for Tensors that record, that of the gradient too."""
        return "\n\n".join(describe(outputs, name) for name, outputs, _, _ in self._programs(args, kwargs))

    def source(self, language: str, /, *args: P.args, **kwargs: P.kwargs) -> str:
        """The source of the kernels for arguments like these, in "c" or "cuda"; for Tensors that record, also of the gradient.

        Nothing is compiled or run: CUDA source can be read on a machine without a GPU. Many rows of a few elements have kernels of
        their own on the CPU, of which those for longer rows are shown. Raises OptionError for another language.
        """
        if language not in ("c", "cuda"):
            raise OptionError(f"source: got {language!r}, expected 'c' or 'cuda'")
        parts = [
            generated(language, name, outputs, inputs, strided)
            for name, outputs, inputs, strided in self._programs(args, kwargs)
        ]
        return "\n".join(parts)

    def _programs(self, args: Any, kwargs: Any) -> list[tuple[str, list[Node], list[Node], set[int]]]:
        """Name, outputs, inputs and strided inputs of each program for a call."""
        given = leaves((args, kwargs))
        kinds = tuple((_RECORDING if x.node is not None else _CONSTANT) if isinstance(x, Tensor) else _ARRAY for x in given)
        return self._of_leaves((args, kwargs))._variant(kinds).describe([raw(x) for x in given])

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
            made: fuse[..., Any] = fuse(product)
            made._told = self._told
            found = self._vjps.setdefault(key, made)
        return found


lasting.add(fuse)


class _Method:
    """A fused function as a method of an object."""

    __slots__ = ("__func__", "__self__")

    def __init__(self, function: fuse[..., Any], instance: Any) -> None:
        self.__func__ = function
        self.__self__ = instance

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__func__(self.__self__, *args, **kwargs)

    def graph(self, *args: Any, **kwargs: Any) -> str:
        return self.__func__.graph(self.__self__, *args, **kwargs)

    def source(self, language: str, /, *args: Any, **kwargs: Any) -> str:
        return self.__func__.source(language, self.__self__, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") and not name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.__func__, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Method) and self.__func__ is other.__func__ and self.__self__ is other.__self__

    def __hash__(self) -> int:
        return hash((id(self.__func__), id(self.__self__)))

    def __repr__(self) -> str:
        return f"<method {self.__func__!r} of {self.__self__!r}>"

    def __reduce__(self) -> Any:
        return _Method, (self.__func__, self.__self__)

    def __deepcopy__(self, memo: dict[int, Any]) -> _Method:
        return _Method(self.__func__, copy.deepcopy(self.__self__, memo))


class _Constant(Compiled):
    """The function of raw arrays, which sees Tensors where it was given some."""

    def __init__(self, owner: fuse[..., Any], kinds: tuple[int, ...]) -> None:
        self.owner = owner
        self.kinds = kinds
        super().__init__(self._run, owner._name, strict=True)
        self.definition, self.told = owner._function, owner._told

    def _run(self, *args: Any, **options: Any) -> Any:
        given = [Tensor(x) if kind else x for x, kind in zip(args, self.kinds, strict=True)]
        with no_grad():
            return map_leaves(raw, self.owner._function(*given, **options))

    def describe(self, arrays: list[Any]) -> list[tuple[str, list[Node], list[Node], set[int]]]:
        traced, strided, _ = self.described(tuple(arrays))
        return [(self.name, traced.outputs, traced.inputs, strided)]


class _Recording(Compiled):
    """The function and its gradient, traced together. `kinds` says which arguments record."""

    def __init__(self, owner: fuse[..., Any], kinds: tuple[int, ...]) -> None:
        self.owner = owner
        self.kinds = kinds
        self.numbers = tuple(i for i, kind in enumerate(kinds) if kind == _RECORDING)
        super().__init__(self._run, owner._name, strict=True, otherwise=self._eager)
        self.definition, self.told = owner._function, owner._told

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
        trace.joint = joint = JointTrace(out, [given[i].node for i in self.numbers], inputs, trace)
        joint.differentiate()
        return map_leaves(raw, out)

    def _eager(self, *args: Any, **options: Any) -> Any:
        raise _Eager

    def _program(self, traced: Traced, spec: Sequence[Any], target: ModuleType) -> Any:
        return Pair(self.name, traced, strided_arrays(spec), target)

    def describe(self, arrays: list[Any]) -> list[tuple[str, list[Node], list[Node], set[int]]]:
        traced, strided, _ = self.described(tuple(arrays))
        cut = Cut(traced)
        outputs, inputs, kept_strided, _ = cut.backward_graph(tuple("whole" for _ in cut.joint.seeded))
        return [
            (self.name, traced.outputs + cut.extra, traced.inputs, strided),
            (f"{self.name}_backward", outputs, inputs, kept_strided),
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
        pull = Pull(owner, self.numbers, args, arrays, options, bound, saved, floats, states, nodes)
        record = Joint(owner._name, tuple(nodes), pull, len(joint.seeded))
        if flags() & DEBUG:
            record.site = caller()
        places = {i: k for k, i in enumerate(joint.seeded)}
        tensors = [
            Tensor(x, record.output(places[i], x) if i in places else None) if is_array(x) else x for i, x in enumerate(results)
        ]
        if flags() & DEBUG:
            for x in tensors:
                examine(x, owner._name, args)
        return tensors[0] if not isinstance(out, (list, tuple, dict)) else rebuild(out, iter(tensors))

    def _caller(self, run: Run, args: tuple[Any, ...], traced: Traced, drawn: Callable[[], list[Any]]) -> Callable[..., Any]:
        places = [i for i, x in enumerate(args) if is_array(x)]
        count = len(traced.outputs)
        bound: Bound = run  # type: ignore[assignment]

        def call(args: tuple[Any, ...], options: dict[str, Any], floats: list[float]) -> Any:
            states = drawn()
            given = [*(args[i] for i in places), *states]
            found = bound.forward(*given, *floats)
            return traced.rebuild(found[:count]), bound.pair.saved(given, found), bound, floats, states

        return call


class _Eager(Exception):  # noqa: N818
    """Not an error: the function is to run, op by op."""


def _structure(tree: Any) -> Any:
    """How a tree nests, as something that can be hashed."""
    if isinstance(tree, dict):
        return type(tree), tuple((key, _structure(value)) for key, value in tree.items())
    if isinstance(tree, (list, tuple)):
        return type(tree), tuple(map(_structure, tree))
    return None
