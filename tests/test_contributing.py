"""CONTRIBUTING.md's "Add an op in three steps", followed to the letter on a copy of the tree."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STEP = re.compile(r"<!-- step \d: append to (\S+) -->\n```python\n(.*?)```", re.DOTALL)


@pytest.mark.skipif(os.environ.get("GPUGRAD_TEST_STANDIN") == "1", reason="the subprocess has its own backends")
def test_an_op_in_three_steps(tmp_path):
    ignore = shutil.ignore_patterns("__pycache__", "standin")
    for folder in ("gpugrad", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)

    steps = STEP.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert [file for file, _ in steps] == ["gpugrad/ops/elementwise.py", "gpugrad/check/records/elementwise.py"]
    for file, code in steps:  # steps 1 and 3
        with (tmp_path / file).open("a", encoding="utf-8") as source:
            source.write("\n\n" + code)
    face = tmp_path / "gpugrad/__init__.py"  # step 2
    text = face.read_text(encoding="utf-8")
    assert "logistic" not in text
    text = text.replace("from gpugrad.ops.elementwise import (\n", "from gpugrad.ops.elementwise import (\n    logistic,\n")
    face.write_text(text.replace("__all__ = [\n", '__all__ = [\n    "logistic",\n'), encoding="utf-8")

    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/ops",
        "tests/test_registry.py",
        "-k",
        "logistic",
    ]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(tmp_path)}
    )
    assert done.returncode == 0, done.stdout[-3000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed.group(1)) >= 20, "value, gradient, dtype and backend tests were made from the record"
