"""A row of the tables of this folder: a function of the standard, what to call it with, and how it is called where it has no such name."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gpugrad.check.gradients import REAL_ONLY
from gpugrad.check.records.case import Call, Draw
from gpugrad.trees import map_leaves

Function = Callable[..., Any]
"""Of a namespace, arrays and options."""


@dataclass(frozen=True)
class Row:
    """A function with one set of arguments, real or made complex.

    It is called as ``function(namespace, *args, **options)``. `others` has what libraries that spell it differently are called by,
    and None for one that has no such function.
    """

    name: str
    call: Call
    function: Function
    others: Mapping[str, Function | None] = field(default_factory=dict)
    number: int = 0
    complex: bool = False

    @property
    def id(self) -> str:
        return f"{self.name}-{self.number}{'-complex' * self.complex}"

    def of(self, library: str) -> Function | None:
        return self.others.get(library, self.function)

    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        """Positional arguments and options, with random NumPy arrays where there were Draws."""
        rng = np.random.default_rng(zlib.crc32(self.id.encode()))
        made = map_leaves(
            lambda x: x.sample(rng, self.complex) if isinstance(x, Draw) else x, [*self.call.args, self.call.options]
        )
        return made[:-1], made[-1]


def by_name(name: str) -> Function:
    """A function under the name that the standard gives it: "sum", "linalg.svd"."""

    def function(xp: Any, *args: Any, **options: Any) -> Any:
        for part in name.split("."):
            xp = getattr(xp, part)
        return xp(*args, **options)

    return function


def rows(
    name: str, *calls: Call, function: Function | None = None, complex: str = "both", **others: Function | None
) -> Iterator[Row]:
    """The rows of a function, on real numbers and, if the standard has it take them, on complex ones; or on one ("real", "only")."""
    kinds = {"both": (False, True), "real": (False,), "only": (True,)}["real" if name in REAL_ONLY else complex]
    for made_complex in kinds:
        for arguments in calls:
            yield Row(name, arguments, function or by_name(name), others, complex=made_complex)


def each(names: str, *calls: Call, **more: Any) -> Iterator[Row]:
    """The rows of several functions that are called alike."""
    for name in names.split():
        yield from rows(name, *calls, **more)


def numbered(table: Sequence[Row]) -> list[Row]:
    """The table, with rows of one name told apart."""
    seen: dict[tuple[str, bool], int] = {}
    found = []
    for row in table:
        key = row.name, row.complex
        seen[key] = seen.get(key, -1) + 1
        found.append(replace(row, number=seen[key]))
    return found
