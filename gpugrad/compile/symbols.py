"""Symbols: the arrays that a function is traced with.

A Symbol stands for an array whose elements are not known yet. It is one more array type of the Array API standard, with a
namespace of its own (``namespace.py``), so functions written for arrays, gpugrad's ops and its backward sweep run on Symbols
as they run on any array; what they did is then in the graph.

A *number* is a Symbol that stands for a Python float: it adapts to the dtype of the array beside it, as a Python float does, and
what it is compared with is noted as a guard.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy

from gpugrad.arrays.devices import creating_on
from gpugrad.arrays.dtypes import DType
from gpugrad.compile.graph import FLOAT64, Graph, Node, Shape, number
from gpugrad.compile.methods import Methods
from gpugrad.compile.sizes import Guards, Size, text, value
from gpugrad.debug import caller
from gpugrad.errors import TracingError, UntraceableError
from gpugrad.modes import debug, random_log, random_states

LIMIT = 50_000
"""Ops in one trace: far above what a function of reasonable size has, so that an endless loop ends with an error."""

KINDS = "biuf"  # of NumPy dtypes that kernels compute with


class Draw(NamedTuple):
    """What a traced function draws from a random generator: for how many numbers, and how each call gets it."""

    node: Node
    numbers: int | Size
    make: Callable[[int], Any]


class MissingAttributeError(TracingError, AttributeError):
    """An attribute of NumPy's arrays that Symbols do not have. As an AttributeError, it answers ``hasattr``."""


class Trace:
    """A function's run on Symbols: the graph that it writes and the conditions under which that graph holds."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.graph = Graph()
        self.guards = Guards()
        self.device = Device(self)
        self.ops = 0
        self.arguments = 0  # how many arrays the caller passes
        self.draws: list[Draw] = []
        self.joint: Any = None  # of a function that is traced with its gradient: see ``gpugrad/fused_gradient.py``

    def symbol(self, node: Node, hint: Any = None, number: bool = False) -> Symbol:
        self.ops += 1
        if self.ops > LIMIT:
            raise TracingError(
                f"{self.name}: more than {LIMIT:,} ops were traced, at {caller()}; is there a loop without an end, or one whose "
                "count depends on the data? Leave it outside of the fused function, or give it a fixed count"
            )
        return Symbol(self, node, hint, number)

    def draw(self, numbers: int | Size, make: Callable[[int], Any]) -> Symbol:
        """An array that ``make(numbers)`` makes anew for each call, the state of a random generator: an argument nobody passes."""
        if self.joint is not None:
            raise self.fail("random numbers were drawn in a backward pass", "draw them in the forward pass")
        number = self.arguments + len(self.draws)
        node = self.graph.node("input", (), (number, True), dtype=numpy.dtype("uint64"), shape=(6,))
        self.draws.append(Draw(node, numbers, make))
        return self.symbol(node)

    def number(self, op: str, x: Any, y: Any) -> Any:
        """``op(x, y)`` of numbers and sizes, at least one of which is known only at run time: a number."""
        nodes = [self._number_node(v) for v in (x, y)]
        hint = evaluate(op, *(float(_hint(v)) for v in (x, y)))
        return self.symbol(self.graph.apply(op, nodes, FLOAT64, ()), float(hint), number=True)

    def decide(self, op: str, x: Any, y: Any) -> bool:
        """Whether ``op(x, y)``, a comparison of numbers and sizes, holds in the call being traced; noted as a guard."""
        answer = bool(getattr(numpy, op)(_hint(x), _hint(y)))
        left, right = (_source(self._number_node(v)) for v in (x, y))
        self.guards.add(f"{'' if answer else 'not '}{left} {_OPERATORS[op]} {right}")
        return answer

    def fix(self, x: Symbol) -> float:
        """The value of a number in the call being traced, noting that it must stay so."""
        value = float(x.hint)
        self.guards.add(f"float({_source(x.node)}).hex() == {value.hex()!r}")  # tells -0.0 from 0.0; nan is nan
        return value

    def _number_node(self, x: Any) -> Node:
        if isinstance(x, Symbol):
            return x.node
        if isinstance(x, Size):
            return self.graph.cast(self.graph.size(x), FLOAT64)
        return self.graph.constant(float(x), FLOAT64)

    def fail(self, what: str, advice: str) -> TracingError:
        """The error for what a traced function cannot do, with the line that did it."""
        return TracingError(f"{self.name}: {what} at {caller()}; {advice}")


class Device:
    """The device of Symbols: that of the arguments, whatever it will be."""

    namespace: Any  # in which creation functions are looked up: namespace.py sets it

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def __repr__(self) -> str:
        return "that of the traced function's arguments (arrays made of other data have to be arguments, too)"

    @property
    def type(self) -> str:
        raise self.trace.fail(
            "the device was asked for its type, or an array that is no argument was made, of random numbers for instance,",
            "pass the array to the fused function as an argument",
        )


_current: ContextVar[Trace | None] = ContextVar("gpugrad_trace", default=None)


def current_trace() -> Trace | None:
    """The innermost trace that is under way in this context."""
    return _current.get()


@contextmanager
def tracing(trace: Trace) -> Iterator[Trace]:
    """Make `trace` the current one. What only NumPy could do raises TracingError inside."""
    log, states = random_log.set(None), random_states.set(None)  # those around the trace are for the calls of what is traced
    token = _current.set(trace)
    try:
        with creating_on(trace.device), debug(False):  # there are no elements to look at
            yield trace
    finally:
        _current.reset(token)
        random_states.reset(states)
        random_log.reset(log)


class Symbol(Methods):
    """An array without elements. ``namespace.py`` attaches its operators."""

    __slots__ = ("hint", "is_number", "node", "trace")

    # CuPy's operators leave the work to ours.
    __array_priority__ = 2000.0

    def __init__(self, trace: Trace, node: Node, hint: Any = None, number: bool = False) -> None:
        self.trace = trace
        self.node = node
        self.hint = hint  # of a number: its value in the call being traced
        self.is_number = number

    @property
    def shape(self) -> Shape:
        return self.node.shape

    @property
    def dtype(self) -> DType:
        return self.node.dtype

    @property
    def ndim(self) -> int:
        return len(self.node.shape)

    @property
    def size(self) -> int | Size:
        total: int | Size = 1
        for n in self.node.shape:
            total = total * n
        return total

    @property
    def device(self) -> Device:
        return self.trace.device

    def __repr__(self) -> str:
        return f"<traced {self.dtype} ({', '.join(map(repr, self.shape))})>"

    def __str__(self) -> str:
        return str(self.trace.fix(self)) if self.is_number else repr(self)

    def __format__(self, spec: str) -> str:
        return format(self.trace.fix(self), spec) if self.is_number else format(repr(self), spec)

    def __getattr__(self, name: str) -> Any:
        """What only Python floats have, of a number. Raises MissingAttributeError for all else."""
        if name.startswith("_") or name in Symbol.__slots__:
            raise AttributeError(f"'Symbol' object has no attribute {name!r}")
        if self.is_number and hasattr(float, name):
            return getattr(self.trace.fix(self), name)
        raise MissingAttributeError(
            f"{self.trace.name}: an array that is traced has no attribute {name!r}, at {caller()}; use gpugrad's functions"
        )

    # What needs elements ---------------------------------------------------------------------------------------------

    def __bool__(self) -> bool:
        if self.is_number:
            return self.trace.decide("not_equal", self, 0.0)
        raise self.trace.fail(
            "the flow of the program depends on an array's elements",
            "use gg.where, or leave the branch outside of the fused function",
        )

    def _value(self, what: str) -> Any:
        if self.is_number:
            return self.trace.fix(self)
        raise self.trace.fail(
            f"{what} of an array was asked",
            "a fused function is traced with arrays that have no elements yet; use gg.where instead of a branch, or leave this outside",
        )

    def item(self) -> Any:
        return self._value("item()")

    def tolist(self) -> Any:
        return self._value("tolist()")

    def __int__(self) -> int:
        return int(self._value("int()"))

    def __index__(self) -> int:
        if self.is_number:
            raise TypeError("'float' object cannot be interpreted as an integer")
        return int(self._value("an index"))

    def __float__(self) -> float:
        return float(self._value("float()"))

    def __round__(self, digits: int | None = None) -> Any:
        return round(self._value("round()"), digits)

    def __trunc__(self) -> int:
        return math.trunc(self._value("math.trunc()"))

    def __floor__(self) -> int:
        return math.floor(self._value("math.floor()"))

    def __ceil__(self) -> int:
        return math.ceil(self._value("math.ceil()"))

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __complex__(self) -> complex:
        return complex(self._value("complex()"))

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return numpy.asarray(self._value("the conversion to NumPy"), dtype)

    def __dlpack__(self, **options: Any) -> Any:
        return self._value("the conversion by DLPack")

    def __dlpack_device__(self) -> Any:
        return self._value("the conversion by DLPack")

    def __iter__(self) -> Any:
        first = self.shape[0] if self.shape else 0
        if isinstance(first, Size):
            first = first.fixed()
        return (self[i] for i in range(first))  # type: ignore[index]

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d array")
        n = self.shape[0]
        return n.fixed() if isinstance(n, Size) else n

    def __hash__(self) -> int:
        if not self.is_number:
            raise TypeError("unhashable: an array that is traced")
        return hash(self.trace.fix(self))


_OPERATORS = {"equal": "==", "not_equal": "!=", "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">="}


def _hint(x: Any) -> Any:
    return x.hint if isinstance(x, Symbol) else value(x) if isinstance(x, Size) else x


def evaluate(op: str, *values: Any) -> Any:
    """The elementwise function of Python numbers, without warnings."""
    with numpy.errstate(all="ignore"):
        return math.erf(*values) if op == "erf" else getattr(numpy, op)(*values)


def _source(node: Node) -> str:
    """Python source of a number, over the arguments ``k0, k1, ...`` and the sizes ``s0, s1, ...``."""
    if node.op == "scalar":
        return f"k{node.attributes[0]}"
    if node.op == "constant":
        return repr(number(node).item())
    if node.op == "size":
        return text(number(node))
    inputs = ", ".join(map(_source, node.inputs))
    if node.op == "erf":  # which NumPy does not have
        return f"math.erf({inputs})"
    return inputs if node.op == "cast" else f"numpy.{node.op}({inputs})"


def check_dtype(dtype: DType) -> DType:
    """The dtype. Raises UntraceableError if kernels cannot compute with it."""
    if not ((dtype.kind in KINDS and dtype.itemsize <= 8 and dtype.isnative) or dtype.name == "bfloat16"):
        raise UntraceableError(f"kernels compute with booleans, integers and real floating-point numbers, not with {dtype}")
    return dtype
