"""op: what recording one op costs, over the call of NumPy (or CuPy) that computes it: 64 float32."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy

import gpugrad as gg
from benchmarks import peers
from benchmarks.contest import Build, Contest, Limit, Step
from benchmarks.libraries import AUTOGRAD, CUPY, GPUGRAD, MYGRAD, NUMPY, PYTORCH

REPEATS = 500
LIMIT = 1.0
"""Microseconds over NumPy's call."""


@dataclass(frozen=True)
class Op:
    """A function by its name in all libraries, or "*", and its operands, NumPy arrays."""

    name: str
    operands: Sequence[Any]

    def repeated(self, library: Any, operands: Sequence[Any]) -> Any:
        """The last of many results of a library."""
        x, *others = operands
        if self.name == "*":
            (y,) = others
            for _ in range(REPEATS):
                out = x * y
            return out
        function = getattr(library, self.name)
        if not others:
            for _ in range(REPEATS):
                out = function(x)
            return out
        (y,) = others
        for _ in range(REPEATS):
            out = function(x, y)
        return out


def problem(name: str, count: int) -> Callable[[], Op]:
    """The op on so many random arrays."""
    rng = numpy.random.default_rng(0)
    operands = [rng.uniform(0.5, 1.5, 64).astype(numpy.float32) for _ in range(count)]
    return lambda: Op(name, operands)


def with_gpugrad(op: Op, device: str) -> Step:
    """The op on Tensors that record."""
    given = [gg.tensor(x, device=device, requires_grad=True) for x in op.operands]
    return lambda: op.repeated(gg, given)


def with_torch(op: Op, device: str) -> Step:
    """The same with PyTorch."""
    torch = peers.torch(device)
    given = [torch.tensor(x, device=device, requires_grad=True) for x in op.operands]
    return lambda: op.repeated(torch, given)


def with_autograd(op: Op, device: str) -> Step:
    """The same with HIPS autograd, as inside of a function that is differentiated."""
    autograd, core, tracer = (importlib.import_module(f"autograd.{name}") for name in ("numpy", "core", "tracer"))

    def step() -> Any:
        with tracer.trace_stack.new_trace() as trace:
            return op.repeated(autograd, [tracer.new_box(x, trace, core.VJPNode.new_root()) for x in op.operands])._value

    return step


def with_mygrad(op: Op, device: str) -> Step:
    """The same with MyGrad, which does not watch for writes into the operands."""
    mygrad = peers.mygrad()
    mygrad.turn_memory_guarding_off()
    given = [mygrad.tensor(x) for x in op.operands]
    return lambda: op.repeated(mygrad, given)


def bare(op: Op, device: str) -> Step:
    """The call alone, of NumPy or CuPy."""
    library = numpy if device == "cpu" else gg.arrays.devices.import_cupy()
    given = [gg.asarray(x, device=device).array for x in op.operands]
    return lambda: op.repeated(library, given)


COLUMNS: dict[str, Build] = {
    GPUGRAD: with_gpugrad, PYTORCH: with_torch, AUTOGRAD: with_autograd, MYGRAD: with_mygrad, NUMPY: bare, CUPY: bare,
}  # fmt: skip

CONTESTS = tuple(
    Contest(
        "op", work, problem(name, count), COLUMNS, targets=(Limit(LIMIT, NUMPY),), device_targets=(Limit(None, CUPY),),
        repeats=REPEATS, unit="us",
    )
    for work, name, count in (("multiply(x, y)", "multiply", 2), ("x * y", "*", 2), ("exp(x)", "exp", 1))
)  # fmt: skip
