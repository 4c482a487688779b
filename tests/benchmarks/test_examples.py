"""The examples run, at a reduced size, and say what they are to say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

if os.environ.get("GPUGRAD_TEST_STANDIN") == "1":
    pytest.skip("they run in processes of their own, where the stand-in is not", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[2]


def printed(name: str, *arguments: object) -> str:
    """What an example prints, on the CPU."""
    command = [sys.executable, str(ROOT / "examples" / name), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GPUGRAD_DEVICE": "cpu"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def last_number(text: str, label: str) -> float:
    """The number behind the last mention of a label."""
    return float(text.rpartition(label)[2].split()[0].strip("%,"))


def test_fuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUGRAD_CACHE_DIR", str(tmp_path))
    said = printed("fuse.py", "--size", 2000, "--repeats", 1)
    assert said.count("fused and op by op agree") == 3
    assert said.count("__global__") >= 3
    assert said.count("#pragma omp simd") >= 3


def test_the_convolutional_network_learns_digits() -> None:
    pytest.importorskip("sklearn")
    assert last_number(printed("digits_cnn.py", "--device", "cpu", "--epochs", 8), "test accuracy") > 90


def test_the_lstm_learns_the_pendulum() -> None:
    said = printed("lstm_pendulum.py", "--device", "cpu", "--epochs", 4, "--samples", 2500, "--size", 24)
    errors = [float(line.rpartition(" ")[2]) for line in said.splitlines() if line.startswith("epoch")]
    assert errors[-1] < errors[0] and errors[-1] < last_number(said, "the last position:")


@pytest.mark.parametrize("precision", [(), ("--autocast", "float16"), ("--autocast", "bfloat16")], ids=lambda p: "".join(p[1:]))
def test_the_gpt_learns_characters(precision: tuple[str, ...]) -> None:
    small = ("--steps", 40, "--batch", 8, "--length", 24, "--width", 32, "--layers", 1, "--validation", 4, "--characters", 30)
    said = printed("char_gpt.py", "--device", "cpu", *small, *precision)
    assert "\ndef " in said
    assert last_number(said, "validation loss") < 4.2  # log(96) = 4.56 nats: what guessing costs
