"""Random programs with gradients: differentiable steps, a loss of some of the results, and the gradients that it may have.

A gradient that is recorded op by op is computed several times, in float64 with the result of every step disturbed, and in the working
precision from disturbed arguments. How far these lie apart says how exact the kernels' gradient can be; see ``disturbed.py``.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import hypothesis.strategies as st
import numpy
import pytest
from compile.disturbed import EXACT, RUNS, compare, disturbed, identity, precision, wide_result, widened, working_dtypes
from compile.programs import Builder, Program, Ref, Step, arguments

import gpugrad as gg
from gpugrad import fusion
from gpugrad.nn import functional as F
from gpugrad.tape import Leaf

FLOATS = tuple(map(numpy.dtype, ("float32", "float32", "float64", "float64")))
MIXED = tuple(map(numpy.dtype, ("float32", "float32", "float64", "float64", "float16", "int32", "int64", "bool")))
LARGEST = 50.0
"""Of the values of a program: beyond, most of what is added is lost in rounding."""


# Steps that are smooth, or have their kinks where numbers seldom are --------------------------------------------------


def _root(x: Any) -> Any:
    return gg.sqrt(gg.abs(x) + 0.5)


def _root_where_positive(x: Any) -> Any:
    """The derivative of the branch that is not taken is infinite or nan."""
    return gg.where(x > 0, gg.sqrt(x), 0)


def _singular(x: Any) -> Any:
    """Its derivative is nan where x is not positive: the loss is to leave these elements out, by a where outside of the program."""
    return gg.sqrt(x * gg.astype(x > 0, x.dtype))


def _log_where_positive(x: Any) -> Any:
    return gg.where(x > 0.25, gg.log(x), gg.expm1(x))


def _reciprocal_where_large(x: Any) -> Any:
    return gg.where(gg.abs(x) > 0.5, 1 / x, x)


def _log(x: Any) -> Any:
    return gg.log(1 + x * x)


def _log1p(x: Any) -> Any:
    return gg.log1p(gg.abs(x))


def _exp(x: Any) -> Any:
    return gg.exp(gg.minimum(x, 2))


def _asin(x: Any) -> Any:
    return gg.asin(0.9 * gg.tanh(x))


def _clip(x: Any) -> Any:
    return gg.clip(x, -0.75, 1.25)


def _relu(x: Any) -> Any:
    return gg.maximum(x, 0)


def _stopped(x: Any) -> Any:
    return x * gg.stop_gradient(gg.sin(x))


def _gelu(x: Any) -> Any:
    return F.gelu(x, approximate="tanh")


def _divide(x: Any, y: Any) -> Any:
    return x / (1 + y * y)


def _pow(x: Any, y: Any) -> Any:
    return (0.5 + x * x) ** gg.tanh(y)


def _atan2(x: Any, y: Any) -> Any:
    return gg.atan2(x, 1 + y * y)


def _hypot(x: Any, y: Any) -> Any:
    return gg.hypot(x, 1 + gg.abs(y))


def _larger(x: Any, y: Any) -> Any:
    return gg.where(x > y, x * y, x)


_nested = gg.fuse(lambda x, y: (x - y) * gg.tanh(x + y), name="nested")


def _fused(x: Any, y: Any) -> Any:
    """Op by op in the reference: what is compiled has the nested function inside."""
    return _nested.__wrapped__(x, y)  # type: ignore[attr-defined]


def _deviation(x: Any, axis: Any, keepdims: bool) -> Any:
    return gg.sqrt(gg.var(x, axis=axis, keepdims=keepdims) + 0.25)


def _logsumexp(x: Any, axis: Any, keepdims: bool) -> Any:
    top = gg.stop_gradient(gg.max(x, axis=axis, keepdims=True))
    out = gg.log(gg.sum(gg.exp(x - top), axis=axis, keepdims=True)) + top
    return out if keepdims else gg.sum(out, axis=axis)


def _prod(x: Any, axis: Any, keepdims: bool) -> Any:
    return gg.prod(gg.cos(x), axis=axis, keepdims=keepdims)


OWN_UNARY = {
    "root": _root, "root_where_positive": _root_where_positive, "log_where_positive": _log_where_positive,
    "reciprocal_where_large": _reciprocal_where_large, "log": _log, "log1p": _log1p, "exp": _exp, "asin": _asin, "clip": _clip,
    "relu": _relu, "stopped": _stopped, "gelu": _gelu, "sigmoid": F.sigmoid, "silu": F.silu,
}  # fmt: skip
OWN_BINARY = {"divide": _divide, "pow": _pow, "atan2": _atan2, "hypot": _hypot, "larger": _larger, "fused": _fused}
OWN_REDUCTIONS = {"deviation": _deviation, "logsumexp": _logsumexp, "prod": _prod}


class DifferentiableBuilder(Builder):
    """Draws steps whose derivatives are defined and moderate."""

    UNARY = (*"abs asinh atan cos cosh expm1 floor negative positive sin sinh square tanh round".split(), *OWN_UNARY)
    BINARY = (*"add subtract multiply multiply maximum minimum logaddexp".split(), *OWN_BINARY)
    REDUCTIONS = (*"sum mean max min var".split(), *OWN_REDUCTIONS)
    NORMALISING = ("subtract", "divide", "multiply", "maximum")
    NUMBERS = (2, 3, -1, 0, 1, 0.5, -1.25, 1e-3)
    CASTS = FLOATS
    OWN = {**OWN_UNARY, **OWN_BINARY, **OWN_REDUCTIONS}
    KINDS = (
        "unary", "unary", "binary", "binary", "binary", "scalar", "choose", "reduce", "reduce", "normalise", "cast", "reshape",
        "permute", "slice", "expand", "squeeze", "flip", "concat", "take", "along", "tril", "boundary", "broadcast", "softmax", "power",
    )  # fmt: skip

    def operand(self, fits: Callable[[Any], bool] = lambda x: True) -> Ref | None:
        """A floating-point one, if any fits."""
        floating = super().operand(lambda x: x.dtype.kind == "f" and fits(x))
        return super().operand(fits) if floating is None else floating

    def accepts(self, out: Any) -> bool:
        finite = numpy.dtype(out.dtype).kind != "f" or bool(numpy.isfinite(out).all() and (abs(out) <= LARGEST).all())
        return super().accepts(out) and finite and out.size > 0  # reductions of no elements have no kernel

    def _choose(self) -> None:
        """One of two values, by a comparison or by what is given."""
        x = self.operand()
        y = self.partner(self.values[x])
        before = len(self.values)
        self.add(self.among(["less", "greater"]), x, self.among([y, 0.1]))
        if len(self.values) > before:
            self.add("where", Ref(before), *self.draw(st.permutations([x, self.among([y, 0, 1.5])])))

    def _softmax(self) -> None:
        x = self.operand(lambda x: x.ndim > 0 and x.dtype.kind == "f")
        if x is not None:
            name = self.among(["softmax", "log_softmax"])
            self.add(name, x, function=getattr(F, name), axis=self.draw(st.integers(0, self.values[x].ndim - 1)))

    def _power(self) -> None:
        self.add("pow", self.operand(), self.among([2, 3, 2.0]), function=gg.pow)


# A program and its loss -----------------------------------------------------------------------------------------------

ARRAY, CONSTANT, RECORDING = "array", "constant", "recording"
LOSSES = (
    "sum mean weighted weighted columns rows transposed reversed where where_column where_sum squared twice none none".split()
)


@dataclasses.dataclass
class Differentiated:
    """A program, what its arguments are, which arguments are one and the same, and what is done with each result."""

    program: Program
    kinds: list[str]
    same: dict[int, int]
    losses: list[str]

    @property
    def has_kernels(self) -> bool:
        """Whether kernels are sure to compute it all: the gradient of a gather has some where positions fit the rest."""
        return not any(step.name in ("take", "take_along_axis") for step in self.program.steps)

    def __repr__(self) -> str:
        return f"{self.program!r}\narguments {self.kinds}, same {self.same}, losses {self.losses}"


def _floating(x: Any) -> bool:
    return not isinstance(x, float) and x.dtype.kind == "f"


@st.composite
def differentiated(draw: Any, most: int = 8, singular: bool = True) -> Differentiated:
    """`singular`: one more result may have derivatives that are nan, where the loss masks them."""
    builder = DifferentiableBuilder(draw)
    dtypes = MIXED if draw(st.booleans()) else (draw(st.sampled_from(FLOATS)),)
    given = draw(arguments(dtypes=dtypes, special=False, empty=False))
    same = {}
    if draw(st.integers(0, 4)) == 0:
        twice = draw(st.sampled_from([i for i, x in enumerate(given) if not isinstance(x, float)]))
        same[len(given)] = twice
        given.append(given[twice])
    builder.values = list(given)
    with warnings.catch_warnings(), numpy.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for _ in range(draw(st.integers(min(3, most), most))):
            builder.step()
    values = [i for i, x in enumerate(builder.values) if not isinstance(x, float)]
    made = [i for i in values if i >= len(given)] or values
    results = draw(st.lists(st.sampled_from(made), min_size=1, max_size=3))
    if draw(st.integers(0, 5)) == 0:
        results.append(draw(st.sampled_from(values)))  # an argument, perhaps
    results = [*results, made[-1]] if draw(st.booleans()) else results
    results = list(dict.fromkeys(results)) if draw(st.booleans()) else results
    kinds = [draw(st.sampled_from([RECORDING, RECORDING, CONSTANT, ARRAY])) if _floating(x) else ARRAY for x in given]
    for j, i in same.items():
        kinds[j] = kinds[i]
    if RECORDING not in kinds:
        kinds = [RECORDING if _floating(x) else ARRAY for x in given]
    losses = [draw(st.sampled_from(LOSSES)) for _ in results]
    if singular and draw(st.integers(0, 3)) == 0:
        count = len(builder.values)
        builder.add("singular", builder.operand(), function=_singular)
        results += range(count, len(builder.values))
        losses += ["where_positive"] * (len(builder.values) - count)
    return Differentiated(Program(given, builder.steps, results), kinds, same, losses)


# Losses -----------------------------------------------------------------------------------------------------------------


def _weights(shape: tuple[int, ...], dtype: Any, upload: Any) -> Any:
    return upload(numpy.cos(numpy.arange(math.prod(shape))).reshape(shape).astype(dtype))


def _mask(shape: tuple[int, ...], upload: Any) -> Any:
    return upload((numpy.arange(math.prod(shape)) % 3 > 0).reshape(shape))


def loss_of(kind: str, y: Any, upload: Any) -> Any:
    """A number made from a result, so that its gradient is of a kind: one number broadcast, strided, masked."""
    w = _weights(tuple(y.shape), y.dtype, upload)
    if kind == "sum":
        return gg.sum(y)
    if kind == "mean":
        return gg.mean(y)
    if kind == "columns" and y.ndim:
        column = gg.sum(y, axis=0)
        return gg.sum(column * _weights(tuple(column.shape), y.dtype, upload))
    if kind == "rows" and y.ndim:
        return gg.sum(gg.sum(y, axis=-1, keepdims=True) * w[..., :1])
    if kind == "transposed":
        back = tuple(range(y.ndim))[::-1]
        return gg.sum(gg.permute_dims(y, back) * _weights(tuple(y.shape)[::-1], y.dtype, upload))
    if kind == "reversed" and y.ndim:
        return gg.sum(gg.flip(y, axis=-1) * w)
    if kind == "where":
        return gg.sum(gg.where(_mask(tuple(y.shape), upload), y, 0) * w)
    if kind == "where_positive":
        return gg.sum(gg.where(y > 0, y, 0) * w)
    if kind == "where_column" and y.ndim:
        return gg.sum(gg.where(_mask(tuple(y.shape)[-1:], upload), y, 0) * w)
    if kind == "where_sum" and y.ndim:
        rows = gg.sum(y, axis=-1)
        return gg.sum(gg.where(_mask(tuple(rows.shape), upload), rows, 0))
    if kind == "squared":
        return gg.sum(y * y * 0.5)
    if kind == "twice":
        return gg.sum(y * w) + gg.sum(y)
    return gg.sum(y * w)


def derivatives(
    function: Callable[..., Any], case: Differentiated, arrays: Sequence[Any], order: int, upload: Any
) -> list[Any]:
    """The results, and the gradients of each order with respect to the arguments that record; None where there is none."""
    given: list[Any] = []
    inputs = []
    for i, (x, kind) in enumerate(zip(arrays, case.kinds, strict=True)):
        if i in case.same:
            given.append(given[case.same[i]])
        elif kind == RECORDING:
            given.append(gg.Tensor(x, Leaf(x.shape, x.dtype)))
            inputs.append(given[-1])
        else:
            given.append(gg.Tensor(x) if kind == CONSTANT else x)
    results = function(*given)
    found = [x.array if isinstance(x, gg.Tensor) else x for x in results]
    parts = [
        loss_of(kind, y, upload)
        for y, kind in zip(results, case.losses, strict=True)
        if kind != "none" and isinstance(y, gg.Tensor) and y.requires_grad
    ]
    if not parts:
        return found
    loss = sum(parts[1:], start=parts[0])
    first = gg.gradients(loss, inputs, create_graph=order > 1, allow_unused=True)
    found += [None if g is None else g.array for g in first]
    if order > 1:
        live = [g for g in first if g is not None and g.requires_grad]
        if live:
            second = sum(gg.sum(gg.sin(g) * _weights(tuple(g.shape), g.dtype, upload)) for g in live)
            zeros = [numpy.zeros(x.shape, x.dtype) for x in inputs]
            for g, zero in zip(gg.gradients(second, inputs, allow_unused=True), zeros, strict=True):
                found.append(upload(zero) if g is None else g.array)
    return found


# The reference ------------------------------------------------------------------------------------------------------------


def _wide_run(case: Differentiated, dtypes: list[Any], order: int, seed: int) -> list[Any]:
    """The derivatives in float64, with the result of every step disturbed."""
    rng = numpy.random.default_rng(seed)

    def between(i: int, step: Step, operands: list[Any], out: Any) -> Any:
        working = dtypes[i]
        out = wide_result(step, operands, working, rng)
        if working.kind == "f":
            out = gg.astype(out, numpy.float64)
            narrowing = step.name == "astype" and working.itemsize < 8
            if seed % 2 or narrowing or step.name not in EXACT:  # in the even runs, equal elements stay equal
                out = disturbed(out, precision(working), rng)
        return out

    def function(*given: Any) -> Any:
        return case.program.run(*given, between=between)

    return derivatives(function, case, [widened(x) for x in case.program.arguments], order, identity)


def _working_run(case: Differentiated, order: int, seed: int) -> list[Any]:
    """The derivatives op by op in the working precision, of arguments that are disturbed unless `seed` is 0."""
    rng = numpy.random.default_rng(seed)

    def near(x: Any) -> Any:
        if seed == 0 or isinstance(x, float) or x.dtype.kind != "f":
            return x
        return (x.astype(numpy.float64) * (1 + precision(x.dtype) * rng.uniform(-1, 1, x.shape))).astype(x.dtype)

    given = [near(x) for x in case.program.arguments]
    return derivatives(case.program.run, case, given, order, identity)


@contextmanager
def only_kernels() -> Iterator[None]:
    """AssertionError where the fused function runs op by op, since kernels for it or its gradient could not be made."""

    def eager(*args: Any, **options: Any) -> Any:
        raise AssertionError("the function itself ran, not kernels")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fusion._Recording, "_eager", eager)
        patch.setattr(fusion.Pull, "_eager", eager)
        yield


def check_gradients(case: Differentiated, order: int = 1, upload: Any = identity, download: Any = identity) -> None:
    """Hold the results and gradients of the fused program to the reference; dtypes, shapes and None to those op by op."""
    with warnings.catch_warnings(), numpy.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        _, dtypes = working_dtypes(case.program, case.program.arguments)
        plain = _working_run(case, order, 0)
        runs = [[*_wide_run(case, dtypes, order, seed)] for seed in range(RUNS)]
        runs += [plain, *(_working_run(case, order, seed) for seed in (1, 2, 3))]
        arrays = [x if isinstance(x, float) else upload(x) for x in case.program.arguments]
        with only_kernels() if case.has_kernels else nullcontext():
            found = derivatives(gg.fuse(case.program.run), case, arrays, order, upload)
    assert [x is None for x in found] == [x is None for x in plain], "a gradient is None where another is not"
    there = [i for i, x in enumerate(plain) if x is not None]
    compare(
        [numpy.asarray(download(found[i])) for i in there],
        [numpy.asarray(plain[i]) for i in there],
        [[numpy.asarray(widened(numpy.asarray(run[i]))) for i in there] for run in runs],
        subnormal=download is identity,
        scaled=True,
    )
