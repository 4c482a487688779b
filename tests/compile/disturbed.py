"""What a random program may give: runs in float64, every one disturbed as the working precision would, and a comparison with them.

The result of every step that rounds is disturbed by as much as the working precision could; how far such runs lie apart says how
exact a compiled result can be. Where they disagree on a bool, an integer or a nan, any answer is right.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy
from compile.programs import Program, Step

EXACT = frozenset(
    "abs astype ceil clip concat copysign equal expand_dims flip floor greater isfinite isinf isnan less logical_and logical_not max "
    "maximum min minimum negative not_equal permute_dims positive reshape round sign signbit slice squeeze stack take take_along_axis "
    "tril triu trunc where".split()
)
"""Steps whose result is that of an operand's elements, or no floating-point number."""
ACCUMULATING = frozenset("sum prod mean var std matmul cumulative_sum vecdot".split())
RUNS = 6


def identity(x: Any) -> Any:
    return x


def precision(dtype: Any) -> float:
    return float(numpy.finfo(dtype).eps) if dtype.kind == "f" else 0.0


def disturbed(x: Any, eps: float, rng: Any) -> Any:
    """A floating-point array or Tensor, every element off by a few `eps`."""
    return x * (1 + 4 * eps * rng.uniform(-1, 1, tuple(x.shape)))


def widened(x: Any) -> Any:
    """A floating-point array in float64."""
    return x.astype(numpy.float64) if getattr(x, "dtype", None) is not None and x.dtype.kind == "f" else x


def wide_result(step: Step, operands: list[Any], working: Any, rng: Any) -> Any:
    """The result of a step on operands in float64, which are disturbed if it accumulates. `working` is its dtype as it is."""
    options = dict(step.options)
    if step.name == "astype" and numpy.dtype(options["dtype"]).kind == "f":
        options["dtype"] = numpy.float64
    eps = precision(working)
    if eps and step.name not in EXACT:  # NumPy computes functions of small integers in float16
        kinds = numpy.ndarray, numpy.generic
        operands = [x.astype(numpy.float64) if isinstance(x, kinds) and x.dtype.kind in "biu" else x for x in operands]
    if step.name in ACCUMULATING and eps:
        operands = [disturbed(x, eps, rng) if getattr(x, "dtype", None) == numpy.float64 else x for x in operands]
    return step.function(*operands, **options)


def reference(program: Program, dtypes: list[Any], seed: int) -> tuple[Any, ...]:
    """The results in float64, disturbed. `dtypes` are those of the steps' results in the working precision."""
    rng = numpy.random.default_rng(seed)

    def between(i: int, step: Step, operands: list[Any], out: Any) -> Any:
        working = dtypes[i]
        eps = precision(working)
        out = numpy.asarray(wide_result(step, operands, working, rng))
        if step.name in ACCUMULATING and out.size:  # errors of sums grow with the number of terms
            eps *= max(1.0, math.sqrt(operands[0].size / out.size) / 4)
        if working.kind == "f":
            if seed % 2:  # what is computed in more than the working precision may overflow later
                out = numpy.where(abs(out) <= numpy.finfo(working).max, out, out.astype(working)).astype(numpy.float64)
            out = out.astype(numpy.float64)
            narrowing = step.name == "astype" and working.itemsize < 8
            if step.name not in EXACT or narrowing:
                out = disturbed(out, eps, rng)
        return out

    out: tuple[Any, ...] = program.run(*map(widened, program.arguments), between=between)
    return out


def working_dtypes(program: Program, arguments: Sequence[Any]) -> tuple[tuple[Any, ...], list[Any]]:
    """The results of the program as it is, and the dtypes of the results of its steps."""
    dtypes: list[Any] = []

    def note(i: int, step: Step, operands: list[Any], out: Any) -> Any:
        out = step.function(*operands, **step.options)
        dtypes.append(numpy.dtype(out.dtype))
        return out

    return program.run(*arguments, between=note), dtypes


def compare(
    found: Sequence[Any], plain: Sequence[Any], runs: Sequence[Sequence[Any]], subnormal: bool = True, scaled: bool = False
) -> None:
    """Hold results to runs, and to the dtypes and shapes of a plain one.

    Without `subnormal`, such numbers may be zero. If `scaled`, an error of a few units in the last place of the largest element is
    none: gradients are sums, the terms of which a disturbance at the end of a step does not show.
    """
    for i, (x, expected) in enumerate(zip(found, plain, strict=True)):
        assert x.dtype == expected.dtype, f"result {i}: {x.dtype}, NumPy {expected.dtype}"
        assert x.shape == expected.shape, f"result {i}: {x.shape}, NumPy {expected.shape}"
        lows, highs = (f([run[i] for run in runs], axis=0) for f in (numpy.min, numpy.max))
        settled = numpy.all([(run[i] == runs[0][i]) | (run[i] != run[i]) for run in runs], axis=0)
        if x.dtype.kind != "f":
            wrong = settled & (x != runs[0][i])
        else:
            x64 = x.astype(numpy.float64)
            finite = numpy.isfinite(lows) & numpy.isfinite(highs)
            eps, limits = precision(x.dtype), numpy.finfo(x.dtype)
            with numpy.errstate(all="ignore"):
                smallest = float(limits.smallest_subnormal if subnormal else limits.smallest_normal)
                slack = 4 * (highs - lows) + 8 * eps * numpy.maximum(abs(lows), abs(highs)) + 8 * smallest
                if scaled and x.size:
                    slack = slack + 4 * eps * numpy.max(abs(highs[finite]), initial=0)
                near = (x64 >= lows - slack) & (x64 <= highs + slack) | (
                    numpy.isinf(x64) & (abs(highs) + abs(lows) > 0.9 * float(limits.max))
                )
            special = [(run[i] == x64) | (numpy.isnan(run[i]) & numpy.isnan(x64)) for run in runs]
            undecided = ~numpy.all([numpy.isfinite(run[i]) == numpy.isfinite(runs[0][i]) for run in runs], axis=0)
            undecided |= ~numpy.all([numpy.isnan(run[i]) == numpy.isnan(runs[0][i]) for run in runs], axis=0)
            wrong = ~numpy.where(finite, near, numpy.any(special, axis=0) | undecided)
        assert not wrong.any(), (
            f"result {i}: {x[wrong][:5]}, expected {lows[wrong][:5]} to {highs[wrong][:5]}, at {numpy.argwhere(wrong)[:5].tolist()}"
        )


def check(program: Program, compiled: Callable[..., Any], upload: Any = identity, download: Any = identity) -> None:
    """Hold a compiled program to the reference, and to NumPy's dtypes and shapes."""
    with warnings.catch_warnings(), numpy.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        plain, dtypes = working_dtypes(program, program.arguments)
        runs = [[numpy.asarray(x) for x in reference(program, dtypes, seed)] for seed in range(RUNS)]
        runs.append([numpy.asarray(widened(x)) for x in plain])
        found = compiled(*(x if isinstance(x, float) else upload(x) for x in program.arguments))
    compare([download(x) for x in found], plain, runs, subnormal=download is identity)


def runs_on_numpy(program: Program) -> bool:
    """Whether the program is defined for its arguments."""
    with warnings.catch_warnings(), numpy.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            program.run(*program.arguments)
        except (TypeError, ValueError, OverflowError, IndexError):
            return False
    return True
