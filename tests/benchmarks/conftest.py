"""The folder benchmarks/ of the checkout, which is not installed; tests/ on the path has one of the same name."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def checkout() -> Iterator[None]:
    """The checkout comes first on the path."""
    sys.path.insert(0, str(ROOT))
    yield
    sys.path.remove(str(ROOT))
