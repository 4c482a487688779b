"""The backend fixture, warnings as errors, and the settings of Hypothesis.

GPUGRAD_TEST_STANDIN=1 in the environment puts the stand-in of tests/standin in CuPy's place, so that gpugrad's CUDA code runs
on a machine without a GPU; on a machine with one it changes nothing. GPUGRAD_TEST_BACKENDS=cupy takes of the backends only those
whose names begin with that word, for a run beside another that takes them all; with the stand-in, files that speak of no backend and
of no device are then left out, since they do the same in both runs.
"""

import os
import re
from pathlib import Path

import hypothesis
import pytest

if os.environ.get("GPUGRAD_TEST_STANDIN") == "1":
    from standin.activate import activate

    activate()  # before anything imports cupy, which backends does

from backends import BACKENDS, CUPY, WITHOUT_CUPY, Backend

CHOSEN = [b for b in BACKENDS if b.available and b.name.startswith(os.environ.get("GPUGRAD_TEST_BACKENDS", ""))]

# The same examples in every run: a suite that fails at random is not believed. No deadline: tests do not measure time.
hypothesis.settings.register_profile("gpugrad", deadline=None, derandomize=True, database=None, max_examples=100)
hypothesis.settings.register_profile("search", deadline=None, database=None, max_examples=3000)  # HYPOTHESIS_PROFILE=search
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gpugrad"))


_ALONE = os.environ.get("GPUGRAD_TEST_STANDIN") == "1" and os.environ.get("GPUGRAD_TEST_BACKENDS") == "cupy"


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    if not (_ALONE and collection_path.name.startswith("test_") and collection_path.suffix == ".py"):
        return None
    text = collection_path.read_text(encoding="utf-8")
    return None if re.search("backend|device|cupy|cuda|standin", text, re.IGNORECASE) else True


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", "error")


# Thousands of tests run on each backend. Where CuPy has no GPU they are not collected for it, the header of the report says so,
# and one test, in test_backends.py, is skipped in their place.
def pytest_report_header(config: pytest.Config) -> str:
    left_out = "" if CUPY.available else f"; cupy SKIPPED ({WITHOUT_CUPY})"
    return "backends: " + ", ".join(b.name for b in CHOSEN) + left_out


@pytest.fixture(scope="session", params=CHOSEN, ids=lambda backend: backend.name)
def backend(request: pytest.FixtureRequest) -> Backend:
    """NumPy, read-only NumPy, array-api-strict on a pretend device, CuPy."""
    found: Backend = request.param
    return found


@pytest.fixture(scope="session", params=["cpu", "cuda"] if CUPY.available else ["cpu"])
def device(request: pytest.FixtureRequest) -> str:
    """The devices on which gpugrad creates arrays."""
    name: str = request.param
    return name
