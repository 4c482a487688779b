"""What is here for gpugrad to compute with: ``python -m gpugrad info``, which says what is missing and needs none of it."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import logging
import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gpugrad
from gpugrad import cuda
from gpugrad.arrays.devices import Device, cuda_problem, cuda_version, import_cupy, on
from gpugrad.compile import build

DISTRIBUTIONS = ("numpy", "scipy", "array-api-compat", "safetensors", "ml-dtypes", "nvidia-cudnn-frontend")
CUPY_DISTRIBUTIONS = ("cupy-cuda12x", "cupy-cuda13x", "cupy")

ENVIRONMENT = {
    "GPUGRAD_DEVICE": "the default device: auto, cpu, cuda, cuda:N",
    "GPUGRAD_CUDNN": "0 switches cuDNN off",
    "GPUGRAD_COMPILE": "0 switches compiled kernels for the CPU off",
    "GPUGRAD_CC": "the C compiler",
    "GPUGRAD_COMPILE_TIMEOUT": "seconds after which a compiler is taken to hang",
    "GPUGRAD_CACHE_DIR": "where compiled kernels for the CPU are kept",
    "GPUGRAD_NUM_THREADS": "threads that work on a kernel on the CPU",
    "CUDA_VISIBLE_DEVICES": "the GPUs that this process sees",
    "CUDA_PATH": "where CuPy looks for CUDA",
    "CUPY_CACHE_DIR": "where CuPy keeps the kernels that it compiled",
}
"""What gpugrad reads, and of what CuPy and CUDA read the part that decides which GPU computes."""

DEFINITION = "dtypes that a kernel does not take (complex ones, for most) are computed by the op's definition"


def describe(kernels: bool = False) -> dict[str, Any]:
    """All of it, as JSON takes it; `kernels` compiles those for GPUs, to tell which do not."""
    problem = cuda_problem()
    return {
        "versions": _versions(),
        "cuda": {"usable": not problem, "problem": problem or None, **({} if problem else _cuda())},
        "devices": ["cpu"] if problem else ["cpu", *map(_device, range(cuda.device_count()))],
        "default_device": _or_said(lambda: str(gpugrad.get_default_device())),
        "kernels": {
            "cpu": _cpu_kernels(),
            **({} if problem else {"cuda": {**cuda_kernels(), **(compile_kernels() if kernels else {})}}),
        },
        "caches": _caches(),
        "environment": {name: os.environ.get(name) for name in ENVIRONMENT},
    }


def text(found: dict[str, Any]) -> str:
    """What :func:`describe` found, for people."""
    gpu = found["cuda"]
    lines = [", ".join(f"{name} {version}" for name, version in found["versions"].items()), ""]
    lines.append(
        f"no GPU: {gpu['problem']}"
        if gpu["problem"]
        else f"CUDA: driver {gpu['driver']}, runtime {gpu['runtime']}, NVRTC {gpu['nvrtc']}"
    )
    for device in found["devices"][1:]:
        free, total = (f"{device[key] / 2**30:.1f} GiB" for key in ("free", "total"))
        lines.append(f"{device['device']}: {device['name']}, compute capability {device['capability']}, {free} of {total} free")
    lines += [f"default device: {found['default_device']}", "", "kernels"]
    lines += [f"  {device}: {name}: {what}" for device, kernels in found["kernels"].items() for name, what in kernels.items()]
    lines += [f"  {DEFINITION}", "", "caches"]
    lines += [f"  {name}: {folder}" for name, folder in found["caches"].items()]
    lines += ["", "environment"]
    for name, value in found["environment"].items():
        lines.append(f"  {name + ('' if value is None else '=' + value):28}{ENVIRONMENT[name]}")
    return "\n".join(lines)


def name_of(device: str) -> str:
    """What computes on a device: the name of the GPU, or of the processor."""
    return cuda.get_device_name(device) if device != "cpu" else f"the CPU ({processor()})"


def processor() -> str:
    """The name of the processor."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    found = {"gpugrad": gpugrad.__version__, "python": platform.python_version()}
    for name in (*DISTRIBUTIONS, *CUPY_DISTRIBUTIONS):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _or_said(ask: Callable[[], Any]) -> str:
    """An answer as text, or what went wrong: half-installed libraries fail in ways of their own, and `info` is there to say so."""
    try:
        return str(ask())
    except Exception as error:
        return f"unknown: {type(error).__name__}: {error}"


def _cuda() -> dict[str, str]:
    cupy = import_cupy()

    return {
        "driver": _or_said(lambda: cuda_version(cupy.cuda.runtime.driverGetVersion())),
        "runtime": _or_said(lambda: cuda_version(cupy.cuda.runtime.runtimeGetVersion())),
        "nvrtc": _or_said(lambda: ".".join(map(str, importlib.import_module("cupy.cuda.nvrtc").getVersion()))),
    }


def _device(number: int) -> dict[str, Any]:
    name = f"cuda:{number}"
    with on(Device(name)):
        free, total = import_cupy().cuda.runtime.memGetInfo()
        major, minor = cuda.get_device_capability(name)
    return {
        "device": name, "name": cuda.get_device_name(name), "capability": f"{major}.{minor}", "free": int(free), "total": int(total),
    }  # fmt: skip


def _cpu_kernels() -> dict[str, str]:
    """The compiler that kernels for the CPU are built with, or why there are none."""
    if not build.enabled():
        return {"compiled": "off, by GPUGRAD_COMPILE"}
    with said() as lines:
        command = build.compiler()
    return {"compiled": f"by {' '.join(command)}" if command else (lines or ["no C compiler was found"])[0]}


def cuda_kernels() -> dict[str, str]:
    """What computes on a GPU besides CuPy, and what did not compile so far in this process."""
    # The modules import CuPy, so they are imported here and not at the top.
    backend, cudnn = (importlib.import_module(f"gpugrad.arrays.{name}") for name in ("cupy", "cuda.cudnn"))
    dtypes = ", ".join(sorted(importlib.import_module("gpugrad.arrays.cuda.modules").DTYPES))
    found = {
        "compiled": "by NVRTC, through CuPy",
        "written by hand": f"{', '.join(sorted(backend.HAND_WRITTEN)) or 'none'} (for {dtypes})",
        **failures(),
    }
    for name, module in (("cuBLAS", "cublas"), ("cuDNN", "cudnn")):
        found[name] = _or_said(lambda m=module: _library(m))  # type: ignore[misc]
    if cudnn.library().module is not None:
        found["cuDNN"] += f" (for {', '.join(sorted(backend.CUDNN))})"
    return found


def _library(module: str) -> str:
    with on(Device("cuda")):
        return str(importlib.import_module(f"gpugrad.arrays.cuda.{module}").describe())


def failures() -> dict[str, str]:
    """The kernels for GPUs that did not compile so far in this process, and the compiler's logs."""
    found = importlib.import_module("gpugrad.arrays.cuda.modules").failures
    return {f"{what} did not compile": f"its log is {log}" for what, log in found.items()}


def compile_kernels() -> dict[str, str]:
    """Compile every kernel written by hand, on every GPU, for every dtype: which compile, and the logs of those that do not.

    Seconds for each source the first time; CuPy keeps what it compiled on disk.
    """
    modules = importlib.import_module("gpugrad.arrays.cuda.modules")
    compiled: dict[str, bool] = {}
    for number in range(cuda.device_count()):
        with on(Device("cuda", number)):
            for what, good in modules.compile_all():
                compiled[what] = good and compiled.get(what, True)
    return {"that compile": ", ".join(what for what, good in compiled.items() if good) or "none", **failures()}


def _caches() -> dict[str, str]:
    return {
        "kernels for the CPU": _or_said(build.cache_folder),
        "CuPy's kernels": os.environ.get("CUPY_CACHE_DIR") or str(Path("~/.cupy/kernel_cache").expanduser()),
    }


@contextlib.contextmanager
def said() -> Iterator[list[str]]:
    """What the logger "gpugrad" says meanwhile, kept from the terminal."""
    lines: list[str] = []
    logger = logging.getLogger("gpugrad")

    def keep(record: logging.LogRecord) -> bool:
        lines.append(record.getMessage().removeprefix("gpugrad: "))
        return False

    logger.addFilter(keep)
    try:
        yield lines
    finally:
        logger.removeFilter(keep)
