"""What a record is: an op, argument sets to call it with, its NumPy reference, and how far its derivatives are checked.

    Case("multiply", [call(real(2, 3), real(3)), call(real(2), 2.0)], numpy.multiply, complex=True)

`real(2, 3)` stands for an array of that shape drawn from that domain, the same in every run; everything else is passed as it
is. Domains keep their distance from the points where a function is not smooth, so that central differences can be trusted.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy

import gpugrad
from gpugrad import linalg
from gpugrad.check.backend import NUMPY, Backend
from gpugrad.families import REGISTRY
from gpugrad.trees import leaves, map_leaves

HERE = object()
"""In place of an argument: the device of the backend under test."""

Sampler = Callable[[numpy.random.Generator, tuple[int, ...]], Any]


@dataclass(frozen=True)
class Draw:
    """An array to be drawn. As float64 or complex128 if it is floating-point; gradients are taken with respect to it."""

    sampler: Sampler
    shape: tuple[int, ...]
    inexact: bool = True

    def sample(self, rng: numpy.random.Generator, complex: bool = False) -> Any:
        values = numpy.asarray(self.sampler(rng, self.shape))
        if complex and values.dtype == numpy.float64:
            values = values + 1j * _away_from_zero(rng, self.shape, 0.2, 0.8)
        return numpy.asarray(values)


def _away_from_zero(rng: numpy.random.Generator, shape: tuple[int, ...], low: float, high: float) -> Any:
    return rng.uniform(low, high, shape) * rng.choice([-1.0, 1.0], shape)


def _spaced(rng: numpy.random.Generator, shape: tuple[int, ...]) -> Any:
    count = int(numpy.prod(shape))
    return (rng.permutation(count).reshape(shape) - count / 2 + 0.25) * 0.3


def real(*shape: int) -> Draw:
    """From [-2, 2]."""
    return Draw(lambda rng, s: rng.uniform(-2, 2, s), shape)


def positive(*shape: int) -> Draw:
    """From [0.5, 2.5]."""
    return Draw(lambda rng, s: rng.uniform(0.5, 2.5, s), shape)


def unit(*shape: int) -> Draw:
    """From [-0.7, 0.7], inside the interval (-1, 1)."""
    return Draw(lambda rng, s: rng.uniform(-0.7, 0.7, s), shape)


def above_one(*shape: int) -> Draw:
    """From [1.5, 3]."""
    return Draw(lambda rng, s: rng.uniform(1.5, 3, s), shape)


def nonzero(*shape: int) -> Draw:
    """From [0.5, 2.5] with either sign."""
    return Draw(lambda rng, s: _away_from_zero(rng, s, 0.5, 2.5), shape)


def fractional(*shape: int) -> Draw:
    """From [-3, 3], at least 0.2 away from every integer."""
    return Draw(lambda rng, s: rng.integers(-3, 3, s) + rng.uniform(0.2, 0.8, s), shape)


def distinct(*shape: int) -> Draw:
    """Multiples of 0.3, shuffled: no two alike, none zero."""
    return Draw(_spaced, shape)


def complexes(*shape: int) -> Draw:
    """Complex numbers, both parts at least 0.2 away from zero."""
    return Draw(lambda rng, s: _away_from_zero(rng, s, 0.2, 2) + 1j * _away_from_zero(rng, s, 0.2, 2), shape)


def integers(*shape: int, low: int = -4, high: int = 5, dtype: str = "int64") -> Draw:
    """Integers from low to high - 1."""
    return Draw(lambda rng, s: rng.integers(low, high, s).astype(dtype), shape, inexact=False)


def booleans(*shape: int) -> Draw:
    return Draw(lambda rng, s: rng.integers(0, 2, s).astype(bool), shape, inexact=False)


def given(values: Any, dtype: str | None = None) -> Draw:
    """Just these values; a gradient is taken if they are floating-point."""
    array = numpy.asarray(values, dtype=dtype)
    return Draw(lambda rng, s: array.copy(), array.shape, inexact=array.dtype.kind in "fc")


@dataclass(frozen=True)
class Call:
    """One argument set. Trees of Draws and of anything else."""

    args: tuple[Any, ...]
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def differentiable(self) -> bool:
        """Whether there is an argument to take a gradient of."""
        return any(isinstance(x, Draw) and x.inexact for x in leaves([*self.args, self.options]))


def call(*args: Any, **options: Any) -> Call:
    """An argument set, written as the call of the op."""
    return Call(args, options)


@dataclass(frozen=True)
class Case:
    """The record of an op.

    `order`: derivatives are checked up to this order. 0 says that the op is locally constant: it records, and its gradient is
    zero. None says that its results are constants, which record nothing.
    `complex`: the op is also checked, to the same order, with its floating-point arguments made complex.
    `creates`: the op makes Tensors of anything; all others give Tensors for Tensors and arrays for arrays.
    `label` tells records of the same op apart. `function` is how to call an op that ``gpugrad.<name>`` is not.
    """

    name: str
    calls: Sequence[Call]
    reference: Callable[..., Any]
    order: int | None = 2
    complex: bool = False
    creates: bool = False
    rtol: float = 1e-11
    label: str = ""
    function: Callable[..., Any] | None = None

    def __call__(self, *args: Any, **options: Any) -> Any:
        """The op."""
        found = self.function or getattr(gpugrad, self.name, None) or getattr(linalg, self.name, None)
        return (found if callable(found) else REGISTRY[self.name])(*args, **options)


_PRECISIONS: dict[str, dict[str, str]] = {
    "float64": {},
    "float32": {"float64": "float32", "complex128": "complex64"},
    "float16": {"float64": "float16"},
    "bfloat16": {"float64": "bfloat16"},
}
"""What the dtypes of arrays that are drawn become."""


@dataclass(frozen=True)
class Example:
    """A record with one of its argument sets: what a test is run on."""

    case: Case
    number: int
    complex: bool = False

    @property
    def call(self) -> Call:
        return self.case.calls[self.number]

    @property
    def id(self) -> str:
        return "-".join(filter(None, (self.case.name, self.case.label, str(self.number), "complex" if self.complex else "")))

    def arguments(self, precision: str = "float64", backend: Backend = NUMPY) -> list[Any]:
        """The positional arguments and, last, the dict of options, with arrays of the backend where there were Draws.

        `precision` is "float64", "float32", "float16" or "bfloat16"; the last needs NumPy to know it, through ml_dtypes.
        """
        rng = numpy.random.default_rng(zlib.crc32(self.id.encode()))

        def sample(x: Any) -> Any:
            if not isinstance(x, Draw):
                return backend.device if x is HERE else x
            values = x.sample(rng, self.complex)
            return backend.asarray(values.astype(_PRECISIONS[precision].get(values.dtype.name, values.dtype)))

        return [*(map_leaves(sample, arg) for arg in self.call.args), map_leaves(sample, self.call.options)]

    def run(self, *arguments: Any) -> Any:
        """The op, called with what :meth:`arguments` gave or with its equals."""
        *args, options = arguments
        return self.case(*args, **options)

    def expected(self, precision: str = "float64") -> Any:
        """What NumPy says."""
        *args, options = self.arguments(precision)
        return self.case.reference(*args, **options)


def examples(cases: Sequence[Case], *, complex: bool = True) -> list[Example]:
    """All argument sets of these records; once more with complex numbers for records that say so."""
    return [
        Example(case, number, made_complex)
        for case in cases
        for made_complex in ((False, True) if complex and case.complex else (False,))
        for number, chosen in enumerate(case.calls)
        if chosen.differentiable or not made_complex
    ]
