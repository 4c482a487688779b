"""Running checks: whatever one does, the others run, unless the device is lost."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gpugrad.check.backend import NUMPY, Backend
from gpugrad.check.result import Check, Result, run


def check(name: str, *pairs: tuple[str, float], then: Callable[[], Any] = lambda: None) -> Check:
    def measure(backend: Backend) -> Iterator[tuple[str, float]]:
        yield from pairs
        then()

    return Check("op", name, measure)


def failing(error: BaseException) -> Callable[[], Any]:
    def fail() -> None:
        raise error

    return fail


def results(*checks: Check, backend: Backend = NUMPY) -> dict[str, Result]:
    reported: list[Result] = []
    found = run(checks, backend, reported.append)
    assert found == reported
    return {result.name: result for result in found}


def test_the_worst_of_what_was_compared_decides() -> None:
    found = results(
        check("right", ("a", 0.2), ("b", 0.9)), check("wrong", ("a", 0.2), ("b", 3.5), ("c", 1.5)), check("nothing")
    )
    assert [(r.status, r.error, r.compared) for r in found.values()] == [("pass", 0.9, 2), ("fail", 3.5, 3), ("skip", 0.0, 0)]
    assert found["wrong"].message == "b: 3.5 times the tolerance"
    assert found["right"].line.split() == ["pass", "op", "right", "0.900"]


def test_a_check_that_raises_does_not_stop_the_others() -> None:
    found = results(
        check("shape", ("a", 0.1), then=failing(AssertionError("the shape is (2,), expected (3,)"))),
        check("error", then=failing(ValueError("bad\nsecond line"))),
        check("memory", then=failing(MemoryError("out of memory: 3 GiB asked for"))),
        check("after", ("a", 0.1)),
    )
    assert [r.status for r in found.values()] == ["fail", "error", "error", "pass"]
    assert found["shape"].message.startswith("the shape is (2,)")
    assert found["error"].message == "ValueError: bad"
    assert found["memory"].message.startswith("out of memory: ")


def test_an_error_that_ends_all_work_on_the_device_is_said_and_the_rest_is_not_run() -> None:
    """As after an illegal access on a GPU: every call of CUDA fails from then on."""
    lost: list[bool] = []

    def asarray(x: Any) -> Any:
        if lost:
            raise RuntimeError("cudaErrorIllegalAddress: an illegal memory access was encountered")
        return np.asarray(x)

    def crash() -> None:
        lost.append(True)
        raise RuntimeError("cudaErrorIllegalAddress: an illegal memory access was encountered")

    backend = replace(NUMPY, asarray=asarray)
    found = results(check("first", ("a", 0.1)), check("crash", then=crash), check("later", ("a", 0.1)), backend=backend)
    assert [r.status for r in found.values()] == ["pass", "error", "not run"]
    assert "illegal memory access" in found["crash"].message
    assert "the GPU cannot be used any more after op:crash" in found["later"].message


def test_what_is_logged_belongs_to_its_check(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("gpugrad")
    with caplog.at_level("WARNING"):
        found = results(
            check("slow", ("a", 0.0), then=lambda: log.warning("gpugrad: no kernel: see /tmp/x.log")),
            check("quiet", ("a", 0.0)),
        )
    assert found["slow"].notes == ["no kernel: see /tmp/x.log"] and found["quiet"].notes == []
    assert "note: no kernel: see /tmp/x.log" in found["slow"].line
