"""The quintic Newton-Schulz iteration on NumPy's matrices by ``newton_schulz.c``: several matrices at a time, one on each thread.

A library of products shares each product of an iteration among its threads, which wait for each other after a tenth of a
millisecond of work. Here a thread runs through all iterations of a matrix by itself, in memory that stays in its cache, computes only
half of the symmetric products, and rounds where the sums still are in registers.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy

from gpugrad.compile.accelerate import SMALLEST
from gpugrad.compile.handwritten import handwritten
from gpugrad.compile.runtime import get_num_threads, plan

_LARGEST = 2**19  # elements of a matrix: larger ones leave the cache, and a library cuts them into blocks that do not
_TOGETHER = 2**18  # elements of the matrices of one call, about: what is kept of them takes memory
_PANEL = 32  # columns of the widest panel in newton_schulz.c
_NANOSECONDS = 0.02  # of a multiplication and an addition


def takes(shape: tuple[int, int], matrices: int) -> bool:
    """Whether this is quicker for so many matrices of a shape than the products of a library, and there is a compiler."""
    small, size = min(shape), shape[0] * shape[1]
    busy = matrices >= get_num_threads() or small <= 64
    return busy and SMALLEST <= size <= _LARGEST and _kernel() is not None


def at_a_time(shape: tuple[int, int]) -> int:
    """How many matrices of this shape are best given to one call: as many for each thread, and not more than take little memory."""
    threads = get_num_threads()
    return max(1, _TOGETHER // max(1, shape[0] * shape[1]) // threads) * threads


def newton_schulz(
    matrices: list[Any], coefficients: tuple[float, float, float], steps: int, eps: float, scale: float
) -> list[Any]:
    """`scale` times X for each of these float32 matrices of one shape, which may be written over, where X has run through `steps` of

    X <- a X + (b G + c G G) X with G = X X^T, or X^T X if that is smaller, from X / max(norm(X), eps), all rounded to bfloat16.
    """
    matrices = list(map(numpy.ascontiguousarray, matrices))
    launch, made = _plan(matrices[0].shape, len(matrices), steps)
    launch(made, *matrices, *map(float, coefficients), float(eps), float(scale))
    return matrices


@functools.lru_cache(256)
def _plan(shape: tuple[int, int], matrices: int, steps: int) -> tuple[Any, bytes]:
    """The launcher, and the plan."""
    found = _kernel()
    assert found is not None
    launch, addresses = found
    small, large = (-(-n // _PANEL) * _PANEL for n in sorted(shape))
    cost = matrices * (1 + steps) * small * small * (small + 2 * large) * _NANOSECONDS
    scratch = 4 * (2 * small * large + 2 * small * small + small * _PANEL)
    return launch, plan(addresses["newton_schulz"], matrices, int(cost), matrices, matrices, 5, scratch, 1, (*shape, steps))


def _kernel() -> Any:
    return handwritten(__file__, "f", ("newton_schulz",))
