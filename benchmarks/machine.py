"""The machine under a benchmark: what it is, which versions run, and the same number of threads for everyone."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
"""The checkout that is measured."""

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS")
_SET = "GPUGRAD_BENCHMARK_THREADS"

_DISTRIBUTIONS = ("numpy", "scipy", "array-api-compat", "nvidia-cudnn-frontend", "torch", "jax", "autograd", "mygrad")


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads() -> int:
    """The threads that every library of this run has, or would have by default."""
    return int(os.environ.get(_SET, 0)) or cores()


def with_threads(count: int, module: str, arguments: list[str]) -> None:
    """Start this program again with the thread counts of all libraries set; returns if that has happened already.

    Libraries read them when they load, so setting them in a running process is too late. The child imports gpugrad from this
    checkout, whatever is installed.
    """
    if os.environ.get(_SET) == str(count):
        return
    environment = {**os.environ, _SET: str(count), **{name: str(count) for name in _THREADS}, "PYTHONPATH": python_path()}
    command = [sys.executable, "-m", module, *arguments]
    if os.name == "posix":
        sys.stdout.flush()
        os.execve(sys.executable, command, environment)
    sys.exit(subprocess.run(command, env=environment, check=False).returncode)


def python_path() -> str:
    """PYTHONPATH with this checkout before everything else."""
    rest = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry and entry != str(ROOT)]
    return os.pathsep.join([str(ROOT), *rest])


def version(distribution: str) -> str | None:
    """The installed version of a distribution, or None."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions() -> dict[str, str]:
    """Python, gpugrad, and the versions of everything installed that a column may use."""
    import gpugrad

    found = {"python": platform.python_version(), "gpugrad": gpugrad.__version__}
    for name in _DISTRIBUTIONS:
        installed = version(name)
        if installed:
            found[name] = installed
    cupy = cupy_distribution()
    if cupy:
        found[cupy[0]] = cupy[1]
    return found


def cupy_distribution() -> tuple[str, str] | None:
    """The name and version of the CuPy distribution that is installed: its name says for which CUDA."""
    for name in ("cupy-cuda12x", "cupy-cuda13x", "cupy"):
        installed = version(name)
        if installed:
            return name, installed
    return None


def describe(device: str = "cpu") -> dict[str, Any]:
    """The machine in a form for a result file: nothing that names a person, a host or a path."""
    import numpy

    from gpugrad.check.about import processor

    found: dict[str, Any] = {
        "cpu": processor(),
        "cores": cores(),
        "threads": int(os.environ.get(_SET, 0)) or "not set",
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else "unknown",
        "system": f"{platform.system()} {platform.machine()}",
        "blas": numpy.show_config(mode="dicts")["Build Dependencies"]["blas"].get("name", "unknown"),  # type: ignore[index, call-overload]
        "commit": _commit(),
    }
    if device != "cpu":
        found["gpu"] = gpu()
    return found


def gpu() -> dict[str, str]:
    """The GPU and what drives it. Raises DeviceError without one."""
    import gpugrad
    from gpugrad.arrays.devices import cuda_version

    name = gpugrad.cuda.get_device_name()
    import cupy

    runtime = cupy.cuda.runtime
    found = {"name": name}
    for key, function in (("driver_cuda", "driverGetVersion"), ("runtime_cuda", "runtimeGetVersion")):
        if hasattr(runtime, function):
            found[key] = cuda_version(int(getattr(runtime, function)()))
    return found


def slug(name: str) -> str:
    """The name of a GPU as that of a file: "NVIDIA H200" is "nvidia-h200"."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _commit() -> str:
    """The commit of this checkout, with a + if files have changed since."""
    try:
        changed = _git("status", "--porcelain", "--", "gpugrad", "benchmarks")
        return _git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=20)
    return done.stdout.strip()
