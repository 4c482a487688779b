"""How many rounds there is time for, and which sizes."""

from __future__ import annotations

import pytest

from gpugrad.bench import report
from gpugrad.bench.effort import FULL, QUICK, Time


@pytest.mark.parametrize(
    ("left", "reserved", "seconds", "rounds"),
    [
        (20.0, 0.0, [1e-5, 1e-5], 5),  # all
        (20.0, 20.0, [1e-5, 1e-5], 3),  # what the case has reserved is enough for so many, and the rest is that of others
        (0.2, 0.0, [1e-5, 1e-5], 0),  # three do not fit
        (20.0, 0.0, [0.4], 5),
        (4.0, 4.0, [0.4], 3),  # the least, though they take more than was reserved
        (3.0, 3.0, [0.4], 0),
    ],
)
def test_rounds_fit_into_the_time_that_is_left(left: float, reserved: float, seconds: list[float], rounds: int) -> None:
    time = Time(QUICK, reserved, end=left, clock=lambda: 0.0)
    assert time.limited and time.rounds(seconds, first=True, reserve=0.4) == rounds


def test_a_full_run_has_no_end() -> None:
    assert not Time(FULL).limited and Time(FULL, 100.0).left(first=False) == float("inf")


@pytest.mark.parametrize("case", report.CASES, ids=lambda case: case.name)
def test_quick_takes_some_of_the_sizes(case: report.Case) -> None:
    assert list(case.sizes) == sorted(case.sizes) == list(FULL.sizes(case))
    assert case.quick and {*QUICK.sizes(case)} < {*case.sizes}


def test_the_first_rows_fit_into_a_quick_run() -> None:
    """What all cases reserve, for two devices, leaves time for other sizes."""
    assert sum(case.reserve for case in report.CASES) < QUICK.seconds
