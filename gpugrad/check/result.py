"""One line of the report: what is checked, how far it is off, and running all of it whatever happens."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy

from gpugrad import cuda
from gpugrad.arrays.devices import Device, on
from gpugrad.check.about import said
from gpugrad.check.backend import Backend

Measured = Iterator[tuple[str, float]]
"""Pairs of what was compared and how far it was apart, in units of the tolerance: up to 1 is agreement."""


NOTHING = {"fused": "gg.fuse cannot trace it", "kernel": "it takes none of these: the definition computes them"}
"""By kind of check: what it means that there was nothing to compare."""


class SkipError(Exception):
    """There is nothing to compare, for the reason that this says."""


@dataclass(frozen=True)
class Check:
    """A named line of the report. `measure` compares on a backend; it raises AssertionError where shapes or dtypes differ.

    It raises SkipError where there is nothing to compare.
    """

    kind: str
    name: str
    measure: Callable[[Backend], Measured]

    @property
    def id(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True)
class Result:
    """How a check ended, `error` the largest in units of the tolerance.

    `status` is "pass", "fail", "error" (it raised), "skip" (there was nothing to compare) or "not run".
    """

    kind: str
    name: str
    status: str
    error: float = 0.0
    compared: int = 0
    message: str = ""
    notes: Sequence[str] = ()
    seconds: float = 0.0

    @property
    def line(self) -> str:
        """As one line for people: what failed, first."""
        figure = f"{self.error:8.3f}" if self.compared else " " * 8
        text = f"{self.status:8}{self.kind:10}{self.name:28}{figure}  {self.message}".rstrip()
        return "\n".join([text, *(f"{'':8}note: {note}" for note in self.notes)])


def run(checks: Sequence[Check], backend: Backend, report: Callable[[Result], None]) -> list[Result]:
    """Run all checks on the device of a backend, and `report` each as it ends.

    One that fails does not stop the others, but an error that leaves the GPU unusable does: the rest is "not run", with that reason.
    """
    results: list[Result] = []
    lost = ""
    for check in checks:
        result = Result(check.kind, check.name, "not run", message=lost) if lost else _run(check, backend)
        if result.status == "error" and not _usable(backend):
            lost = f"the GPU cannot be used any more after {check.id}: an error in a kernel ends all work of this process on it"
        results.append(result)
        report(result)
    return results


def _run(check: Check, backend: Backend) -> Result:
    start, worst, count, message, status = time.monotonic(), 0.0, 0, "", "pass"
    with said() as notes, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what NumPy and CuPy say about infinities that records contain on purpose
        try:
            with on(Device(backend.device)):  # leaving which fails, too, where the GPU is lost
                for what, error in check.measure(backend):
                    count += 1
                    if error > 1 and status == "pass":
                        status, message = "fail", f"{what}: {error:.3g} times the tolerance"
                    worst = max(worst, error)
                _wait(backend)  # an error of a kernel belongs to the check that launched it
        except SkipError as error:
            status, message = "skip", str(error)
        except AssertionError as error:
            status, message, worst = "fail", _first_line(error), numpy.inf
        except MemoryError as error:  # OutOfMemoryError, of gpugrad and of CuPy, is one
            status, message = "error", f"out of memory: {_first_line(error)}"
        except Exception as error:  # whatever it is, the checks after it go on
            status, message = "error", f"{type(error).__name__}: {_first_line(error)}"
    if not count and status == "pass":
        status, message = "skip", NOTHING.get(check.kind, "nothing to compare")
    return Result(check.kind, check.name, status, worst, count, message, notes, time.monotonic() - start)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]


def _wait(backend: Backend) -> None:
    if backend.device != "cpu":
        cuda.synchronize(backend.device)


def _usable(backend: Backend) -> bool:
    """Whether the device still computes."""
    try:
        return bool(numpy.all(backend.to_numpy(backend.asarray(numpy.ones(3)) + 1.0) == 2.0))
    except Exception:  # of any kind: it is unusable
        return False
