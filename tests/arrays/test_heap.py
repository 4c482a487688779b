"""The memory of freed arrays is used again."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from gpugrad.arrays.heap import keep_freed_memory

# The second loop of the same arrays gets the pages of the first.
FAULTS = """
import gpugrad, numpy, resource

def loop():
    for _ in range(8):
        arrays = [numpy.ones(1 << 18, numpy.float32) for _ in range(16)]

loop()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
loop()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_arrays_get_the_pages_of_freed_ones():
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 16 * (1 << 20) // 4096  # once would be as many pages


def test_thresholds_of_the_user_stay(monkeypatch):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1000000")
    assert not keep_freed_memory()
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_")
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.trim_threshold=1000000")
    assert not keep_freed_memory()
