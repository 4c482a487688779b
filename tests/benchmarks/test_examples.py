"""examples/fuse.py runs, on few elements, and checks itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_example_of_fuse_runs(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GPUGRAD_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, str(ROOT / "examples" / "fuse.py"), "--size", "2000", "--repeats", "1"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("fused and op by op agree") == 3
    assert done.stdout.count("__global__") >= 3
    assert done.stdout.count("#pragma omp simd") >= 3
