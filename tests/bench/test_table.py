"""The parts of the table; the whole is in test_report.py."""

from __future__ import annotations

import pytest

from gpugrad.bench import table
from gpugrad.bench.method import Row, Spread


def test_a_gpu_that_wins_nowhere_or_everywhere_is_said_so() -> None:
    found = [
        Row("idle", text, "s", {"cpu": Spread(1.0, 1.0, 1.0)}, size=size) for text, size in (("1,024", 1024), ("2,048", 2048))
    ]
    crossing = {"case": "idle", "device": "cuda:0", "against": "cpu", "size": None}
    assert table.sentence(crossing, found) == "crossover: none up to 2,048 where cuda:0 is faster than cpu"
    assert table.sentence(crossing | {"size": 1024}, found).endswith("cpu from 1,024 on, the smallest size")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2.5e-10, "0.25 ns (0.25 to 0.25)"),
        (1.234e-6, "1.23 us (1.23 to 1.23)"),
        (0.9999, "1000 ms (1000 to 1000)"),
        (75.0, "75 s (75 to 75)"),
    ],
)
def test_durations_are_readable(seconds: float, text: str) -> None:
    assert table.duration(Spread(seconds, seconds, seconds)) == text
