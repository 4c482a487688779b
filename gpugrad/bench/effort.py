"""How much is measured, and how the seconds for it are shared among the rows that are to come."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gpugrad.bench.case import Case
from gpugrad.bench.method import BURST, SETTLE


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    :param rounds: of each row.
    :param least: the rounds without which there is no row, where time is short.
    :param burst: seconds for a column in a round.
    :param trial: calls that warm up and tell how many fill a burst, twice.
    :param quick: whether the few sizes of a case are measured that it names for that, or all.
    :param seconds: for everything.
    """

    rounds: int = 15
    least: int = 15
    burst: float = BURST
    trial: int = 3
    quick: bool = False
    seconds: float = float("inf")

    def sizes(self, case: Case) -> Sequence[int]:
        """Those of the case that are measured, in the order in which they are."""
        return case.quick if self.quick else case.sizes


FULL = Effort()
QUICK = Effort(rounds=5, least=3, burst=0.01, trial=1, quick=True, seconds=22.0)


@dataclass
class Time:
    """The seconds that an effort has left, of which the cases to come, with the present one, have `reserved` some.

    They are for the first row of each: every case is to have that, whatever its first step compiles. Only what is left beside goes to
    other sizes, and to more rounds than the least.
    """

    effort: Effort
    reserved: float = 0.0
    end: float = float("inf")
    clock: Callable[[], float] = time.monotonic

    @property
    def limited(self) -> bool:
        """Whether it ends."""
        return self.end < float("inf")

    def left(self, *, first: bool) -> float:
        """Seconds for the next row, the first of its case or another."""
        return self.end - self.clock() - (0.0 if first else self.reserved)

    def rounds(self, seconds: Sequence[float], *, first: bool, reserve: float) -> int:
        """The rounds that there is time for, where a step of each column takes these seconds; 0 for less than the least.

        It is the `reserve` of the case, and half of what no case has reserved.
        """
        each = sum(SETTLE + max(1.25 * self.effort.burst, 2 * s) for s in seconds)
        warm = 2 * self.effort.trial * sum(seconds)
        left = self.left(first=first)
        share = reserve + max(0.0, self.left(first=False)) / 2
        count = int(min(max((share - warm) / each, self.effort.least), self.effort.rounds))
        return count if warm + self.effort.least * each <= left else 0
