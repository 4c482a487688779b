"""The project's commands, each in a virtual environment of its own: ``python -m nox -s <session>``."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.sessions = ["tests", "lint", "types"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False


def cuda_extra() -> str | None:
    """The extra that brings the CuPy for this machine: GPUGRAD_CUDA (12, 13, or nothing for none), else what the driver takes."""
    version = os.environ.get("GPUGRAD_CUDA")
    if version is None and shutil.which("nvidia-smi"):
        found = re.search(
            r"CUDA Version:\s*(\d+)", subprocess.run("nvidia-smi", capture_output=True, text=True, check=False).stdout
        )
        version = str(min(int(found.group(1)), 13)) if found and int(found.group(1)) >= 12 else None  # CuPy 14 needs 12
    return f"cuda{version}" if version else None


@nox.session
def train(session: nox.Session) -> None:
    """Train a classifier of handwritten digits: the main job. ``-- --device cpu|cuda|cuda:1|auto --epochs N --seed S``."""
    extra = cuda_extra()
    session.install("-e", ".[examples]" if extra is None else f".[examples,{extra}]")
    # Not session.run, which would turn the script's exit code, 2 for a device that is not there, into 1.
    python = shutil.which("python", path=session.bin) or sys.executable
    code = subprocess.call([python, str(Path("examples", "train_digits.py")), *session.posargs])
    if code:
        sys.exit(code)


@nox.session
def tests(session: nox.Session) -> None:
    """The test suite: on NumPy and array-api-strict, then the CUDA path on a stand-in for CuPy. ``-- ARGS`` go to pytest."""
    session.install("-e", ".[dev,examples]")
    session.run("python", "-m", "pytest", "-n", "2", *(session.posargs or ["tests"]))
    if not session.posargs:
        standin = {"GPUGRAD_TEST_STANDIN": "1"}
        session.run("python", "-m", "pytest", "-n", "2", "tests/standin", env=standin)
        session.run("python", "-m", "pytest", "-n", "2", "tests", env=standin)


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: the linter and the formatter."""
    session.install("ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict."""
    session.install("-e", ".", "mypy")
    session.run("mypy")


@nox.session
def bench(session: nox.Session) -> None:
    """The benchmarks: a table, and whether the targets are met. ``-- --peers`` installs PyTorch, JAX and HIPS autograd to compare with."""
    session.install("-e", ".[dev,examples]")
    arguments = [argument for argument in session.posargs if argument != "--peers"]
    if len(arguments) < len(session.posargs):
        # The CPU build of PyTorch: that of PyPI brings gigabytes of CUDA libraries.
        session.install("torch", "--index-url", "https://download.pytorch.org/whl/cpu")
        session.install("jax", "autograd")
    session.run("python", "benchmarks/run.py", *arguments)


@nox.session
def gpu(session: nox.Session) -> None:
    """Everything that needs a GPU: the check of all ops, tests, training, benchmarks. GPUGRAD_CUDA=12 or 13 chooses the CuPy to install."""
    session.install("-e", f".[dev,examples,{cuda_extra() or 'cuda12'}]")
    session.run("python", "benchmarks/gpu.py", *session.posargs)
