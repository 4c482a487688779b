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


def install_peers(session: nox.Session, *others: str, optional: bool = False) -> None:
    """PyTorch, in its build for the CPU (that of PyPI brings gigabytes of CUDA libraries), JAX, and others.

    Where they are optional, one that does not install here, for this Python or this processor, is done without.
    """
    accepted = [0, 1] if optional else [0]
    session.install("torch", "--index-url", "https://download.pytorch.org/whl/cpu", success_codes=accepted)
    for peer in ("jax", *others):
        session.install(peer, success_codes=accepted)


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
        standin = {"GPUGRAD_TEST_STANDIN": "1", "GPUGRAD_TEST_BACKENDS": "cupy"}  # the others have been tested above
        session.run("python", "-m", "pytest", "-n", "2", "tests/standin", env=standin)
        # Of the thousands of kernels NVRTC compiles a quarter; those that are written by hand it compiles in tests of their own.
        session.run("python", "-m", "pytest", "-n", "2", "tests", env={**standin, "GPUGRAD_TEST_NVRTC": "4"})


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
    """The benchmarks against PyTorch, JAX, HIPS autograd and MyGrad: tables, what they say, and docs/benchmarks.md with its pictures.

    ``-- mlp --rounds 5`` measures a part, and leaves the page as it is; ``-- --page`` writes the page from benchmarks/results alone.
    """
    session.install("-e", ".[dev,examples]")
    if "--page" not in session.posargs:
        install_peers(session, "autograd", "mygrad", optional=True)
    session.run("python", "benchmarks/suite.py", *session.posargs)


@nox.session
def gradients(session: nox.Session) -> None:
    """Check every derivative of the standard's functions and write docs/gradients.md. ``-- --device cuda`` writes what a GPU gives."""
    extra = cuda_extra() if "cuda" in " ".join(session.posargs) else None
    session.install("-e", "." if extra is None else f".[{extra}]")
    session.run("python", "benchmarks/gradients.py", *session.posargs)


@nox.session
def conformance(session: nox.Session) -> None:
    """The official test suite of the Array API standard, in the checkout that ARRAY_API_TESTS names. ``-- ARGS`` go to pytest."""
    suite = Path(os.environ.get("ARRAY_API_TESTS", "")).absolute()
    if not (suite / "array_api_tests").is_dir():
        session.error(
            "the environment variable ARRAY_API_TESTS must name a checkout of the suite, which `git clone --recurse-submodules "
            "https://github.com/data-apis/array-api-tests` makes"
        )
    session.install("-e", ".", "-r", str(suite / "requirements.txt"))
    module = os.environ.get("ARRAY_API_TESTS_MODULE", "gpugrad")  # array_api_compat.numpy, to compare with NumPy
    known = [f"--xfails-file={Path('tests', 'conformance', 'xfails.txt').absolute()}"] if module == "gpugrad" else []
    files = [] if any(argument.startswith("array_api_tests") for argument in session.posargs) else ["array_api_tests"]
    # Nearly the same examples in every run, and no deadlines. Of an option given twice the last counts.
    examples = ["--max-examples", "10", "--derandomize", "--disable-deadline"]
    session.chdir(suite)
    session.run(
        "python", "-m", "pytest", *known, *examples, *files, *session.posargs,
        env={"ARRAY_API_TESTS_MODULE": module, "ARRAY_API_TESTS_VERSION": "2025.12"},
    )  # fmt: skip


@nox.session
def parity(session: nox.Session) -> None:
    """Functions, layers, losses, optimizers and schedules against PyTorch's and JAX's, which this installs. ``-- ARGS`` go to pytest.

    Writes docs/pytorch.md, which says what of PyTorch's names is here.
    """
    session.install("-e", ".[dev]")
    install_peers(session)
    session.run("python", "-m", "parity.names", env={"PYTHONPATH": "tests"})
    tests = session.posargs or ["tests/parity"]
    session.run("python", "-m", "pytest", "-n", "2", *tests, env={"GPUGRAD_TEST_PARITY": "1"})


@nox.session
def interop(session: nox.Session) -> None:
    """Other people's code, unmodified, on Tensors that record: SciPy, scikit-learn, einops, array-api-extra, marray, xarray."""
    session.install("-e", ".[dev,interop]")
    # Read when SciPy is imported; scikit-learn's array_api_dispatch asks for it, too.
    session.run("python", "-m", "pytest", *(session.posargs or ["tests/interop"]), env={"SCIPY_ARRAY_API": "1"})


@nox.session
def gpu(session: nox.Session) -> None:
    """Everything that needs a GPU: the check of all ops, tests, training, benchmarks. GPUGRAD_CUDA=12 or 13 chooses the CuPy to install."""
    session.install("-e", f".[dev,examples,{cuda_extra() or 'cuda12'}]")
    session.run("python", "benchmarks/gpu.py", *session.posargs)
