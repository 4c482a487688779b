"""Random programs on gpugrad's ops, which run alike on NumPy arrays, on Tensors, on CuPy arrays and on the Symbols of a trace."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import hypothesis.strategies as st
import numpy

import gpugrad as gg

DTYPES = tuple(
    map(numpy.dtype, ("float32", "float32", "float32", "float64", "float64", "float16", "int32", "int64", "uint8", "bool"))
)


@dataclass
class Step:
    """``function(*operands, **options)`` of earlier values, by number, and of Python numbers."""

    name: str
    function: Callable[..., Any]
    operands: tuple[Any, ...]  # Ref or a Python number
    options: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        given = [*map(repr, self.operands), *(f"{k}={v!r}" for k, v in self.options.items())]
        return f"{self.name}({', '.join(given)})"


class Ref(int):
    """The number of an earlier value."""

    def __repr__(self) -> str:
        return f"v{int(self)}"


@dataclass
class Program:
    """Steps on arguments, and the numbers of the values that are returned."""

    arguments: list[Any]
    steps: list[Step]
    results: list[int]

    def resized(self) -> Program:
        """The same steps on arguments whose axes of more than one element are longer."""

        def longer(x: Any) -> Any:
            return x if isinstance(x, float) else numpy.resize(x, tuple(n + 3 if n > 1 else n for n in x.shape))

        return Program([longer(x) for x in self.arguments], self.steps, self.results)

    def __repr__(self) -> str:
        lines = [f"v{i}: {_describe(x)}" for i, x in enumerate(self.arguments)]
        lines += [f"v{i + len(self.arguments)} = {step}" for i, step in enumerate(self.steps)]
        return "\n" + "\n".join([*lines, "return " + ", ".join(f"v{i}" for i in self.results)])

    def run(self, *arguments: Any, between: Callable[[int, Step, list[Any], Any], Any] | None = None) -> Any:
        values = list(arguments)
        for i, step in enumerate(self.steps):
            operands = [values[x] if isinstance(x, Ref) else x for x in step.operands]
            out = step.function(*operands, **step.options) if between is None else between(i, step, operands, None)
            values.append(out)
        return tuple(values[i] for i in self.results)


def _describe(x: Any) -> str:
    if isinstance(x, float):
        return repr(x)
    return f"{x.dtype}{x.shape} strides {x.strides} {x.tolist()}"


# Steps of a kind ----------------------------------------------------------------------------------------------------

UNARY = tuple(
    "abs acos asin asinh atan bitwise_invert ceil cos cosh exp expm1 floor isfinite isinf isnan log log10 log1p log2 logical_not "
    "negative positive reciprocal round sign signbit sin sinh sqrt square tanh trunc".split()
)
BINARY = tuple(
    "add atan2 bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor copysign divide equal floor_divide greater "
    "hypot less logaddexp logical_and logical_or logical_xor maximum minimum multiply not_equal pow remainder subtract".split()
)
REDUCTIONS = tuple("sum prod max min mean var std any all".split())


def _slice(x: Any, key: Any) -> Any:
    return x[key]


def _concat(*arrays: Any, axis: int) -> Any:
    return gg.concat(arrays, axis=axis)


def _stack(*arrays: Any, axis: int) -> Any:
    return gg.stack(arrays, axis=axis)


def _to_integer(x: Any, dtype: Any) -> Any:
    """A cast whose result is defined for every number."""
    return gg.astype(gg.where(gg.isnan(x), 0, gg.clip(x, 0, 100)), dtype)


def _signbit(x: Any) -> Any:
    """That of a nan is nobody's concern."""
    return gg.where(gg.isnan(x), False, gg.signbit(x))


def _copysign(x: Any, y: Any) -> Any:
    return gg.copysign(x, gg.where(gg.isnan(y), 1.0, y) if hasattr(y, "shape") else y)


def _floating(x: Any) -> Any:
    return x if not hasattr(x, "dtype") or x.dtype.kind == "f" else gg.astype(x, gg.float64)


def _reciprocal(x: Any) -> Any:
    """Of integers there is no kernel."""
    return gg.reciprocal(_floating(x))


def _pow(x: Any, y: Any) -> Any:
    """Of integers to the power of arrays there is no kernel."""
    return gg.pow(_floating(x), y) if hasattr(y, "shape") else gg.pow(x, y)


OWN = {"signbit": _signbit, "copysign": _copysign, "reciprocal": _reciprocal, "pow": _pow}


class Builder:
    """Draws steps that NumPy can run, running them. A class of other steps derives from it."""

    UNARY: tuple[str, ...] = UNARY
    BINARY: tuple[str, ...] = BINARY
    REDUCTIONS: tuple[str, ...] = REDUCTIONS
    NORMALISING: tuple[str, ...] = ("subtract", "divide", "less", "multiply")
    NUMBERS: tuple[Any, ...] = (2, 3, -1, 0, 1, True, 0.5, -2.25, 1e-3, 0.0, -0.0, math.inf, math.nan)
    CASTS: tuple[Any, ...] = DTYPES
    OWN: dict[str, Callable[..., Any]] = OWN
    KINDS: tuple[str, ...] = (
        "unary", "binary", "binary", "binary", "scalar", "where", "reduce", "reduce", "normalise", "cast", "reshape", "permute",
        "slice", "expand", "squeeze", "flip", "concat", "take", "along", "tril", "boundary", "broadcast",
    )  # fmt: skip

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.values: list[Any] = []
        self.steps: list[Step] = []

    def among(self, choices: Any) -> Any:
        return self.draw(st.sampled_from(list(choices)))

    def operand(self, fits: Callable[[Any], bool] = lambda x: True) -> Ref | None:
        """A value that fits, a recent one by preference."""
        found = [i for i, x in enumerate(self.values) if not isinstance(x, float) and fits(x)]
        if not found:
            return None
        return Ref(found[-1 - self.draw(st.integers(0, len(found) - 1))])

    def add(self, name: str, *operands: Any, function: Callable[..., Any] | None = None, **options: Any) -> None:
        step = Step(name, function or self.OWN.get(name) or getattr(gg, name), operands, options)
        given = [self.values[x] if isinstance(x, Ref) else x for x in operands]
        try:
            out = step.function(*given, **options)
        except (TypeError, ValueError, OverflowError, IndexError):
            return  # not defined for these: NumPy says so
        if self.accepts(out):
            self.steps.append(step)
            self.values.append(out)

    def accepts(self, out: Any) -> bool:
        """Whether a result may be a value of the program."""
        return numpy.dtype(out.dtype).kind in "biuf" and out.size <= 5000 and numpy.dtype(out.dtype).itemsize <= 8

    def step(self) -> None:
        getattr(self, f"_{self.among(self.KINDS)}")()

    def partner(self, x: Any) -> Ref | None:
        return self.operand(lambda y: _broadcast(x.shape, y.shape))

    def _unary(self) -> None:
        self.add(self.among(self.UNARY), self.operand())

    def _binary(self) -> None:
        x = self.operand()
        y = self.partner(self.values[x])
        self.add(self.among(self.BINARY), *((x, y) if self.draw(st.booleans()) else (y, x)))

    def _scalar(self) -> None:
        x = self.operand()
        floats = [Ref(i) for i, v in enumerate(self.values) if isinstance(v, float)]
        number = self.among([*self.NUMBERS, *floats])
        self.add(self.among(self.BINARY), *((x, number) if self.draw(st.booleans()) else (number, x)))

    def _where(self) -> None:
        condition = self.operand(lambda x: x.dtype == bool)
        if condition is not None:
            x = self.partner(self.values[condition])
            y = self.partner(self.values[x])
            self.add("where", condition, x, self.among([y, 0, 1.5]))

    def axes(self, x: Any) -> Any:
        if not x.ndim or self.draw(st.integers(0, 3)) == 0:
            return None
        axes = self.draw(st.lists(st.integers(0, x.ndim - 1), min_size=1, unique=True))
        axes = [a - x.ndim if self.draw(st.booleans()) else a for a in axes]
        return axes[0] if len(axes) == 1 else tuple(axes)

    def _reduce(self) -> None:
        x = self.operand()
        self.add(self.among(self.REDUCTIONS), x, axis=self.axes(self.values[x]), keepdims=self.draw(st.booleans()))

    def _normalise(self) -> None:
        """A reduction that is broadcast back."""
        x = self.operand()
        before = len(self.values)
        self.add(self.among(self.REDUCTIONS), x, axis=self.axes(self.values[x]), keepdims=True)
        if len(self.values) > before:
            self.add(self.among(self.NORMALISING), x, Ref(before))

    def _cast(self) -> None:
        x, dtype = self.operand(), self.among(self.CASTS)
        if dtype.kind in "iu":
            self.add("astype", x, function=_to_integer, dtype=dtype)
        else:
            self.add("astype", x, dtype=dtype)

    def _reshape(self) -> None:
        x = self.operand()
        total = self.values[x].size
        factors = [n for n in range(1, total + 1) if total % n == 0] if total else [0, 1, 3]
        a = self.among(factors)
        shapes = [(-1,), (total,), (a, -1)] if total else [(0,), (3, 0)]
        if total:
            b = self.among([n for n in range(1, total // a + 1) if total // a % n == 0])
            shapes += [(a, b, total // a // b), (a, 1, -1)]
        self.add("reshape", x, shape=self.among(shapes))

    def _permute(self) -> None:
        x = self.operand()
        axes = tuple(self.draw(st.permutations(range(self.values[x].ndim))))
        self.add("permute_dims", x, axes=axes)

    def _slice(self) -> None:
        x = self.operand(lambda x: x.ndim > 0)
        if x is None:
            return
        bound = st.one_of(st.none(), st.integers(-7, 7))
        part = st.one_of(
            st.just(slice(None)),
            st.integers(-3, 2),
            st.none(),
            st.builds(slice, bound, bound, st.sampled_from([None, 1, 2, 3, -1, -2])),
        )
        key = [self.draw(part) for _ in range(self.values[x].ndim)]
        while sum(k is not None for k in key) > self.values[x].ndim:
            key.pop()
        if self.draw(st.booleans()):
            key = [*key[:1], ...]
        self.add("slice", x, function=_slice, key=tuple(key))

    def _expand(self) -> None:
        x = self.operand(lambda x: x.ndim < 4)
        if x is not None:
            self.add("expand_dims", x, axis=self.draw(st.integers(-1, self.values[x].ndim)))

    def _squeeze(self) -> None:
        x = self.operand(lambda x: 1 in x.shape)
        if x is not None:
            self.add("squeeze", x, axis=self.among(i for i, n in enumerate(self.values[x].shape) if n == 1))

    def _flip(self) -> None:
        x = self.operand()
        self.add("flip", x, axis=self.axes(self.values[x]))

    def _concat(self) -> None:
        x = self.operand(lambda x: x.ndim > 0)
        if x is None:
            return
        first = self.values[x]
        axis = self.draw(st.integers(-1, first.ndim - 1))
        others = self.operand(
            lambda y: (
                y.ndim == first.ndim
                and all(a == b or i == axis % y.ndim for i, (a, b) in enumerate(zip(y.shape, first.shape, strict=True)))
            )
        )
        self.add("concat", x, others, function=_concat, axis=axis)
        same = self.operand(lambda y: y.shape == first.shape)
        if self.draw(st.booleans()):
            self.add("stack", x, same, function=_stack, axis=axis)

    def _take(self) -> None:
        x = self.operand(lambda x: x.ndim > 0 and x.size > 0)
        places = self.operand(lambda p: p.dtype.kind in "iu" and p.ndim <= 2)
        if x is None or places is None:
            return
        axis = self.draw(st.integers(0, self.values[x].ndim - 1))
        self.add("take", x, self._within(places, self.values[x].shape[axis]), axis=axis)

    def _along(self) -> None:
        x = self.operand(lambda x: x.ndim > 0 and x.size > 0)
        if x is None:
            return
        shape = self.values[x].shape
        places = self.operand(lambda p: p.dtype.kind in "iu" and p.ndim == len(shape) and _broadcast(p.shape, shape))
        if places is None:
            return
        axis = self.draw(st.integers(0, len(shape) - 1))
        self.add("take_along_axis", x, self._within(places, shape[axis]), axis=axis)

    def _within(self, places: Ref, n: int) -> Ref:
        """Positions that are in range, some counted from the end."""
        self.add("remainder", places, 2 * n if n < 100 else n)
        self.add("subtract", Ref(len(self.values) - 1), n)
        signed = self.values[-1].dtype.kind == "i"
        if not signed:
            self.add("remainder", places, n)
        return Ref(len(self.values) - 1)

    def _tril(self) -> None:
        x = self.operand(lambda x: x.ndim >= 2)
        if x is not None:
            self.add(self.among(["tril", "triu"]), x, k=self.draw(st.integers(-2, 2)))

    def _boundary(self) -> None:
        x = self.operand(lambda x: x.ndim > 0 and x.size > 0)
        if x is None:
            return
        shape = self.values[x].shape
        y = self.operand(lambda y: y.ndim == 2 and y.shape[0] == shape[-1] and y.size)
        if y is not None and self.draw(st.booleans()):
            self.add("matmul", x, y)
        else:
            self.add("cumulative_sum", x, axis=self.draw(st.integers(0, len(shape) - 1)))

    def _broadcast(self) -> None:
        x = self.operand()
        y = self.partner(self.values[x])
        shape = numpy.broadcast_shapes(self.values[x].shape, self.values[y].shape)
        self.add("broadcast_to", x, shape=self.among([shape, (2, *shape)]))


def _broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    try:
        numpy.broadcast_shapes(a, b)
    except ValueError:
        return False
    return True


# Arguments ----------------------------------------------------------------------------------------------------------


def _numbers(dtype: Any, shape: tuple[int, ...], seed: int, special: bool) -> Any:
    rng = numpy.random.default_rng(seed)
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind in "iu":
        return rng.integers(0 if dtype.kind == "u" else -20, 20, shape).astype(dtype)
    out = (rng.standard_normal(shape) * rng.choice([0.1, 1.0, 3.0])).astype(dtype)
    if special:
        places = rng.random(shape) < 0.2
        out = numpy.where(places, rng.choice([numpy.inf, -numpy.inf, numpy.nan, 0.0, -0.0], shape), out).astype(dtype)
    return out


@st.composite
def arguments(draw: Any, dtypes: tuple[Any, ...] = DTYPES, special: bool = True, empty: bool = True) -> list[Any]:
    """One to three arrays whose shapes broadcast, and perhaps a number. `special` numbers are inf, nan and zeros of both signs."""
    sizes = draw(st.lists(st.sampled_from([1, 2, 3, 4, 5, 7, 18, 130]), min_size=1, max_size=3))
    if math.prod(sizes) > 3000:
        sizes = sizes[:1]
    arrays: list[Any] = []
    for _ in range(draw(st.integers(1, 3))):
        shape = tuple(n if draw(st.integers(0, 3)) else 1 for n in sizes)[
            draw(st.integers(0, len(sizes))) if draw(st.booleans()) else 0 :
        ]
        if empty and draw(st.integers(0, 60)) == 60:
            shape = (0, *shape[1:])
        dtype = draw(st.sampled_from(dtypes))
        seed, odd = draw(st.integers(0, 1000)), special and draw(st.integers(0, 4)) == 0
        layout = draw(st.sampled_from(["plain", "plain", "plain", "transposed", "strided", "reversed"]))
        if layout == "transposed":
            x = _numbers(dtype, shape[::-1], seed, odd).T
        elif layout == "strided" and shape:
            x = _numbers(dtype, (*shape[:-1], 2 * shape[-1]), seed, odd)[..., ::2]
        elif layout == "reversed" and shape:
            x = _numbers(dtype, shape, seed, odd)[::-1]
        else:
            x = _numbers(dtype, shape, seed, odd)
        arrays.append(numpy.asarray(x))
    if draw(st.booleans()):
        arrays.append(draw(st.sampled_from([0.5, -1.75, 2.0, 1e-4])))
    return arrays


@st.composite
def programs(draw: Any, most: int = 10) -> Program:
    builder = Builder(draw)
    given = draw(arguments())
    builder.values = list(given)
    with warnings.catch_warnings(), numpy.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for _ in range(draw(st.integers(min(4, most), most))):
            builder.step()
    made = range(len(given), len(builder.values)) or range(1)
    results = draw(st.lists(st.sampled_from(list(made)), min_size=1, max_size=3))
    results.append(made[-1])
    return Program(given, builder.steps, list(dict.fromkeys(results)))
