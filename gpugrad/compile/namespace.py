"""The Array API namespace of Symbols: functions that write nodes into the graph of the current trace.

They take what the functions of the standard take. What has no place in a kernel becomes a call between kernels (matmul, sort,
cumulative_sum); what no graph can hold, a result whose shape depends on data for instance, raises TracingError.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from typing import Any

import numpy

from gpugrad.arrays.dtypes import (
    bool_,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)  # fmt: skip
from gpugrad.arrays.random import words_of
from gpugrad.compile import functions, reductions
from gpugrad.compile.functions import (
    BINARY,
    COMPARISONS,
    UNARY,
    asarray,
    astype,
    basic_index,
    broadcast_to,
    clip,
    elementwise,
    getitem,
    pad,
    reshape,
    scatter_add,
    where,
)  # fmt: skip
from gpugrad.compile.graph import same_shape
from gpugrad.compile.operands import is_weak, symbol_of, this_trace
from gpugrad.compile.symbols import Device, Symbol
from gpugrad.debug import caller
from gpugrad.errors import TracingError, UntraceableError
from gpugrad.tape import Tensor

__all__ = [
    "bool", "complex64", "complex128", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16",
    "uint32", "uint64",
]  # fmt: skip
bool = bool_
__array_api_version__ = "2025.12"
e, inf, nan, newaxis, pi = numpy.e, numpy.inf, numpy.nan, None, numpy.pi
finfo, iinfo, isdtype = numpy.finfo, numpy.iinfo, numpy.isdtype

FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: function
    for module in (functions, reductions)
    for name, function in vars(module).items()
    if callable(function) and getattr(function, "__module__", "") == module.__name__ and not name.startswith("_")
}
"""The functions of the namespace, by name."""

_OPERATORS = {
    "add": "add", "and": "bitwise_and", "floordiv": "floor_divide", "lshift": "bitwise_left_shift", "matmul": "matmul",
    "mod": "remainder", "mul": "multiply", "or": "bitwise_or", "pow": "pow", "rshift": "bitwise_right_shift", "sub": "subtract",
    "truediv": "divide", "xor": "bitwise_xor",
}  # fmt: skip
_DIVISIONS = frozenset({"divide", "floor_divide", "remainder"})
_UFUNCS = {getattr(numpy, name): name for name in (*UNARY, *BINARY) if isinstance(getattr(numpy, name, None), numpy.ufunc)}


def _operator(name: str, reflected: builtins.bool) -> Callable[[Any, Any], Any]:
    function = FUNCTIONS[name]

    def operator_method(self: Any, other: Any, /) -> Any:
        if isinstance(other, Tensor):
            return NotImplemented  # which takes the Symbol as an operand, and records
        x, y = (other, self) if reflected else (self, other)
        if name in _DIVISIONS and is_weak(x) and is_weak(y) and y == 0:
            raise ZeroDivisionError(f"{this_trace().name}: a number was divided by zero at {caller()}")
        try:
            return function(x, y)
        except TypeError as error:
            if isinstance(error, TracingError):
                raise
            return NotImplemented

    return operator_method


def _in_place(dunder: str) -> Callable[[Any, Any], Any]:
    """``x += y``: numbers are rebound, as are results of shape (), which NumPy has as scalars; arrays would change for all who hold them."""

    def in_place_method(self: Any, other: Any, /) -> Any:
        if isinstance(other, Tensor) or self.is_number or (self.shape == () and self.node.op != "input"):
            return NotImplemented  # then Python asks for x + y
        raise self.trace.fail(
            f"an array was changed in place (__{dunder}__)", "write x = x + y for x += y, which makes a new array"
        )

    return in_place_method


def _array_ufunc(self: Symbol, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
    """What NumPy's functions call for a Symbol: so do NumPy's scalars with an operator."""
    name = _UFUNCS.get(ufunc)
    if name is None or method != "__call__" or options:
        raise self.trace.fail(f"numpy.{ufunc.__name__} was called", "use gpugrad's functions")
    return elementwise(name, *inputs)


def _setitem(self: Symbol, key: Any, values: Any, /) -> None:
    raise self.trace.fail("an array was written to", "return a new array, made with gg.where or gg.concat")


def _attach() -> None:
    for dunder, name in _OPERATORS.items():
        setattr(Symbol, f"__{dunder}__", _operator(name, False))
        setattr(Symbol, f"__r{dunder}__", _operator(name, True))
        setattr(Symbol, f"__i{dunder}__", _in_place(f"i{dunder}"))
    for name, dunder in COMPARISONS.items():
        setattr(Symbol, f"__{dunder}__", _operator(name, False))
    for dunder, name in (("abs", "abs"), ("invert", "bitwise_invert"), ("neg", "negative"), ("pos", "positive")):
        setattr(Symbol, f"__{dunder}__", FUNCTIONS[name])
    for dunder, function in (("getitem", getitem), ("setitem", _setitem), ("array_ufunc", _array_ufunc)):
        setattr(Symbol, f"__{dunder}__", function)
    Symbol.__array_namespace__ = lambda self, /, *, api_version=None: sys.modules[__name__]  # type: ignore[attr-defined]


def _put(x: Any, value: Any, /, key: Any) -> Any:
    """A copy of x in which ``x[key]`` is `value`."""
    steps, selected, out = basic_index(key, x.shape)
    values = reshape(broadcast_to(asarray(value, dtype=x.dtype), out), selected)
    if same_shape(selected, x.shape):
        return values
    written = pad(broadcast_to(asarray(True), selected), steps, x.shape)
    return where(written, pad(values, steps, x.shape), x)


def _astype_like(x: Any, /, complex: builtins.bool) -> Any:
    if complex:
        raise UntraceableError("kernels compute with real numbers")
    return x


def _random_state(x: Any, take: Callable[[int], Any], width: int) -> Any:
    """See ``ops/random_bits.py``: each call of the traced function takes its own."""
    return this_trace().draw(x.size, lambda count: take(words_of(count, width)))


def _bernoulli_mask(x: Any, state: Any, threshold: Any, width: int, /) -> Any:
    dtype = uint32 if width == 32 else uint64
    node = this_trace().graph.node("philox", (state.node,), dtype=dtype, shape=x.shape)
    return elementwise("less", symbol_of(node), astype(threshold, dtype))


def _without_kernel(name: str) -> Callable[..., Any]:
    """In place of an op whose definition writes into arrays of its own, which no graph can hold."""

    def refuse(*operands: Any, **options: Any) -> Any:
        raise UntraceableError(f"{name} has no kernel")

    return refuse


class _NoSuchNameError(UntraceableError, AttributeError):
    """As of any module: pickle, for one, asks all modules for names that only one of them has."""


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    raise _NoSuchNameError(f"{name} has no kernel")


_attach()
Device.namespace = sys.modules[__name__]
# What the ops of gpugrad run on Symbols: as on other arrays of the standard, but numbers and sizes may stand beside them.
Symbol.__gpugrad_kernels__ = {name: FUNCTIONS[name] for name in (*UNARY, *BINARY)} | {  # type: ignore[attr-defined]
    "matmul": reductions.matmul, "where": where,
    "clip": lambda x, low, high, /: clip(x, low, high), "getitem": lambda x, /, key: getitem(x, key), "put": _put,
    "scatter_add": scatter_add, "owned": lambda x, alone, /: x, "astype_like": _astype_like,
    "random_state": _random_state, "bernoulli_mask": _bernoulli_mask,
} | {name: _without_kernel(name) for name in ("im2col", "col2im", "max_pool_indices", "pool_take", "pool_put")}  # fmt: skip
